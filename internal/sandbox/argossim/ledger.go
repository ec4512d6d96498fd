package argossim

import "time"

// Authentication is one charged authentication. It holds a digest of the
// picture, never the picture.
type Authentication struct {
	ID           string             `json:"authentication_id"`
	SubmissionID string             `json:"submission_id"`
	UserID       string             `json:"user_id,omitempty"`
	CF1          string             `json:"cf1,omitempty"`
	CF2          string             `json:"cf2,omitempty"`
	CF3          string             `json:"cf3,omitempty"`
	FailCodes    []string           `json:"fail_code,omitempty"`
	Score        map[string]float64 `json:"score"`
	At           time.Time          `json:"at"`
	ImageBytes   int64              `json:"image_bytes"`
	ImageSHA256  string             `json:"image_sha256"`
	// Deleted is set by DELETE /faceauth. What the caller said about it stays,
	// so that charges can still be told apart.
	Deleted bool `json:"deleted"`
}

// status is the auth_status of the API.
func (a Authentication) status() string {
	if len(a.FailCodes) > 0 {
		return "rejected"
	}
	return "approved"
}

// request is all that the caller said about what the authentication is for.
// Two charges with the same one are the same request, paid twice.
func (a Authentication) request() [5]string {
	return [5]string{a.SubmissionID, a.UserID, a.CF1, a.CF2, a.CF3}
}

// ledger is what was charged, in order. It is not safe for concurrent use.
type ledger struct {
	// entries are pointers, as to move a million of them to a larger array
	// holds nobody up for long.
	entries []*Authentication
	byID    map[string]*Authentication
	// charges counts per request.
	charges map[[5]string]int
	// duplicates is the number of charges beyond the first of their request.
	duplicates int
}

func newLedger() ledger {
	return ledger{byID: map[string]*Authentication{}, charges: map[[5]string]int{}}
}

func (l *ledger) add(a Authentication) {
	l.byID[a.ID] = &a
	l.entries = append(l.entries, &a)
	l.charges[a.request()]++
	if l.charges[a.request()] > 1 {
		l.duplicates++
	}
}

// find returns the authentication called id, nil when there is none.
func (l *ledger) find(id string) *Authentication { return l.byID[id] }

// charged returns the authentications of a submission, oldest first; of all
// submissions when the id is empty.
func (l *ledger) charged(submissionID string) []Authentication {
	found := []Authentication{}
	for _, a := range l.entries {
		if submissionID == "" || a.SubmissionID == submissionID {
			found = append(found, *a)
		}
	}
	return found
}

// doubled returns the authentications of every request charged more than
// once, grouped by request, oldest first.
func (l *ledger) doubled() [][]Authentication {
	groups := [][]Authentication{}
	at := map[[5]string]int{}
	for _, a := range l.entries {
		if l.charges[a.request()] < 2 {
			continue
		}
		i, ok := at[a.request()]
		if !ok {
			i = len(groups)
			at[a.request()] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], *a)
	}
	return groups
}
