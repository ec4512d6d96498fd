package faceki

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"reauth/internal/event"
	"reauth/internal/sandbox/facekisim"
	"reauth/internal/sandbox/s3sim"
	"reauth/internal/vendors"
)

// simulate returns an adapter in front of a simulated vendor.
func simulate(t *testing.T, version APIVersion, change func(*facekisim.Knobs)) (*Adapter, *facekisim.Simulator) {
	t.Helper()
	knobs := facekisim.DefaultKnobs()
	knobs.ClientID, knobs.ClientSecret = "client-1", secretText
	change(&knobs)
	sim, err := facekisim.New(facekisim.Config{Knobs: knobs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	return serveVersion(t, version, sim.ServeHTTP), sim
}

// scripted returns a call for the person of the golden answers with the picture
// that the simulated store has under the name.
func scripted(t *testing.T, name string) vendors.Call {
	t.Helper()
	store, err := s3sim.New(s3sim.Config{Knobs: s3sim.Knobs{AllowAnonymous: true}, Buckets: []string{"selfies"}})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	w := httptest.NewRecorder()
	store.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/selfies/"+name, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("selfie %s: %d", name, w.Code)
	}
	return call(reference, picture(w.Body.Bytes()))
}

func TestSimulatedVendor(t *testing.T) {
	for version, wants := range map[APIVersion]map[string]string{
		V2: {
			"": "approved", "-again": "approved", "-other": "rejected matched_other_person", "-two": "rejected ambiguous",
			"-deleted": "rejected record_not_active", "-review": "rejected record_not_active", "-stray": "rejected inconsistent",
			"-norecords": "rejected no_record", "-nomatch": "rejected no_match", "-nomatch8013": "rejected no_match", "-nomatch404": "rejected no_match",
		},
		Blaze: {
			"": "approved", "-other": "rejected matched_other_person", "-two": "rejected ambiguous", "-declined": "rejected record_not_active",
			"-nomatch": "rejected no_match", "-nomatch404": "rejected no_match",
		},
	} {
		for _, both := range []map[string]string{wants, {
			"-code8017": "lane_fault 8017", "-code8018-http400": "unusable multiple_faces", "-429": "throttled ", "-500": "transient , unknown",
			"-502": "transient , unknown", "-504": "transient , unknown", "-badjson": "transient unreadable_answer, unknown", "-reset": "transient , unknown",
			"-truncated": "unusable no_face",
		}} {
			for script, want := range both {
				a, sim := simulate(t, version, func(k *facekisim.Knobs) { k.PersonalBytes = 100 << 10 })
				v, err := a.Authenticate(t.Context(), scripted(t, "face-"+reference+script+".jpg"))
				if got := summary(t, v, err); got != want {
					t.Errorf("%s %q: %s, want %s", version, script, got, want)
				}
				if spillsCanary(fmt.Sprintf("%+v %+v", v, err)) {
					t.Errorf("%s %q: personal data in %+v or %v", version, script, v, err)
				}
				if err := a.Check(t.Context()); err != nil {
					t.Errorf("%s: check: %v", version, err)
				}
				if n := sim.Stats().Calls; n != 1 {
					t.Errorf("%s %q: %d searches for one attempt", version, script, n)
				}
			}
		}
	}
}

// TestTokensAreNotFetchedPerRequest counts them at the vendor.
func TestTokensAreNotFetchedPerRequest(t *testing.T) {
	for _, version := range []APIVersion{V2, Blaze} {
		a, sim := simulate(t, version, func(*facekisim.Knobs) {})
		var all sync.WaitGroup
		for n := range 40 {
			c := scripted(t, fmt.Sprintf("face-%s-%d-3KB.jpg", reference, n))
			all.Go(func() {
				if v, err := a.Authenticate(t.Context(), c); err != nil || v.Outcome != event.Approved {
					t.Errorf("%v, %v", v, err)
				}
			})
		}
		all.Wait()
		if st := sim.Stats(); st.Tokens != 1 || st.Charged != 40 || st.Unauthorized != 0 {
			t.Errorf("%s: %d tokens for %d searches, %d refused", version, st.Tokens, st.Charged, st.Unauthorized)
		}
	}
}

// TestRevokedTokenCostsOneRepeat: with the vendor's own clock and one that says
// that the token is good for long.
func TestRevokedTokenCostsOneRepeat(t *testing.T) {
	a, sim := simulate(t, V2, func(k *facekisim.Knobs) { k.RevokeAfter = 3 })
	refused := 0
	for n := range 12 {
		v, err := a.Authenticate(t.Context(), scripted(t, fmt.Sprintf("face-%s-%d-3KB.jpg", reference, n)))
		if err == nil && v.Outcome == event.Approved {
			continue
		}
		if e := fault(t, err); e.Kind != vendors.Transient || e.Unknown || e.Code != codeTokenRefused {
			t.Fatalf("call %d: %v (unknown %v)", n, e, e.Unknown)
		}
		refused++
	}
	// Three searches, then a refused one, and so on.
	if st := sim.Stats(); refused != 3 || st.Tokens != 3 || st.Charged != 9 {
		t.Errorf("%d refused, %d tokens, %d charged, want 3, 3, 9", refused, st.Tokens, st.Charged)
	}
}

// TestShortTokensAreRenewedBeforeTheyEnd: no call is ever refused for its token.
func TestShortTokensAreRenewedBeforeTheyEnd(t *testing.T) {
	a, sim := simulate(t, V2, func(k *facekisim.Knobs) { k.TokenSeconds = 100 })
	began, skipped := time.Now(), time.Duration(0)
	a.now = func() time.Time { return began.Add(skipped) }
	for range 5 {
		for range 4 {
			if v, err := a.Authenticate(t.Context(), scripted(t, "face-"+reference+"-3KB.jpg")); err != nil || v.Outcome != event.Approved {
				t.Fatalf("%v, %v", v, err)
			}
		}
		skipped += 81 * time.Second
	}
	if st := sim.Stats(); st.Tokens != 5 || st.Unauthorized != 0 {
		t.Errorf("%d tokens, %d refused, want 5 and none", st.Tokens, st.Unauthorized)
	}
}

func TestSimulatedLaneFaults(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*facekisim.Knobs)
		want   []string
	}{
		"wrong secret":  {func(k *facekisim.Knobs) { k.ClientSecret = "another" }, []string{"lane_fault ", "lane_fault "}},
		"tokens no use": {func(k *facekisim.Knobs) { k.RefuseTokens = true }, []string{"transient token_refused", "lane_fault token_refused"}},
		"used up":       {func(k *facekisim.Knobs) { k.Allowance, k.ErrorStatus = 1, 422 }, []string{"approved", "lane_fault 8017", "lane_fault 8017"}},
	} {
		a, _ := simulate(t, V2, c.change)
		for n, want := range c.want {
			v, err := a.Authenticate(t.Context(), scripted(t, fmt.Sprintf("face-%s-%d-3KB.jpg", reference, n)))
			if got := summary(t, v, err); got != want {
				t.Errorf("%s, call %d: %s, want %s", name, n+1, got, want)
			}
		}
	}
}
