package rekognitionsim

import (
	"errors"
	"io"
	"net/http"
	"time"

	"reauth/internal/sandbox/fault"
	"reauth/internal/sandbox/vendorsim"
)

// compareFaces serves the only operation. What is wrong with a call is found in
// the order of a gateway, an authenticator and a service: address, signature,
// quota, permission, request, pictures.
func (s *Simulator) compareFaces(w http.ResponseWriter, r *http.Request) {
	knobs := s.Knobs()
	s.count(func(st *Stats) { st.Calls++; st.Enter() })
	defer s.count(func(st *Stats) { st.Leave() })

	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		s.refuse(w, entityTooLarge)
		return
	case err != nil:
		return // the caller has gone
	case r.Method != http.MethodPost || r.URL.Path != "/" || r.Header.Get("X-Amz-Target") != operation || r.Header.Get("Content-Type") != contentType:
		s.refuse(w, unknownOperation)
		return
	}
	errorType := knobs.authenticate(r, body, time.Now())
	if errorType == "" && !s.admit(knobs.PerSecond) {
		errorType = overThroughput
	}
	if errorType == "" && knobs.DenyAccess {
		errorType = accessDenied
	}
	var call request
	if errorType == "" {
		call, errorType = readRequest(body)
	}
	if errorType != "" {
		s.refuse(w, errorType)
		return
	}
	s.compare(w, r, call, knobs)
}

// admit counts a comparison against the quota.
func (s *Simulator) admit(perSecond int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.meter.Admit(time.Now(), perSecond) {
		return true
	}
	s.stats.Refused++
	return false
}

// compare answers a call in which nothing is wrong but perhaps its pictures.
func (s *Simulator) compare(w http.ResponseWriter, r *http.Request, call request, knobs Knobs) {
	selfie, selfieError := s.read(r.Context(), *call.TargetImage, knobs)
	mishap, latency := s.draw(knobs.Health, selfie)
	fault.Wait(latency, s.Closed())
	switch {
	case mishap.Kind == ErrorAnswer:
		s.refuse(w, mishap.Code)
		return
	case mishap.Kind != vendorsim.NoMishap && !mishap.Kind.Committed():
		vendorsim.Fail(w, mishap.Kind, knobs.RetryAfterSeconds, plain)
		return
	}
	reference, errorType := s.read(r.Context(), *call.SourceImage, knobs)
	if errorType == "" {
		errorType = selfieError
	}
	if errorType != "" {
		s.refuse(w, errorType)
		return
	}
	source, found := reference.faces(call.filter()), selfie.faces(call.filter())
	if len(source) == 0 || selfie.script.NoFace {
		s.refuse(w, invalidParameter)
		return
	}
	answer, best := compared(found, source[0], call.threshold())
	s.charge(Comparison{
		Person: selfie.script.Person, Reference: call.SourceImage.place(reference), Similarity: best, At: time.Now().UTC(),
		SelfieBytes: selfie.bytes, SelfieSHA256: selfie.sha256,
	})
	if mishap.Kind != vendorsim.NoMishap {
		vendorsim.Lose(w, r, mishap.Kind, s.Closed(), http.StatusOK, answer, plain)
		return
	}
	write(w, http.StatusOK, answer)
}

// draw decides what the next comparison of a selfie meets: the mishap of its
// script, or else one by the rates, and how long it takes.
func (s *Simulator) draw(health vendorsim.Health, selfie picture) (vendorsim.Mishap, time.Duration) {
	scripted := selfie.script.Mishap
	s.mu.Lock()
	defer s.mu.Unlock()
	mishap, latency := s.chance.Draw(health, selfie.sha256, scripted, scripted.Kind == vendorsim.NoMishap)
	s.stats.Meet(mishap.Kind)
	return mishap, latency
}

func (s *Simulator) charge(c Comparison) {
	s.books.Lock()
	defer s.books.Unlock()
	s.ledger.Add(&c)
	s.count(func(st *Stats) { st.Charged++ })
}
