package checkout

import (
	"net/http"
	"net/url"
	"time"

	"reauth/internal/vendors"
)

// maxAnswer bounds an answer; the longest are lists of a page, of a few KB each.
const maxAnswer = 1 << 20

// faceAuthentication is what is read of one: face.image_signed_url, a link to
// the person's picture, is not, and risk_labels, which change no verdict, aren't
// either.
type faceAuthentication struct {
	ID          string        `json:"id"`
	ApplicantID string        `json:"applicant_id"`
	Status      string        `json:"status"`
	ModifiedOn  moment        `json:"modified_on"`
	Codes       responseCodes `json:"response_codes"`
}

// readFaceAuthentication reads the answer to a question about one; want is its
// id, "" for a new one.
func readFaceAuthentication(answer vendors.Answer, want string) (f faceAuthentication, ok bool) {
	if answer.Status/100 != 2 || !read(answer, &f) || f.Status == "" {
		return faceAuthentication{}, false
	}
	return f, isFaceAuthenticationID(f.ID) && (want == "" || f.ID == want)
}

// attempt is what is read of one. The rest, such as the person's address on the
// net, is skipped.
type attempt struct {
	ID        string        `json:"id"`
	CreatedOn moment        `json:"created_on"`
	Status    string        `json:"status"`
	Codes     responseCodes `json:"response_codes"`
	Links     struct {
		Verification struct {
			Href string `json:"href"`
		} `json:"verification_url"`
	} `json:"_links"`
}

// readAttempt reads the answer to a question about one; want is its id, "" for a
// new one.
func readAttempt(answer vendors.Answer, want string) (t attempt, ok bool) {
	if answer.Status/100 != 2 || !read(answer, &t) || t.Status == "" {
		return attempt{}, false
	}
	return t, isAttemptID(t.ID) && (want == "" || t.ID == want)
}

// attempts is a page of them.
type attempts struct {
	Total number    `json:"total_count"`
	Data  []attempt `json:"data"`
}

func readAttempts(answer vendors.Answer) (l attempts, ok bool) {
	if answer.Status/100 != 2 || !read(answer, &l) || l.Data == nil {
		return attempts{}, false
	}
	for _, t := range l.Data {
		if !isAttemptID(t.ID) || t.Status == "" {
			return attempts{}, false
		}
	}
	return l, true
}

// count is how many attempts there are, also where the list doesn't say.
func (l attempts) count() int { return max(len(l.Data), int(min(max(l.Total, 0), maxMade))) }

// assets is a page of them.
type assets struct {
	Total number `json:"total_count"`
	Data  []struct {
		Type  string `json:"type"`
		Links struct {
			Asset struct {
				Href string `json:"href"`
			} `json:"asset_url"`
		} `json:"_links"`
	} `json:"data"`
}

func readAssets(answer vendors.Answer) (l assets, ok bool) {
	if answer.Status/100 != 2 || !read(answer, &l) || l.Data == nil {
		return assets{}, false
	}
	return l, true
}

// maxLink is the longest link that is taken.
const maxLink = 4096

// isLink tells whether s can be opened: an absolute URL whose traffic is
// encrypted, if it need be.
func (a *Adapter) isLink(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= maxLink && u.Host != "" && u.User == nil && vendors.IsSecure(u, a.allowHTTP)
}

// linkEnd is when, by our clock, the link of an attempt that was created then
// ends. The vendor's clock is known by the answer's Date; an attempt without a
// time of its own is taken for new.
func (a *Adapter) linkEnd(createdOn time.Time, answer vendors.Answer) time.Time {
	now := a.now()
	if createdOn.IsZero() {
		return now.Add(a.linkLife)
	}
	theirs, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		theirs = now
	}
	return createdOn.Add(a.linkLife + now.Sub(theirs))
}
