package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"reauth/internal/sandbox/argossim"
	"reauth/internal/sandbox/facekisim"
	"reauth/internal/sandbox/s3sim"
)

// maxKnobBytes bounds the body of PUT /knobs.
const maxKnobBytes = 64 << 10

// adminHandler serves the admin API of the package comment. faceki is nil when
// there is none.
func adminHandler(argos *argossim.Simulator, s3 *s3sim.Simulator, faceki *facekisim.Simulator) http.Handler {
	mux := http.NewServeMux()
	knobs := func() any {
		all := map[string]any{"argos": argos.Knobs(), "s3": s3.Knobs()}
		if faceki != nil {
			all["faceki"] = faceki.Knobs()
		}
		return all
	}
	mux.HandleFunc("GET /knobs", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, knobs()) })
	mux.HandleFunc("PUT /knobs", func(w http.ResponseWriter, r *http.Request) {
		if err := turn(http.MaxBytesReader(w, r.Body, maxKnobBytes), argos, s3, faceki); err != nil {
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
		writeJSON(w, http.StatusOK, knobs())
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		all := map[string]any{"argos": argos.Stats(), "s3": s3.Stats()}
		if faceki != nil {
			all["faceki"] = faceki.Stats()
		}
		writeJSON(w, http.StatusOK, all)
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
		if faceki != nil {
			faceki.Reset()
		}
		w.WriteHeader(http.StatusNoContent)
	})
	if faceki != nil {
		facekiHandlers(mux, faceki)
	}
	return mux
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

// turn changes the knobs that body names, all of them or none.
func turn(body io.Reader, argos *argossim.Simulator, s3 *s3sim.Simulator, faceki *facekisim.Simulator) error {
	var change struct {
		Argos  json.RawMessage `json:"argos"`
		S3     json.RawMessage `json:"s3"`
		Faceki json.RawMessage `json:"faceki"`
	}
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&change); err != nil {
		return fmt.Errorf("reading knobs: %w", err)
	}
	if faceki == nil && change.Faceki != nil {
		return errors.New("reading knobs: this sandbox has no faceki")
	}
	// Each holds its own back until all that come after it have agreed.
	turnFaceki := func() error {
		if faceki == nil {
			return nil
		}
		if err := faceki.Adjust(func(f *facekisim.Knobs) error { return merge(change.Faceki, f) }); err != nil {
			return fmt.Errorf("faceki: %w", err)
		}
		return nil
	}
	return argos.Adjust(func(a *argossim.Knobs) error {
		if err := errors.Join(merge(change.Argos, a), a.Validate()); err != nil {
			return fmt.Errorf("argos: %w", err)
		}
		return s3.Adjust(func(k *s3sim.Knobs) error {
			if err := errors.Join(merge(change.S3, k), k.Validate()); err != nil {
				return fmt.Errorf("s3: %w", err)
			}
			return turnFaceki()
		})
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
