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
	// pageSize is half of what the vendor allows: pages stay under a MiB, and
	// there is room to ask for more of a page that does not say whether it is
	// the last.
	pageSize = 1000
	maxCount = 2000
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
// those of the calls' submissions. The vendor cannot filter by submission, so it
// reads page by page, at the cost of one free request per 1000 authentications of
// all subjects: ask for many calls at once. Where the list is seen to go back in
// time, it ends once that is before since. create_time is the vendor's clock: a
// caller gives since a margin for the difference.
//
// A list has no fail codes: the reason of a rejection is
// event.SimilarityBelowThreshold where the listed similarity is under the
// listed threshold, else event.OtherRejection.
//
// When it cannot tell, it is a Transient error, never a short list: a row of
// one of the submissions without readable time or final status (no_verdict),
// pages without end, or a page of maxCount without a key (find_incomplete).
func (a *Adapter) Find(ctx context.Context, calls []vendors.Call, since time.Time, turn vendors.Turn) ([][]vendors.Verdict, error) {
	bySubmission := make(map[string][]vendors.Verdict, len(calls))
	for _, c := range calls {
		submissionID := strings.TrimSpace(c.SubmissionID)
		if submissionID == "" {
			return nil, refused(opFind, codeSubmissionMissing)
		}
		bySubmission[submissionID] = nil
	}
	if err := a.findAll(ctx, bySubmission, since.UTC().Truncate(timestampUnit), turn); err != nil {
		return nil, err
	}
	found := make([][]vendors.Verdict, len(calls))
	for i, c := range calls {
		found[i] = bySubmission[strings.TrimSpace(c.SubmissionID)]
		slices.SortStableFunc(found[i], func(x, y vendors.Verdict) int { return x.At.Compare(y.At) })
	}
	return found, nil
}

// findAll reads the pages and adds what is of one of the submissions to it.
func (a *Adapter) findAll(ctx context.Context, bySubmission map[string][]vendors.Verdict, since time.Time, turn vendors.Turn) error {
	var key pageKey
	var order order
	for range maxPages {
		p, err := a.findPage(ctx, since, key, pageSize, turn)
		if err == nil && p.next == unpaged { // does it end here? More room tells
			p, err = a.findPage(ctx, since, key, maxCount, turn)
		}
		if err != nil {
			return err
		}
		for _, item := range p.items {
			order.add(item.time("create_time"))
			submissionID := item.text("kyc_submission_id")
			if _, asked := bySubmission[submissionID]; !asked {
				continue
			}
			v, ok := listed(item)
			if !ok {
				return undecided(codeNoVerdict)
			}
			if !v.At.Before(since) {
				bySubmission[submissionID] = append(bySubmission[submissionID], v)
			}
		}
		switch {
		case p.next == pageKey{}:
			return nil
		case p.next == key, p.next == unpaged:
			return undecided(codeFindIncomplete)
		case order.passed(p.next, since):
			return nil
		}
		key = p.next
	}
	return undecided(codeFindIncomplete)
}

func (a *Adapter) findPage(ctx context.Context, since time.Time, key pageKey, count int, turn vendors.Turn) (p page, err error) {
	query := url.Values{
		"startDate": {since.Add(-dayMargin).Format(time.DateOnly)},
		"endDate":   {a.now().UTC().Add(dayMargin).Format(time.DateOnly)},
	}
	key.query(query)
	err = turn(ctx, func(ctx context.Context) error {
		p, err = a.list(ctx, opFind, query, count)
		return err
	})
	return p, err
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
