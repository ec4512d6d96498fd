package checkout

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"reauth/internal/vendors"
)

// A new attempt ends the one before it, and its link, at the vendor: a person
// who is about to follow it would be turned away. So an attempt is made only
// when there is none (invite, after start), when the last is known to have ended
// (lookAtAttempt), or when the list has none that lives (find).

// invite creates an attempt (E4) and announces its link.
func (a *Adapter) invite(ctx context.Context, c vendors.Call, s state) (vendors.Verdict, error) {
	// The vendor counts the link's life from its answer; from the question on
	// is shorter.
	asked := a.now()
	answer, err := a.send(ctx, request{
		op: opInvite, method: http.MethodPost, path: pathOfAttempts(s.ID),
		body: struct {
			RedirectURL string `json:"redirect_url"`
		}{c.RedirectURL},
		key: idempotencyKey(c.RequestID, "attempt", s.ID, strconv.Itoa(s.Made)),
	})
	if err != nil {
		return vendors.Verdict{}, err
	}
	if answer.Status == http.StatusConflict {
		// It is in no state for an attempt: its status says what is.
		s.Next, s.Attempt = stepLook, ""
		return goOn(s), nil
	}
	t, ok := readAttempt(answer, "")
	if !ok || !a.isLink(t.Links.Verification.Href) {
		return a.judge(opInvite, s.ID, answer)
	}
	return a.await(c, s, t, s.Made+1, asked.Add(a.linkLife)), nil
}

// find looks for an attempt that lives (E5). Of the attempts of one face
// authentication only the newest can, and they are listed newest first; one page
// holds all that an adapter makes anyway.
func (a *Adapter) find(ctx context.Context, c vendors.Call, s state) (vendors.Verdict, error) {
	answer, err := a.send(ctx, request{op: opAttempts, method: http.MethodGet, path: page(pathOfAttempts(s.ID), 0)})
	if err != nil {
		return vendors.Verdict{}, err
	}
	list, ok := readAttempts(answer)
	if !ok {
		return a.judge(opAttempts, s.ID, answer)
	}
	a.noteUnknown(list.Data...)
	last, found := list.newest(func(t attempt) bool { return a.lifeOf(t, a.linkEnd(t.CreatedOn.Time, answer)) == lives })
	if !found {
		last, found = list.newest(func(attempt) bool { return true })
	}
	linkEnd := a.linkEnd(last.CreatedOn.Time, answer)
	switch life := a.lifeOf(last, linkEnd); {
	case !found:
		return a.next(s, nil, false), nil
	case life == ended:
		s.Made = max(s.Made, list.count())
		return a.next(s, last.Codes, came(last.Status, last.Codes)), nil
	case life == lives && last.Status == pendingRedirection && !a.isLink(last.Links.Verification.Href):
		return vendors.Verdict{}, faultOf(opAttempts, answer, unreadable, a.now())
	case life == lives:
		return a.await(c, s, last, max(s.Made+1, list.count()), linkEnd), nil
	}
	s.Next, s.Attempt, s.LinkEnd, s.Made = stepLook, last.ID, linkEnd.UnixMilli(), max(s.Made, list.count())
	return goOn(s), nil
}

// newest returns the newest attempt of those that are wanted.
func (l attempts) newest(wanted func(attempt) bool) (t attempt, found bool) {
	for _, each := range l.Data {
		if wanted(each) && (!found || each.CreatedOn.After(t.CreatedOn.Time)) {
			t, found = each, true
		}
	}
	return t, found
}

// await begins the wait for a person at an attempt, of which there are made with
// it. The link's number is one more than the attempts known before, and so the
// same each time that the same attempt is announced: until the state is kept
// that comes with it, each repetition starts from the same one.
func (a *Adapter) await(c vendors.Call, s state, t attempt, made int, linkEnd time.Time) vendors.Verdict {
	number := s.Made + 1
	s = state{Next: stepLook, ID: s.ID, Until: s.Until, Made: made, Attempt: t.ID, LinkEnd: linkEnd.UnixMilli(), Seen: pending}
	v := a.wait(c, s, a.linkDeath(s))
	if url := t.Links.Verification.Href; a.isLink(url) && t.Status != checksInProgress && a.now().Before(linkEnd) {
		v.Pending.Invite = &vendors.Invite{Number: number, URL: url, ExpiresAt: linkEnd.UTC()}
	}
	return v
}

// lookAtAttempt gets the attempt (E6), to be certain that it has ended.
func (a *Adapter) lookAtAttempt(ctx context.Context, c vendors.Call, s state) (vendors.Verdict, error) {
	answer, err := a.send(ctx, request{op: opAttempt, method: http.MethodGet, path: pathOfAttempt(s.ID, s.Attempt)})
	if err != nil {
		return vendors.Verdict{}, err
	}
	t, ok := readAttempt(answer, s.Attempt)
	switch {
	case !ok && answer.Status == http.StatusNotFound && isTheirs(answer):
		// Whether more than the attempt is gone, another will tell.
		return a.next(s, s.Codes, false), nil
	case !ok:
		return a.judge(opAttempt, s.ID, answer)
	}
	a.noteUnknown(t)
	life := a.lifeOf(t, time.UnixMilli(s.LinkEnd))
	if life == decided && s.Seen == retryRequired && s.Made < a.maxAttempts {
		// Two words that don't agree; a wrong attempt is refused.
		life = ended
	}
	if life == ended {
		codes := merge(s.Codes, t.Codes)
		return a.next(s, codes, came(t.Status, codes)), nil
	}
	s.Next = stepLook
	return a.wait(c, s, time.Time{}), nil
}

// next goes on after an attempt that has come to nothing, for which it had codes:
// with another, or with the verdict when it was the last.
func (a *Adapter) next(s state, codes []int, came bool) vendors.Verdict {
	if s.Made >= a.maxAttempts {
		return exhausted(s.ID, codes, came)
	}
	s.Next = stepInvite
	return goOn(s)
}
