package facekisim

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// plainError writes the envelope of errors that have no code of the service.
func plainError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]any{"status": false, "message": message, "statusCode": status, "data": map[string]any{}})
}

// throttle writes a 429. The vendor documents none.
func throttle(w http.ResponseWriter, retryAfterSeconds int) {
	if retryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfterSeconds))
	}
	plainError(w, http.StatusTooManyRequests, "Too Many Requests")
}

// htmlError writes the 502 page of a load balancer.
func htmlError(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusBadGateway)
	w.Write([]byte("<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n" +
		"<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"))
}

// truncatedJSON writes a 200 whose body stops in the middle, with a length
// that says it is whole.
func truncatedJSON(w http.ResponseWriter, v any) {
	body := encode(v)
	body = body[:len(body)/2]
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(encode(v))
}

// encode panics on a value that JSON cannot hold: a bug in this package.
func encode(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return body
}
