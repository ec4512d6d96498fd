package argossim

import (
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"reauth/internal/sandbox/fault"
	"reauth/internal/sandbox/vendorsim"
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

	mishap, latency := s.draw(knobs.Health, f.submissionID, script.Mishap)
	fault.Wait(latency, s.Closed())
	if mishap.Kind != vendorsim.NoMishap && !mishap.Kind.Committed() {
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

	made := resultOf(s.charge(f, script.Verdict))
	if mishap.Kind != vendorsim.NoMishap {
		vendorsim.Lose(w, r, mishap.Kind, s.Closed(), http.StatusOK, made, plain)
		return
	}
	vendorsim.WriteJSON(w, http.StatusOK, made)
}

// draw decides what the next call for a submission meets: the mishap of its
// script, or else one by the rates, and how long it takes.
func (s *Simulator) draw(health vendorsim.Health, submissionID string, scripted vendorsim.Mishap) (vendorsim.Mishap, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mishap, latency := s.chance.Draw(health, submissionID, scripted, true)
	s.stats.Meet(mishap.Kind)
	return mishap, latency
}

// fail answers a call whose mishap comes before the authentication.
func (s *Simulator) fail(w http.ResponseWriter, knobs Knobs, submissionID string, m vendorsim.Mishap) {
	if m.Kind == ErrorAnswer {
		s.refuse(w, knobs, submissionID, m.Code)
		return
	}
	vendorsim.Fail(w, m.Kind, knobs.RetryAfterSeconds, plain)
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
	s.books.Lock()
	defer s.books.Unlock()
	// create_time has milliseconds, and the list pages by it.
	a.At = time.Now().UTC().Truncate(time.Millisecond)
	s.ledger.add(a)
	s.count(func(st *Stats) {
		st.Charged++
		if v.Approved() {
			st.Approved++
		} else {
			st.Rejected++
		}
	})
	return a
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

func (s *Simulator) enter() { s.count(func(st *Stats) { st.Enter() }) }

func (s *Simulator) leave() { s.count(func(st *Stats) { st.Leave() }) }
