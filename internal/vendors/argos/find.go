package argos

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

const (
	// pageSize is half of what the vendor allows: pages stay under a MiB.
	pageSize = 1000
	// maxPages is five days at the 200,000 calls a day of the older guide.
	maxPages = 1000
	// dayMargin on both sides of the asked days: the vendor doesn't say in
	// which time zone it reads dates.
	dayMargin = 24 * time.Hour
	// timestampUnit is the resolution of create_time: a call made within the
	// millisecond after since may bear a time before it.
	timestampUnit = time.Millisecond
)

// Find lists the authentications of the days from since until now and keeps
// those of c's submission. The vendor cannot filter by submission, so it reads
// every page, at the cost of one free call per 1000 authentications of all
// subjects. create_time is the vendor's clock: a caller gives since a margin
// for the difference. How soon an authentication is listed is not documented: a
// caller lets some time pass before it takes "none" for an answer.
//
// A list has no fail codes: the reason of a rejection is
// event.SimilarityBelowThreshold where the listed similarity is under the
// listed threshold, else event.OtherRejection.
//
// When it cannot tell, it is a Transient error, never a short list: a row of
// the submission without readable time or final status (no_verdict), pages
// without end (find_incomplete).
func (a *Adapter) Find(ctx context.Context, c vendors.Call, since time.Time) ([]vendors.Verdict, error) {
	submissionID := strings.TrimSpace(c.SubmissionID)
	if submissionID == "" {
		return nil, refused(opFind, codeSubmissionMissing)
	}
	since = since.UTC().Truncate(timestampUnit)

	var found []vendors.Verdict
	var key pageKey
	for range maxPages {
		query := url.Values{
			"startDate": {since.Add(-dayMargin).Format(time.DateOnly)},
			"endDate":   {a.now().UTC().Add(dayMargin).Format(time.DateOnly)},
		}
		key.query(query)
		p, err := a.list(ctx, opFind, query, pageSize)
		if err != nil {
			return nil, err
		}
		for _, item := range p.items {
			if item.text("kyc_submission_id") != submissionID {
				continue
			}
			v, ok := listed(item)
			if !ok {
				return nil, undecided(codeNoVerdict)
			}
			if !v.At.Before(since) {
				found = append(found, v)
			}
		}
		switch p.next {
		case pageKey{}:
			slices.SortStableFunc(found, func(x, y vendors.Verdict) int { return x.At.Compare(y.At) })
			return found, nil
		case key, unpaged:
			return nil, undecided(codeFindIncomplete)
		}
		key = p.next
	}
	return nil, undecided(codeFindIncomplete)
}

func undecided(code string) error {
	return &vendors.Error{Vendor: event.Argos, Kind: vendors.Transient, Op: opFind, Code: code}
}

// listed reads one row of the list, whose names differ from those of POST.
func listed(item object) (vendors.Verdict, bool) {
	v, ok := verdict(item, item.text("auth_status"), names{id: "auth_id"})
	if !ok || v.At.IsZero() {
		return vendors.Verdict{}, false
	}
	similarity, scored := item.child("result").number("face_similarity")
	if !scored {
		return v, true
	}
	v.Scores = map[string]float64{"similarity": min(max(similarity, 0), 100)}
	threshold, known := item.child("policy").number("facesimilarity_threshold")
	if v.Outcome == event.Rejected && len(v.Codes) == 0 && known && similarity < threshold {
		v.Reasons = []event.Reason{event.SimilarityBelowThreshold}
	}
	return v, true
}
