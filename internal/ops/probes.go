package ops

import (
	"encoding/json"
	"net/http"
)

// Condition is one thing that must hold for the service to be ready.
type Condition struct {
	// Name is constant: "group", "vendor argos".
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Optional conditions are shown, and decide nothing: a paused lane is
	// worth knowing, but a rollout must not wait for the vendor.
	Optional bool `json:"optional,omitempty"`
	// Reason says why it does not hold, or what is the case. Whoever can
	// reach the listener reads it: no secret, no personal data.
	Reason string `json:"reason,omitempty"`
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready      bool        `json:"ready"`
	Conditions []Condition `json:"conditions"`
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	answer := readiness{Ready: true, Conditions: []Condition{}}
	if s.config.Ready != nil {
		answer.Conditions = append(answer.Conditions, s.config.Ready()...)
	}
	for _, c := range answer.Conditions {
		answer.Ready = answer.Ready && (c.OK || c.Optional)
	}
	status := http.StatusOK
	if !answer.Ready {
		status = http.StatusServiceUnavailable
	}
	body, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	reply(w, status, "application/json", append(body, '\n'))
}

func (s *Server) livez(w http.ResponseWriter, _ *http.Request) {
	if s.config.Live != nil {
		if err := s.config.Live(); err != nil {
			s.config.Logger.Error("not alive", "error", err)
			reply(w, http.StatusServiceUnavailable, "text/plain; charset=utf-8", []byte(err.Error()+"\n"))
			return
		}
	}
	reply(w, http.StatusOK, "text/plain; charset=utf-8", []byte("ok\n"))
}

func reply(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
