package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"reauth/internal/sandbox/checkoutsim"
	"reauth/internal/sandbox/facekisim"
	"reauth/internal/sandbox/rekognitionsim"
)

// maxKnobBytes bounds the body of PUT /knobs.
const maxKnobBytes = 64 << 10

// adminHandler serves the admin API of the package comment.
func (s *Sandbox) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /knobs", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, s.each(knobsOf))
	})
	mux.HandleFunc("PUT /knobs", func(w http.ResponseWriter, r *http.Request) {
		if err := turn(http.MaxBytesReader(w, r.Body, maxKnobBytes), s.simulators()); err != nil {
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
		writeJSON(w, http.StatusOK, s.each(knobsOf))
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, s.each(statsOf))
	})
	mux.HandleFunc("GET /ledger", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, s.Argos.Charged(r.URL.Query().Get("submission")))
	})
	mux.HandleFunc("GET /duplicates", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, s.Argos.Duplicates())
	})
	mux.HandleFunc("POST /reset", func(w http.ResponseWriter, _ *http.Request) {
		for _, sim := range s.simulators() {
			sim.reset()
		}
		w.WriteHeader(http.StatusNoContent)
	})
	if s.Faceki != nil {
		facekiHandlers(mux, s.Faceki)
	}
	if s.Checkout != nil {
		checkoutHandlers(mux, s.Checkout)
	}
	if s.Rekognition != nil {
		rekognitionHandlers(mux, s.Rekognition)
	}
	return mux
}

// each asks every simulator, by name.
func (s *Sandbox) each(ask func(simulator) any) map[string]any {
	all := map[string]any{}
	for name, sim := range s.simulators() {
		all[name] = ask(sim)
	}
	return all
}

// facekiHandlers adds what only FACEKI has.
func facekiHandlers(mux *http.ServeMux, faceki *facekisim.Simulator) {
	mux.HandleFunc("GET /faceki/ledger", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, faceki.Charged(r.URL.Query().Get("reference")))
	})
	mux.HandleFunc("GET /faceki/duplicates", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, faceki.Duplicates())
	})
	mux.HandleFunc("POST /faceki/revoke", func(w http.ResponseWriter, _ *http.Request) {
		faceki.Revoke()
		w.WriteHeader(http.StatusNoContent)
	})
}

// checkoutHandlers adds what only Checkout.com has.
func checkoutHandlers(mux *http.ServeMux, checkout *checkoutsim.Simulator) {
	mux.HandleFunc("GET /checkout/ledger", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, checkout.Charged(r.URL.Query().Get("applicant")))
	})
	mux.HandleFunc("GET /checkout/duplicates", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, checkout.Duplicates())
	})
	mux.HandleFunc("POST /checkout/revoke", func(w http.ResponseWriter, _ *http.Request) {
		checkout.Revoke()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /checkout/audit", func(w http.ResponseWriter, r *http.Request) {
		if err := checkout.Audit(r.URL.Query().Get("authentication")); err != nil {
			writeJSON(w, http.StatusNotFound, map[string]string{"error": err.Error()})
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// rekognitionHandlers adds what only Amazon Rekognition has.
func rekognitionHandlers(mux *http.ServeMux, rekognition *rekognitionsim.Simulator) {
	mux.HandleFunc("GET /rekognition/ledger", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, rekognition.Charged(r.URL.Query().Get("person")))
	})
	mux.HandleFunc("GET /rekognition/duplicates", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, rekognition.Duplicates())
	})
}

// turn changes the knobs that body names, all of them or none.
func turn(body io.Reader, simulators map[string]simulator) error {
	var changes map[string]json.RawMessage
	if err := json.NewDecoder(body).Decode(&changes); err != nil {
		return fmt.Errorf("reading knobs: %w", err)
	}
	// Each holds its own change back until all that come after it have agreed.
	apply := func() error { return nil }
	// In one order, for each is locked while those after it are asked.
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		change := changes[name]
		sim, there := simulators[name]
		if !there {
			return fmt.Errorf("reading knobs: this sandbox has no %s", name)
		}
		next := apply
		apply = func() error {
			return sim.turn(func(knobs any, validate func() error) error {
				if err := errors.Join(merge(change, knobs), validate()); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				return next()
			})
		}
	}
	return apply()
}

// merge sets the fields of knobs that change names.
func merge(change json.RawMessage, knobs any) error {
	decoder := json.NewDecoder(bytes.NewReader(change))
	decoder.DisallowUnknownFields()
	return decoder.Decode(knobs)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	// Our own types always encode, so an error means that the caller left.
	_ = encoder.Encode(v)
}
