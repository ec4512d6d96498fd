package facekisim

import (
	"errors"
	"net/http"
	"time"

	"reauth/internal/sandbox/fault"
	"reauth/internal/sandbox/vendorsim"
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
			vendorsim.Throttle(w, knobs.RetryAfterSeconds, plain)
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
	mishap, latency := s.draw(knobs.Health, p.sha256, script.Mishap)
	fault.Wait(latency, s.Closed())
	switch {
	case mishap.Kind != vendorsim.NoMishap && !mishap.Kind.Committed():
		s.fail(w, api, knobs, mishap)
		return
	case !p.whole:
		s.refuse(w, api, faceNotFound, knobs.ErrorStatus)
		return
	case !s.charge(p, script, knobs.Allowance):
		s.refuse(w, api, limitReached, knobs.ErrorStatus)
		return
	}
	s.answer(w, r, api, script, mishap.Kind, knobs)
}

// draw decides what the next search with a picture meets: the mishap of its
// script, or else one by the rates, and how long it takes.
func (s *Simulator) draw(health vendorsim.Health, picture string, scripted vendorsim.Mishap) (vendorsim.Mishap, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mishap, latency := s.chance.Draw(health, picture, scripted, scripted.Kind == vendorsim.NoMishap)
	s.stats.Meet(mishap.Kind)
	return mishap, latency
}

// fail answers a call whose mishap comes before the search.
func (s *Simulator) fail(w http.ResponseWriter, api dialect, knobs Knobs, m vendorsim.Mishap) {
	if m.Kind != ErrorAnswer {
		vendorsim.Fail(w, m.Kind, knobs.RetryAfterSeconds, plain)
		return
	}
	status := knobs.ErrorStatus
	if m.Status > 0 {
		status = m.Status
	}
	s.refuse(w, api, m.Code, status)
}

// charge makes the search, unless the allowance is used up.
func (s *Simulator) charge(p *picture, script Script, allowance int) (charged bool) {
	s.books.Lock()
	defer s.books.Unlock()
	s.count(func(st *Stats) {
		if charged = allowance == 0 || st.Charged < allowance; charged {
			st.Charged++
			st.Found[script.Find]++
		}
	})
	if charged {
		s.ledger.Add(&Search{
			Reference: script.Reference, Found: script.Find, At: time.Now().UTC(), ImageBytes: p.bytes, ImageSHA256: p.sha256,
		})
	}
	return charged
}

// answer tells the caller what was found, or does not.
func (s *Simulator) answer(w http.ResponseWriter, r *http.Request, api dialect, script Script, k vendorsim.MishapKind, knobs Knobs) {
	switch {
	case k != vendorsim.NoMishap:
		vendorsim.Lose(w, r, k, s.Closed(), http.StatusOK, api.found(script, knobs.PersonalBytes), plain)
	case script.Find == FindNobody8013:
		s.refuse(w, api, dataNotFound, knobs.ErrorStatus)
	case script.Find == FindNobody404:
		s.refuse(w, api, dataNotFound, http.StatusNotFound)
	default:
		vendorsim.WriteJSON(w, http.StatusOK, api.found(script, knobs.PersonalBytes))
	}
}

// refuse answers with a coded error.
func (s *Simulator) refuse(w http.ResponseWriter, api dialect, code string, status int) {
	s.count(func(st *Stats) { st.Errors[code]++ })
	vendorsim.WriteJSON(w, status, api.erred(code))
}

// arrive counts a search in, and says whether it is one too many.
func (s *Simulator) arrive() (knobs Knobs, over bool) {
	knobs = s.Knobs()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Calls++
	s.stats.Enter()
	over = !s.meter.Admit(time.Now(), knobs.PerSecond)
	if over {
		s.stats.Refused++
	}
	return knobs, over
}

func (s *Simulator) leave() { s.count(func(st *Stats) { st.Leave() }) }

func (s *Simulator) count(change func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.stats)
}
