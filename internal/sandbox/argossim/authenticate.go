package argossim

import (
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"reauth/internal/sandbox/fault"
)

// authenticate is POST /faceauth.
func (s *Simulator) authenticate(w http.ResponseWriter, r *http.Request) {
	s.enter()
	defer s.leave()

	knobs := s.Knobs()
	f, err := readForm(w, r, knobs.MaxBytes)
	script := ParseScript(f.submissionID, knobs.Mix)
	if script.Style != "" {
		knobs.ErrorStyle = script.Style
	}
	refuse := func(code string) { s.refuse(w, knobs, f.submissionID, code) }
	switch {
	case errors.Is(err, errAbandoned):
		s.count(func(st *Stats) { st.Abandoned++ })
		refuse(invalidDataFormat)
		return
	case errors.Is(err, errTooLarge):
		s.count(func(st *Stats) { st.Errors["too_large"]++ })
		gatewayError(w, http.StatusRequestEntityTooLarge, "Request Too Long")
		return
	case errors.Is(err, errNotBinary):
		refuse(imageConvertingError)
		return
	case errors.Is(err, errMalformed):
		refuse(invalidDataFormat)
		return
	case f.submissionID == "" || f.picture == nil:
		refuse(requiredFieldMissing)
		return
	}
	s.count(func(st *Stats) { st.ImageBytes += f.picture.bytes })

	mishap, latency := s.draw(f.submissionID, script.Mishap)
	fault.Wait(latency, s.closed)
	if mishap.Kind != NoMishap && !mishap.Kind.Charged() {
		s.fail(w, knobs, f.submissionID, mishap)
		return
	}
	switch code := script.Verdict.ErrorCode; {
	case code != "" && code != noFace:
		refuse(code)
		return
	case !f.picture.whole:
		refuse(imageConvertingError)
		return
	case code == noFace:
		refuse(noFace)
		return
	}

	made := s.charge(f, script.Verdict)
	s.answer(w, r, made, mishap.Kind)
}

// draw decides what the next call for a submission meets: the mishap of its
// script, or else one by the rates, and how long it takes.
func (s *Simulator) draw(submissionID string, scripted Mishap) (Mishap, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	latency := s.knobs.Latency.Sample(s.random)
	mishap := Mishap{}
	if s.ledger.takeMishap(submissionID, scripted) {
		mishap = scripted
	} else {
		mishap.Kind = s.mishapByRate()
	}
	if mishap.Kind != NoMishap {
		s.stats.Mishaps[mishap.Kind]++
	}
	return mishap, latency
}

// mishapByRate is called with mu held.
func (s *Simulator) mishapByRate() MishapKind {
	at := s.random.Float64()
	for _, slice := range []struct {
		rate  float64
		kinds []MishapKind
	}{
		{s.knobs.ErrorRate, []MishapKind{Status500, Status502, Status503}},
		{s.knobs.ThrottleRate, []MishapKind{Throttled}},
		{s.knobs.ResetRate, []MishapKind{ResetEarly, Reset}},
		{s.knobs.HangRate, []MishapKind{Hang}},
	} {
		if at < slice.rate {
			return slice.kinds[s.random.IntN(len(slice.kinds))]
		}
		at -= slice.rate
	}
	return NoMishap
}

// fail answers a call whose mishap comes before the authentication.
func (s *Simulator) fail(w http.ResponseWriter, knobs Knobs, submissionID string, m Mishap) {
	switch m.Kind {
	case ErrorAnswer:
		s.refuse(w, knobs, submissionID, m.Code)
	case Throttled:
		throttle(w, "Too Many Requests", knobs.RetryAfterSeconds)
	case ThrottleBare:
		throttle(w, "Too Many Requests", 0)
	case Status500:
		gatewayError(w, http.StatusInternalServerError, "Internal server error")
	case Status502:
		htmlError(w)
	case Status503:
		gatewayError(w, http.StatusServiceUnavailable, "Service Unavailable")
	case ResetEarly:
		fault.Reset(w)
	}
}

// charge makes the authentication.
func (s *Simulator) charge(f form, v Verdict) Authentication {
	a := Authentication{
		ID:           uuid.NewString(),
		SubmissionID: f.submissionID,
		UserID:       f.userID,
		CF1:          f.cf1, CF2: f.cf2, CF3: f.cf3,
		FailCodes:   v.FailCodes,
		Score:       scores(f.submissionID, v.FailCodes),
		ImageBytes:  f.picture.bytes,
		ImageSHA256: f.picture.sha256,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// create_time has milliseconds, and the list pages by it.
	a.At = time.Now().UTC().Truncate(time.Millisecond)
	s.ledger.add(a)
	s.stats.Charged++
	if v.Approved() {
		s.stats.Approved++
	} else {
		s.stats.Rejected++
	}
	return a
}

// answer tells the caller about an authentication, or does not.
func (s *Simulator) answer(w http.ResponseWriter, r *http.Request, a Authentication, k MishapKind) {
	switch k {
	case Hang:
		fault.NeverAnswer(r, s.closed)
	case Reset:
		fault.Reset(w)
	case Status504:
		gatewayError(w, http.StatusGatewayTimeout, "Endpoint request timed out")
	case BadJSON:
		truncatedJSON(w, resultOf(a))
	default:
		writeJSON(w, http.StatusOK, resultOf(a))
	}
}

// refuse answers with a coded error in the layout that the knobs ask for.
func (s *Simulator) refuse(w http.ResponseWriter, knobs Knobs, submissionID, code string) {
	s.count(func(st *Stats) { st.Errors[code]++ })
	style := knobs.ErrorStyle
	if style == StyleMixed {
		style = StyleCode
		if hash(submissionID)%2 == 1 {
			style = StyleText
		}
	}
	codedError(w, knobs.ErrorStatus, code, style)
}

func (s *Simulator) count(change func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.stats)
}

func (s *Simulator) enter() {
	s.count(func(st *Stats) {
		st.InFlight++
		st.PeakInFlight = max(st.PeakInFlight, st.InFlight)
	})
}

func (s *Simulator) leave() { s.count(func(st *Stats) { st.InFlight-- }) }
