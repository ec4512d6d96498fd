package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"reauth/internal/sandbox/argossim"
	"reauth/internal/sandbox/s3sim"
)

// maxKnobBytes bounds the body of PUT /knobs.
const maxKnobBytes = 64 << 10

// adminHandler serves the admin API of the package comment.
func adminHandler(argos *argossim.Simulator, s3 *s3sim.Simulator) http.Handler {
	mux := http.NewServeMux()
	knobs := func() any { return map[string]any{"argos": argos.Knobs(), "s3": s3.Knobs()} }
	mux.HandleFunc("GET /knobs", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, knobs()) })
	mux.HandleFunc("PUT /knobs", func(w http.ResponseWriter, r *http.Request) {
		if err := turn(http.MaxBytesReader(w, r.Body, maxKnobBytes), argos, s3); err != nil {
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
		writeJSON(w, http.StatusOK, knobs())
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"argos": argos.Stats(), "s3": s3.Stats()})
	})
	mux.HandleFunc("GET /ledger", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, argos.Charged(r.URL.Query().Get("submission")))
	})
	mux.HandleFunc("GET /duplicates", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, argos.Duplicates())
	})
	mux.HandleFunc("POST /reset", func(w http.ResponseWriter, _ *http.Request) {
		argos.Reset()
		s3.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

// turn changes the knobs that body names, all of them or none.
func turn(body io.Reader, argos *argossim.Simulator, s3 *s3sim.Simulator) error {
	var change struct {
		Argos json.RawMessage `json:"argos"`
		S3    json.RawMessage `json:"s3"`
	}
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&change); err != nil {
		return fmt.Errorf("reading knobs: %w", err)
	}
	return argos.Adjust(func(a *argossim.Knobs) error {
		if err := errors.Join(merge(change.Argos, a), a.Validate()); err != nil {
			return fmt.Errorf("argos: %w", err)
		}
		err := s3.Adjust(func(k *s3sim.Knobs) error { return merge(change.S3, k) })
		if err != nil {
			return fmt.Errorf("s3: %w", err)
		}
		return nil
	})
}

// merge sets the fields of knobs that change names; an empty change names none.
func merge(change json.RawMessage, knobs any) error {
	if len(change) == 0 {
		return nil
	}
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
