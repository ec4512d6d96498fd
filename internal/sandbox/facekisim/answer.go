package facekisim

import (
	"net/http"

	"reauth/internal/sandbox/vendorsim"
)

// plainError writes the envelope of errors that have no code of the service.
func plainError(w http.ResponseWriter, status int, message string) {
	vendorsim.WriteJSON(w, status, map[string]any{"status": false, "message": message, "statusCode": status, "data": map[string]any{}})
}

// plain is such an error with the usual words for its status. The vendor
// documents no 429.
func plain(w http.ResponseWriter, status int) {
	message := http.StatusText(status)
	if status == http.StatusInternalServerError {
		message = "Internal server error"
	}
	plainError(w, status, message)
}
