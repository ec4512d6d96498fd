package argossim

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"reauth/internal/sandbox/vendorsim"
)

// listMost is the largest count of GET /faceauth, and its default.
const listMost = 2000

// projectID is the FaceAuth project that the key belongs to.
const projectID = "faceauth-sandbox"

// item is one authentication in a list. Its names differ from those of the
// answer to POST, as the vendor's do.
type item struct {
	AuthID           string         `json:"auth_id"`
	AuthStatus       string         `json:"auth_status"`
	CreateTime       string         `json:"create_time"`
	SubmitType       string         `json:"submit_type"`
	KYCSubmissionID  string         `json:"kyc_submission_id"`
	DeleteCheck      bool           `json:"delete_check"`
	Policy           map[string]any `json:"policy"`
	Result           map[string]any `json:"result"`
	RejectedComments []string       `json:"reject_comment"`
}

type page struct {
	ProjectID string   `json:"faceAuth_projectId"`
	Data      []item   `json:"data"`
	Next      *pageKey `json:"nextPage_key,omitempty"`
}

type pageKey struct {
	AuthID     string `json:"authId"`
	CreateTime string `json:"createTime"`
}

func itemOf(a Authentication) item {
	return item{
		AuthID:          a.ID,
		AuthStatus:      a.status(),
		CreateTime:      a.At.Format(createTime),
		SubmitType:      "api",
		KYCSubmissionID: a.SubmissionID,
		DeleteCheck:     a.Deleted,
		Policy:          map[string]any{"faceSimilarity_threshold": 70, "occluded_threshold": true},
		Result: map[string]any{
			"face_similarity": a.Score["face_similarity_score"],
			"detectOccluded":  slices.Contains(a.FailCodes, failOccluded),
		},
		RejectedComments: append([]string{}, commentsOn(a.FailCodes)...),
	}
}

// query is what GET /faceauth asks for.
type query struct {
	authID   string
	from, to time.Time
	count    int
	// after is the last of the page before, its ID empty for the first page.
	after Authentication
}

// parseQuery reports false for a value that the vendor would not understand.
// A date stands for the whole UTC day, both ends included.
func parseQuery(v url.Values) (q query, ok bool) {
	q.authID = authID(v)
	q.count = listMost
	var err error
	date := v.Get("nextKey_date")
	if q.after.ID = v.Get("nextKey_id"); q.after.ID != "" || date != "" {
		if q.after.At, err = time.Parse(createTime, date); err != nil || q.after.ID == "" {
			return query{}, false
		}
	}
	if text := v.Get("count"); text != "" {
		if q.count, err = strconv.Atoi(text); err != nil || q.count < 1 || q.count > listMost {
			return query{}, false
		}
	}
	if text := v.Get("startDate"); text != "" {
		if q.from, err = time.Parse(time.DateOnly, text); err != nil {
			return query{}, false
		}
	}
	if text := v.Get("endDate"); text != "" {
		if q.to, err = time.Parse(time.DateOnly, text); err != nil {
			return query{}, false
		}
		q.to = q.to.AddDate(0, 0, 1)
	}
	return q, true
}

// authID accepts both spellings found in the vendor's samples.
func authID(v url.Values) string {
	if id := v.Get("authId"); id != "" {
		return id
	}
	return v.Get("auth_id")
}

// matches says whether the query wants an authentication, pages aside.
func (q query) matches(a Authentication) bool {
	return (q.authID == "" || q.authID == a.ID) &&
		(q.from.IsZero() || !a.At.Before(q.from)) &&
		(q.to.IsZero() || a.At.Before(q.to))
}

// list is GET /faceauth: newest first, a page at a time.
func (s *Simulator) list(w http.ResponseWriter, r *http.Request) {
	q, ok := parseQuery(r.URL.Query())
	knobs := s.Knobs()
	s.count(func(st *Stats) { st.Lists++ })
	if !ok {
		codedError(w, http.StatusBadRequest, invalidDataFormat, StyleText)
		return
	}
	s.books.Lock()
	found, more := s.ledger.newest(q, time.Now().Add(-time.Duration(knobs.ListLagMS)*time.Millisecond))
	s.books.Unlock()

	p := pageOf(found, more)
	if knobs.ListShape == ListFlat {
		vendorsim.WriteJSON(w, http.StatusOK, p.Data)
		return
	}
	vendorsim.WriteJSON(w, http.StatusOK, []page{p})
}

// newest returns the newest that a query wants of those that are shown, in order
// of time and id, and whether there are more. Charges are in order of time, so it
// looks no further back than it has to: charges wait meanwhile.
func (l *ledger) newest(q query, shown time.Time) (found []Authentication, more bool) {
	newestFirst := func(a, b Authentication) int {
		return cmp.Or(b.At.Compare(a.At), strings.Compare(b.ID, a.ID))
	}
	for _, a := range l.Backward() {
		if n := len(found); n > q.count && a.At.Before(found[n-1].At) {
			break
		}
		if !a.At.After(shown) && q.matches(*a) && (q.after.ID == "" || newestFirst(q.after, *a) < 0) {
			found = append(found, *a)
		}
	}
	slices.SortFunc(found, newestFirst)
	if more = len(found) > q.count; more {
		found = found[:q.count]
	}
	return found, more
}

// pageOf names the last of the page as the key of the next, if there is one.
func pageOf(found []Authentication, more bool) page {
	p := page{ProjectID: projectID, Data: []item{}}
	for _, a := range found {
		p.Data = append(p.Data, itemOf(a))
	}
	if more {
		last := p.Data[len(p.Data)-1]
		p.Next = &pageKey{last.AuthID, last.CreateTime}
	}
	return p
}

// image is GET /faceauth/image. Pictures are not kept, so every one that is
// not erased is the same few bytes.
func (s *Simulator) image(w http.ResponseWriter, r *http.Request) {
	s.count(func(st *Stats) { st.Images++ })
	s.books.Lock()
	a := s.ledger.find(authID(r.URL.Query()))
	there := a != nil && !a.Deleted
	s.books.Unlock()
	if !there {
		vendorsim.WriteJSON(w, http.StatusNotFound, map[string]string{
			"traceId": "sandbox", "errorCode": "NOT_FOUND", "message": "faceAuth_project not found",
		})
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Write([]byte(base64.StdEncoding.EncodeToString([]byte("\xff\xd8\xff\xd9"))))
}

// erase is DELETE /faceauth. Id, status and time stay. Erasing again succeeds.
func (s *Simulator) erase(w http.ResponseWriter, r *http.Request) {
	id := authID(r.URL.Query())
	s.count(func(st *Stats) { st.Deletes++ })
	s.books.Lock()
	a := s.ledger.find(id)
	if a != nil {
		a.Deleted = true
	}
	s.books.Unlock()
	switch {
	case id == "":
		vendorsim.WriteJSON(w, http.StatusBadRequest, map[string]string{"errorCode": "required key is missing"})
	case a == nil:
		vendorsim.WriteJSON(w, http.StatusBadRequest, map[string]string{"errorCode": "Cannot find submission. Please check input data."})
	default:
		vendorsim.WriteJSON(w, http.StatusOK, map[string]string{"message": "success"})
	}
}
