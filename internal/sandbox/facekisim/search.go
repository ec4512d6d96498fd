package facekisim

import (
	"errors"
	"net/http"
	"time"

	"reauth/internal/sandbox/fault"
)

// The error codes that the simulator raises by itself.
const (
	needRequiredImages = "8001"
	faceNotFound       = "8006"
	dataNotFound       = "8013"
	limitReached       = "8017"
)

// search serves the search of one generation of the API.
func (s *Simulator) search(api dialect) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		knobs, over := s.arrive()
		defer s.leave()
		if over {
			throttle(w, knobs.RetryAfterSeconds)
			return
		}
		if !s.authorized(w, r) {
			return
		}
		p, err := readPicture(w, r, api.part, knobs.MaxBytes)
		switch {
		case errors.Is(err, errTooLarge):
			s.count(func(st *Stats) { st.Errors["too_large"]++ })
			plainError(w, http.StatusRequestEntityTooLarge, "Payload Too Large")
			return
		case err != nil:
			s.refuse(w, api, needRequiredImages, knobs.ErrorStatus)
			return
		}
		s.searchFor(w, r, api, p, knobs)
	}
}

func (s *Simulator) searchFor(w http.ResponseWriter, r *http.Request, api dialect, p *picture, knobs Knobs) {
	script := ParseScript(p.name)
	mishap, latency := s.draw(p.sha256, script.Mishap)
	fault.Wait(latency, s.closed)
	switch {
	case mishap.Kind != NoMishap && !mishap.Kind.Charged():
		s.fail(w, api, knobs, mishap)
		return
	case !p.whole:
		s.refuse(w, api, faceNotFound, knobs.ErrorStatus)
		return
	case !s.charge(p, script):
		s.refuse(w, api, limitReached, knobs.ErrorStatus)
		return
	}
	s.answer(w, r, api, script, mishap.Kind, knobs)
}

// draw decides what the next search with a picture meets: the mishap of its
// script, or else one by the rates, and how long it takes.
func (s *Simulator) draw(picture string, scripted Mishap) (Mishap, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	latency := s.knobs.Latency.Sample(s.random)
	mishap := Mishap{}
	switch {
	case s.ledger.takeMishap(picture, scripted):
		mishap = scripted
	case scripted.Kind == NoMishap:
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

// fail answers a call whose mishap comes before the search.
func (s *Simulator) fail(w http.ResponseWriter, api dialect, knobs Knobs, m Mishap) {
	switch m.Kind {
	case ErrorAnswer:
		status := knobs.ErrorStatus
		if m.Status > 0 {
			status = m.Status
		}
		s.refuse(w, api, m.Code, status)
	case Throttled:
		throttle(w, knobs.RetryAfterSeconds)
	case ThrottleBare:
		throttle(w, 0)
	case Status500:
		plainError(w, http.StatusInternalServerError, "Internal server error")
	case Status502:
		htmlError(w)
	case Status503:
		plainError(w, http.StatusServiceUnavailable, "Service Unavailable")
	case ResetEarly:
		fault.Reset(w)
	}
}

// charge makes the search, unless the allowance is used up.
func (s *Simulator) charge(p *picture, script Script) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.knobs.Allowance > 0 && s.stats.Charged >= s.knobs.Allowance {
		return false
	}
	s.ledger.add(Search{
		Reference: script.Reference, Found: script.Find, At: time.Now().UTC(), ImageBytes: p.bytes, ImageSHA256: p.sha256,
	})
	s.stats.Charged++
	s.stats.Found[script.Find]++
	return true
}

// answer tells the caller what was found, or does not.
func (s *Simulator) answer(w http.ResponseWriter, r *http.Request, api dialect, script Script, k MishapKind, knobs Knobs) {
	switch k {
	case Hang:
		fault.NeverAnswer(r, s.closed)
	case Reset:
		fault.Reset(w)
	case Status504:
		plainError(w, http.StatusGatewayTimeout, "Gateway Timeout")
	case BadJSON:
		truncatedJSON(w, api.found(script, knobs.PersonalBytes))
	default:
		switch script.Find {
		case FindNobody8013:
			s.refuse(w, api, dataNotFound, knobs.ErrorStatus)
		case FindNobody404:
			s.refuse(w, api, dataNotFound, http.StatusNotFound)
		default:
			writeJSON(w, http.StatusOK, api.found(script, knobs.PersonalBytes))
		}
	}
}

// refuse answers with a coded error.
func (s *Simulator) refuse(w http.ResponseWriter, api dialect, code string, status int) {
	s.count(func(st *Stats) { st.Errors[code]++ })
	writeJSON(w, status, api.erred(code))
}

// arrive counts a search in, and says whether it is one too many.
func (s *Simulator) arrive() (knobs Knobs, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Calls++
	s.stats.InFlight++
	s.stats.PeakInFlight = max(s.stats.PeakInFlight, s.stats.InFlight)

	now := time.Now()
	old := 0
	for old < len(s.arrivals) && now.Sub(s.arrivals[old]) >= time.Second {
		old++
	}
	s.arrivals = append(s.arrivals[old:], now)
	s.stats.PeakPerSecond = max(s.stats.PeakPerSecond, len(s.arrivals))
	over = s.knobs.PerSecond > 0 && len(s.arrivals) > s.knobs.PerSecond
	if over {
		s.stats.Refused++
	}
	return s.knobs, over
}

func (s *Simulator) leave() { s.count(func(st *Stats) { st.InFlight-- }) }

func (s *Simulator) count(change func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.stats)
}
