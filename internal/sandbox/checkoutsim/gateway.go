package checkoutsim

import (
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"reauth/internal/sandbox/fault"
	"reauth/internal/sandbox/vendorsim"
)

// The headers of every answer of the API.
const (
	requestIDHeader = "Cko-Request-Id"
	versionHeader   = "Cko-Version"
)

// ServeHTTP takes one call.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if outage := s.Knobs().Outage; outage != fault.NoOutage {
		s.count(func(st *Stats) { st.Outage++ })
		outage.Serve(w, r, s.Closed(), func() { plain(w, http.StatusInternalServerError) })
		return
	}
	s.mux.ServeHTTP(w, r)
}

// exchange is one call to the API that has got as far as its endpoint.
type exchange struct {
	*Simulator
	w     http.ResponseWriter
	r     *http.Request
	call  Call
	knobs Knobs
}

// api takes a call to the API: credentials, then limits, then its endpoint.
func (s *Simulator) api(c Call, serve func(*exchange)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(requestIDHeader, uuid.NewString())
		w.Header().Set(versionHeader, "1.0.0")
		knobs := s.Knobs()
		s.count(func(st *Stats) {
			st.Enter()
			st.Calls[c]++
		})
		defer s.count(func(st *Stats) { st.Leave() })
		switch {
		case !s.authorized(r, knobs):
			s.count(func(st *Stats) { st.Unauthorized++ })
			w.WriteHeader(http.StatusUnauthorized)
		case knobs.Forbid:
			s.count(func(st *Stats) { st.Forbidden++ })
			w.WriteHeader(http.StatusForbidden)
		case !s.admit(r.Method == http.MethodGet, knobs):
			vendorsim.Throttle(w, knobs.RetryAfterSeconds, plain)
		default:
			serve(&exchange{s, w, r, c, knobs})
		}
	}
}

// authorized uses the call's token up by one, if it is no secret key.
func (s *Simulator) authorized(r *http.Request, knobs Knobs) bool {
	credential, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer || knobs.RefuseTokens {
		return false
	}
	if knobs.SecretKey != "" && subtle.ConstantTimeCompare([]byte(credential), []byte(knobs.SecretKey)) == 1 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens.Use(credential, knobs.RevokeAfter)
}

// admit counts a call against the allowance of its kind.
func (s *Simulator) admit(read bool, knobs Knobs) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	meter, perSecond, refused := &s.writes, knobs.WritesPerSecond, &s.stats.WritesRefused
	if read {
		meter, perSecond, refused = &s.reads, knobs.ReadsPerSecond, &s.stats.ReadsRefused
	}
	admitted := meter.Admit(time.Now(), perSecond)
	if !admitted {
		s.stats.Refused++
		*refused++
	}
	return admitted
}

// answer is what an endpoint says.
type answer struct {
	status int
	// body is written as JSON, nil for none.
	body any
	// code is that of an error, "" for none.
	code string
}

// finish does what a call about an applicant is for, and answers: with a mishap
// that comes before it, or it is done, and then the answer gets lost or not. do
// is called with books held.
func (x *exchange) finish(applicant string, script Script, do func() answer) {
	scripted := script.Mishaps[x.call]
	x.mu.Lock()
	m, latency := x.chance.Draw(x.knobs.Health, applicant+" "+string(x.call), scripted, scripted.Kind == vendorsim.NoMishap)
	x.stats.Meet(m.Kind)
	x.mu.Unlock()
	fault.Wait(latency, x.Closed())
	if m.Kind != vendorsim.NoMishap && !m.Kind.Committed() {
		vendorsim.Fail(x.w, m.Kind, x.knobs.RetryAfterSeconds, plain)
		return
	}

	x.books.Lock()
	a := do()
	x.books.Unlock()
	if m.Kind != vendorsim.NoMishap {
		vendorsim.Lose(x.w, x.r, m.Kind, x.Closed(), a.status, a.body, plain)
		return
	}
	x.write(a)
}

// write answers.
func (x *exchange) write(a answer) {
	switch {
	case a.code != "":
		x.count(func(st *Stats) { st.Errors[a.code]++ })
		vendorsim.WriteJSON(x.w, a.status, map[string]any{
			"request_id": x.w.Header().Get(requestIDHeader), "error_type": "request_invalid", "error_codes": []string{a.code},
		})
	case a.body == nil:
		x.count(func(st *Stats) { st.Errors[strconv.Itoa(a.status)]++ })
		x.w.WriteHeader(a.status)
	default:
		vendorsim.WriteJSON(x.w, a.status, a.body)
	}
}

// refused is an answer with an error code.
func refused(status int, code string) answer { return answer{status: status, code: code} }

// notFound is an answer without one: the vendor lists none for it.
func notFound() answer { return answer{status: http.StatusNotFound} }

// plain is an error without a body that a program could read.
func plain(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(status)
	w.Write([]byte(http.StatusText(status) + "\n"))
}

// nothingThere is for every other path.
func (s *Simulator) nothingThere(w http.ResponseWriter, _ *http.Request) {
	s.count(func(st *Stats) { st.Errors["no_such_path"]++ })
	w.WriteHeader(http.StatusNotFound)
}
