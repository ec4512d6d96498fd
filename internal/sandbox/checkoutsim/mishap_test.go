package checkoutsim

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/sandbox/fault"
	"reauth/internal/sandbox/vendorsim"
	"reauth/internal/sandbox/vendorsim/vendorsimtest"
)

func TestALostAnswerLeavesWhatWasDone(t *testing.T) {
	for mishap, status := range map[string]int{"504": 504, "badjson": 201, "reset": 0, "hang": 0} {
		synctest.Test(t, func(t *testing.T) {
			s := setup(t, nil)
			applicant := "aplt_approve_create_" + mishap + "_attempt_" + mishap + "_1"
			call := func(path, body string) reply {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				return do(s, request(ctx, http.MethodPost, path, body))
			}
			first := call("/face-authentications", createBody(applicant))
			if first.status != status || first.aborted != (status == 0) || strings.HasSuffix(first.body, "}") {
				t.Errorf("%s: create: %d %q (aborted %t), want %d", mishap, first.status, first.body, first.aborted, status)
			}
			if st := s.Stats(); st.Created != 1 || st.Unattempted != 1 || st.Mishaps[vendorsim.MishapKind(mishap)] != 1 {
				t.Errorf("%s: %d created, %d unattempted, mishaps %v", mishap, st.Created, st.Unattempted, st.Mishaps)
			}
			path := made(t, s, applicant)
			if got := call(path+"/attempts", attemptBodyText); got.status != status || got.aborted != (status == 0) {
				t.Errorf("%s: attempt: %d", mishap, got.status)
			}
			list := parse[struct{ Data []attemptBody }](t, get(s, path+"/attempts")).Data
			if len(list) != 1 || list[0].Status != AttemptPending {
				t.Errorf("%s: attempts %+v, want the one whose answer was lost", mishap, list)
			}
			attempted(t, s, path)
			if st := s.Stats(); st.AttemptsWhileLive != 1 || st.Duplicates != 1 {
				t.Errorf("%s: %d while live, %d duplicates", mishap, st.AttemptsWhileLive, st.Duplicates)
			}
		})
	}
}

func TestMishapsBeforeTheActLeaveNothing(t *testing.T) {
	for mishap, status := range map[string]int{"429": 429, "429bare": 429, "500": 500, "502": 502, "503": 503, "resetearly": 0} {
		s := setup(t, func(c *Config) { c.Knobs.RetryAfterSeconds = 7 })
		applicant := "aplt_approve_create_" + mishap + "_get_" + mishap + "_twice"
		got := post(s, "/face-authentications", createBody(applicant))
		if got.status != status || got.aborted != (status == 0) || (got.header.Get("Retry-After") == "7") != (mishap == "429") || strings.HasPrefix(got.body, "{") {
			t.Errorf("%s: %d %q, Retry-After %q", mishap, got.status, got.body, got.header.Get("Retry-After"))
		}
		if n := s.Stats().Created; n != 0 {
			t.Errorf("%s: %d created", mishap, n)
		}
		path := made(t, s, applicant)
		for _, want := range []int{status, status, 200} {
			if got := get(s, path); got.status != want {
				t.Errorf("%s: get: %d, want %d", mishap, got.status, want)
			}
		}
	}
}

func TestIdempotencyIsNotHonoured(t *testing.T) {
	s := setup(t, nil)
	ids := map[string]bool{}
	for _, c := range [][2]string{{"aplt_1", "k"}, {"aplt_1", "k"}, {"aplt_1", "l"}, {"aplt_2", "k"}, {"aplt_2", ""}, {"aplt_2", ""}, {"aplt_1", "k"}} {
		r := request(context.Background(), http.MethodPost, "/face-authentications", createBody(c[0]))
		if c[1] != "" {
			r.Header.Set("Cko-Idempotency-Key", c[1])
		}
		ids[parse[wireAuthentication](t, do(s, r)).ID] = true
	}
	groups := ""
	for _, g := range s.Duplicates() {
		groups += fmt.Sprintf("%d of %s %q ", len(g), g[0].ApplicantID, g[0].Key)
	}
	if st := s.Stats(); len(ids) != 7 || st.Created != 7 || st.Duplicates != 3 || groups != `3 of aplt_1 "k" 2 of aplt_2 "" ` {
		t.Errorf("%d ids, %d created, %d duplicates: %s", len(ids), st.Created, st.Duplicates, groups)
	}
}

func TestReadsAndWritesHaveTheirOwnLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, func(c *Config) { c.Knobs.ReadsPerSecond, c.Knobs.WritesPerSecond = 3, 2 })
		path := made(t, s, "aplt_manual")
		time.Sleep(time.Second - 1)
		var got []int
		for range 3 {
			got = append(got, get(s, path).status, post(s, path+"/attempts", attemptBodyText).status)
		}
		if text := fmt.Sprint(got); text != "[200 201 200 429 200 429]" {
			t.Errorf("statuses %s", text)
		}
		time.Sleep(time.Second)
		if got := post(s, path+"/attempts", attemptBodyText); got.status != 201 || got.header.Get("Retry-After") != "" {
			t.Errorf("a second later: %d", got.status)
		}
		st := s.Stats()
		if st.ReadsRefused != 0 || st.WritesRefused != 2 || st.Refused != 2 || st.PeakReads != 3 || st.PeakWrites != 4 || st.Attempts != 2 {
			t.Errorf("%+v", st)
		}
		adjust(t, s, func(k *Knobs) { k.ReadsPerSecond, k.RetryAfterSeconds = 1, 3 })
		get(s, path)
		if got := get(s, path); got.status != 429 || got.header.Get("Retry-After") != "3" || s.Stats().ReadsRefused != 1 {
			t.Errorf("reads: %d", got.status)
		}
	})
}

func TestGatewayWaitsForNoBooks(t *testing.T) {
	s := setup(t, func(c *Config) { c.Knobs.WritesPerSecond = 1 })
	vendorsimtest.GatewayWaitsForNoBooks(t, &s.books, http.StatusTooManyRequests, http.StatusCreated, func(int) int { return post(s, "/face-authentications", createBody("aplt_manual")).status })
}

func TestLatencyOutageAndRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, func(c *Config) { c.Knobs.Latency = delay("300ms") })
		begun := time.Now()
		path := made(t, s, "aplt_manual")
		if took := time.Since(begun); took != 300*time.Millisecond {
			t.Errorf("took %s", took)
		}
		adjust(t, s, func(k *Knobs) { k.ErrorRate = 1 })
		if got := get(s, path); got.status < 500 {
			t.Errorf("at an error rate of 1: %d", got.status)
		}
		adjust(t, s, func(k *Knobs) { k.Outage = fault.ServerError })
		if got := grant(s, false); got.status != 500 || s.Stats().Outage != 1 {
			t.Errorf("outage: %d", got.status)
		}
		adjust(t, s, func(k *Knobs) { k.Outage, k.ErrorRate = fault.NoOutage, 0 })
		if st := s.Stats(); st.InFlight != 0 || st.PeakInFlight != 1 {
			t.Errorf("%d in flight, at most %d", st.InFlight, st.PeakInFlight)
		}
	})
}
