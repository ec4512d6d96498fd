package checkout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/vendors"
)

// gallery is the vendor's lists, and elsewhere where its pictures are. It is for
// one goroutine.
type gallery struct {
	t        *testing.T
	attempts int
	assets   func(attempt string) []string // forms
	link     string                        // of every picture, but for its name
	picture  http.HandlerFunc

	listed, fetched []string // requests, of the API and to pictures
	turns           int
}

func (g *gallery) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set("Cko-Request-Id", "request-1")
	if r.Header.Get("Authorization") != "Bearer "+keyText {
		g.t.Errorf("%s without our key", r.URL.Path)
	}
	g.listed = append(g.listed, r.URL.RequestURI())
	var skip, limit int
	if _, err := fmt.Sscanf(r.URL.RawQuery, "skip=%d&limit=%d", &skip, &limit); err != nil {
		g.t.Errorf("query %q", r.URL.RawQuery)
	}
	var all []string
	if strings.HasSuffix(r.URL.Path, "/assets") {
		all = g.assets(strings.Split(r.URL.Path, "/")[4])
	} else {
		for i := range g.attempts {
			all = append(all, (&hostedAttempt{ID: fmt.Sprint("fatp_", i+1), status: completed, created: theStart}).form())
		}
	}
	page := all[min(skip, len(all)):min(skip+limit, len(all))]
	say(w, 200, fmt.Sprintf(`{"total_count":%d,"skip":%d,"limit":%d,"data":[%s]}`, len(all), skip, limit, strings.Join(page, ",")))
	return w.Result(), nil
}

// afar is the transport to pictures.
type afar struct{ *gallery }

func (e afar) RoundTrip(r *http.Request) (*http.Response, error) {
	e.fetched = append(e.fetched, r.URL.Host)
	for name, values := range r.Header {
		if strings.Contains(strings.Join(values, " "), keyText) || name == "Authorization" || name == "Cookie" {
			e.t.Errorf("%s went to %s", name, r.URL.Host)
		}
	}
	w := httptest.NewRecorder()
	e.picture(w, r)
	return w.Result(), nil
}

func asset(kind, link string) string {
	return fmt.Sprintf(`{"type":%q,"_links":{"asset_url":{"href":%q}}}`, kind, link)
}

func (g *gallery) adapter(change func(*Config)) *Adapter {
	c := Config{
		SecretKey: secretKey, UserJourneyID: journey,
		Client: &http.Client{Transport: g}, AssetClient: &http.Client{Transport: afar{g}},
	}
	if change != nil {
		change(&c)
	}
	a, err := New(c)
	if err != nil {
		g.t.Fatal(err)
	}
	return a
}

func (g *gallery) turn(ctx context.Context, do func(context.Context) error) error {
	g.turns++
	return do(ctx)
}

const signedLink = "https://pictures.example/canary-face?signature=canary"

func newGallery(t *testing.T) *gallery {
	g := &gallery{t: t, attempts: 1, link: signedLink}
	g.assets = func(string) []string { return []string{asset("face_image", g.link)} }
	g.picture = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = io.WriteString(w, "canary-bytes")
	}
	return g
}

func TestPicturesOfAllAttemptsAndPagesAreFound(t *testing.T) {
	g := newGallery(t)
	g.attempts = pageSize + 1
	g.assets = func(attempt string) (all []string) {
		if attempt != "fatp_21" {
			return []string{asset("face_video", g.link), asset("document_front_image", g.link), asset("face_image", g.link)}
		}
		for range 2*pageSize + 3 {
			all = append(all, asset("face_image", g.link))
		}
		return all
	}
	a := g.adapter(nil)
	pictures, err := a.Pictures(t.Context(), "fav_1", g.turn)
	if err != nil {
		t.Fatal(err)
	}
	// Two pages of attempts, a page of assets for each but the last, three for that.
	if n := pageSize + 2*pageSize + 3; len(pictures) != n || g.turns != 2+pageSize+3 || len(g.listed) != g.turns {
		t.Errorf("%d pictures in %d requests and %d turns", len(pictures), len(g.listed), g.turns)
	}
	names := map[string]bool{}
	for _, p := range pictures {
		names[p.Attempt+"/"+p.Name] = true
	}
	if len(names) != len(pictures) || !names["fatp_1/face_image-1"] || !names["fatp_21/face_image-43"] {
		t.Errorf("names %v", names)
	}

	documents := g.adapter(func(c *Config) { c.AssetTypes = []string{"document_front_image"} })
	pictures, err = documents.Pictures(t.Context(), "fav_1", g.turn)
	if err != nil || len(pictures) != pageSize || pictures[0].Name != "document_front_image-1" {
		t.Errorf("%d documents where those are asked for, %v", len(pictures), err)
	}
}

func TestPictureIsFetchedWithoutOurKey(t *testing.T) {
	g := newGallery(t)
	pictures, err := g.adapter(nil).Pictures(t.Context(), "fav_1", g.turn)
	if err != nil || len(pictures) != 1 {
		t.Fatal(pictures, err)
	}
	turns := g.turns
	body, size, err := pictures[0].Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	content, err := io.ReadAll(body)
	if err != nil || string(content) != "canary-bytes" || size != -1 {
		t.Errorf("%q of %d bytes, %v", content, size, err)
	}
	if diff := cmp.Diff([]string{"pictures.example"}, g.fetched); diff != "" || g.turns != turns {
		t.Errorf("fetched from %v, with %d turns: a picture is no call of the API", g.fetched, g.turns-turns)
	}
	if text := fmt.Sprintf("%v %+v", pictures, pictures); strings.Contains(text, "canary") {
		t.Errorf("a picture prints as %s", text)
	}
}

func TestLinksLeadOnlyWhereTheyMay(t *testing.T) {
	for _, tt := range []struct {
		link  string
		hosts []string
		base  string
		may   bool
	}{
		{link: signedLink, may: true},
		{link: "https://identity-verification.checkout.com/x", hosts: []string{"cdn.example"}, may: true},
		{link: "https://cdn.example/x", hosts: []string{"cdn.example"}, may: true},
		{link: "https://CDN.example:8443/x", hosts: []string{"cdn.example"}, may: true},
		{link: "https://eu.cdn.example/x", hosts: []string{".cdn.example"}, may: true},
		{link: "https://eu.cdn.example/x", hosts: []string{"cdn.example"}},
		{link: "https://evilcdn.example/x", hosts: []string{".cdn.example"}},
		{link: signedLink, hosts: []string{"cdn.example"}},
		{link: "https://169.254.169.254/latest", may: false},
		{link: "https://[::1]/x"},
		{link: "https://localhost/x"},
		{link: "https://10.0.0.7/x", hosts: []string{"10.0.0.7"}, may: true},
		{link: "http://127.0.0.1:8080/x"},
		{link: "http://127.0.0.1:8080/x", base: "http://127.0.0.1:9103", may: true},
		{link: "http://127.0.0.2:8080/x", base: "http://127.0.0.1:9103"},
		{link: "http://127.0.0.1:8080/x", base: "https://127.0.0.1:9103"},
	} {
		g := newGallery(t)
		g.link = tt.link
		a := g.adapter(func(c *Config) { c.AssetHosts, c.BaseURL = tt.hosts, tt.base })
		pictures, err := a.Pictures(t.Context(), "fav_1", g.turn)
		if err != nil || len(pictures) != 1 {
			t.Errorf("%s: %v", tt.link, err)
			continue
		}
		body, _, err := pictures[0].Open(t.Context())
		if err == nil {
			_ = body.Close()
		}
		var e *vendors.Error
		switch {
		case tt.may && err != nil, tt.may && len(g.fetched) != 1:
			t.Errorf("%s with %v: %v", tt.link, tt.hosts, err)
		case !tt.may && (!errors.As(err, &e) || e.Kind != vendors.Refused || e.Code != codeHost || len(g.fetched) != 0):
			t.Errorf("%s with %v: %v, fetched from %v", tt.link, tt.hosts, err, g.fetched)
		}
	}
}

func TestFaultsOfLinksShowNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		picture http.HandlerFunc
		code    string
	}{
		"ended": {saying(403, `<Error><Code>AccessDenied</Code>canary</Error>`), codeLink},
		"gone":  {saying(404, ""), codeLink},
		"a web": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://canary.example/", http.StatusFound)
		}, codeLink},
		"its error": {saying(200, `{"error":"canary"}`), codeNoPicture},
	} {
		g := newGallery(t)
		g.picture = tt.picture
		pictures, err := g.adapter(nil).Pictures(t.Context(), "fav_1", g.turn)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = pictures[0].Open(t.Context())
		var e *vendors.Error
		if !errors.As(err, &e) || e.Kind != vendors.Transient || e.Code != tt.code || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "pictures.example") {
			t.Errorf("%s: %v", name, err)
		}
		if len(g.fetched) != 1 {
			t.Errorf("%s: fetched from %v, want one request and no redirect followed", name, g.fetched)
		}
	}
}

func TestListsThatAreNotTheVendorsEnd(t *testing.T) {
	g := newGallery(t)
	g.attempts = 100 * pageSize
	if _, err := g.adapter(nil).Pictures(t.Context(), "fav_1", g.turn); err == nil || len(g.listed) > maxPages {
		t.Errorf("%d pages, %v", len(g.listed), err)
	}
	if _, err := g.adapter(nil).Pictures(t.Context(), "../x", g.turn); err == nil {
		t.Error("pictures of no reference")
	}
	broken := errors.New("no turn")
	_, err := g.adapter(nil).Pictures(t.Context(), "fav_1", func(context.Context, func(context.Context) error) error { return broken })
	if !errors.Is(err, broken) {
		t.Errorf("without a turn: %v", err)
	}
}
