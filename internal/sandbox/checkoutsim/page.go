package checkoutsim

import (
	"html/template"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

// form is the page behind a link, for playing by hand.
var form = template.Must(template.New("capture").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Face authentication (sandbox)</title>
<h1>Face authentication (sandbox)</h1>
<p>{{.Applicant}}: {{.Status}}</p>
<form method="post">
<button name="do" value="start">Start the camera</button>
<button name="do" value="capture">Show the face</button>
<button name="do" value="abort">Leave</button>
<button name="do" value="refuse">Refuse</button>
</form>
</html>
`))

// page is GET /capture/{token}: it opens the link.
func (s *Simulator) page(w http.ResponseWriter, r *http.Request) {
	s.visit(w, r, func(at *attempt) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		// The page goes to whoever asked, so an error means that they left.
		_ = form.Execute(w, struct {
			Applicant string
			Status    AttemptStatus
		}{at.of.applicant, at.status})
	})
}

// act is POST /capture/{token}: what the person does. Without do they show the
// face. After that they are sent where the attempt said.
func (s *Simulator) act(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	do := r.PostFormValue("do")
	s.visit(w, r, func(at *attempt) {
		switch do {
		case "start":
			s.start(at)
			http.Redirect(w, r, r.URL.Path, http.StatusSeeOther)
			return
		case "abort":
			s.start(at)
			s.abort(at, codeDropped)
		case "refuse":
			s.refuse(at)
		case "", "capture":
			s.start(at)
			s.capture(at)
		default:
			plain(w, http.StatusBadRequest)
			return
		}
		http.Redirect(w, r, back(at), http.StatusSeeOther)
	})
}

// visit opens the link in the path and does something with books held.
func (s *Simulator) visit(w http.ResponseWriter, r *http.Request, do func(*attempt)) {
	s.books.Lock()
	defer s.books.Unlock()
	at := s.links[r.PathValue("token")]
	if at == nil {
		plain(w, http.StatusNotFound)
		return
	}
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = r.RemoteAddr
	}
	if !s.open(at, session{IPAddress: address, UserAgent: r.UserAgent()}) {
		plain(w, http.StatusGone)
		return
	}
	do(at)
}

// back is where the browser goes at the end. All of it can be made up by the
// person: it says nothing about the verdict.
func back(at *attempt) string {
	u, err := url.Parse(at.redirectURL)
	if err != nil {
		panic(err) // a bug: it was read before
	}
	query := u.Query()
	query.Set("id", at.of.id)
	query.Set("event", eventPrefix+eventOf[at.status])
	if len(at.codes) > 0 {
		query.Set("response_code", strconv.Itoa(at.codes[0]))
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// eventOf names the events that a person can bring about.
var eventOf = map[AttemptStatus]string{
	AttemptChecks:  "capture_completed",
	AttemptAborted: "capture_aborted",
	AttemptRefused: "capture_refused",
}
