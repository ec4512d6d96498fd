package vendorsim

import (
	"encoding/json"
	"net/http"
	"strconv"

	"reauth/internal/sandbox/fault"
)

// Plain writes a vendor's own answer for an HTTP status that says all there is to
// say.
type Plain func(w http.ResponseWriter, status int)

// Throttle writes a 429, with Retry-After unless that is 0.
func Throttle(w http.ResponseWriter, retryAfterSeconds int, plain Plain) {
	if retryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfterSeconds))
	}
	plain(w, http.StatusTooManyRequests)
}

// Fail answers a call whose mishap comes before anything is done.
func Fail(w http.ResponseWriter, k MishapKind, retryAfterSeconds int, plain Plain) {
	switch k {
	case Throttled:
		Throttle(w, retryAfterSeconds, plain)
	case ThrottleBare:
		Throttle(w, 0, plain)
	case Status500:
		plain(w, http.StatusInternalServerError)
	case Status502:
		badGateway(w)
	case Status503:
		plain(w, http.StatusServiceUnavailable)
	case ResetEarly:
		fault.Reset(w)
	}
}

// Lose ends a call whose mishap comes when all is done: the answer, status and v,
// does not get through.
func Lose(w http.ResponseWriter, r *http.Request, k MishapKind, closed <-chan struct{}, status int, v any, plain Plain) {
	switch k {
	case Hang:
		fault.NeverAnswer(r, closed)
	case Reset:
		fault.Reset(w)
	case Status504:
		plain(w, http.StatusGatewayTimeout)
	case BadJSON:
		truncatedJSON(w, status, v)
	}
}

// badGateway writes the 502 page of a load balancer.
func badGateway(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusBadGateway)
	w.Write([]byte("<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n" +
		"<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"))
}

// truncatedJSON writes a body that stops in the middle, with a length that says
// it is whole.
func truncatedJSON(w http.ResponseWriter, status int, v any) {
	body := Encode(v)
	body = body[:len(body)/2]
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

// WriteJSON answers with v.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(Encode(v))
}

// Encode returns v as JSON. It panics on a value that JSON cannot hold: a bug in
// the simulator.
func Encode(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return body
}
