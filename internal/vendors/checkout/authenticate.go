package checkout

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"reauth/internal/vendors"
)

// Authenticate takes the step that c.State asks for: one request to the vendor,
// before it a token call if there is no good token. See the package comment for
// the steps and what follows from each.
//
// What fails at the vendor is Transient and Unknown also for a step that only
// looks: nobody knows what has become of the authentication, and to give it up
// would waste what the person did for it.
//
// Errors for which nothing is sent are Refused applicant_id_invalid,
// redirect_url_missing and state_unreadable, and LaneFault secret_unusable.
func (a *Adapter) Authenticate(ctx context.Context, c vendors.Call) (vendors.Verdict, error) {
	s, ok := readState(c.State)
	switch {
	case !ok:
		return vendors.Verdict{}, refused(opLook, codeState)
	case !isApplicantID(c.ApplicantID):
		return vendors.Verdict{}, refused(opStart, codeApplicantID)
	case c.RedirectURL == "":
		return vendors.Verdict{}, refused(opInvite, codeRedirectMissing)
	case c.State == "":
		// Unsure or not: a face authentication that nobody knows of stays in
		// created, and charges nothing.
		return a.start(ctx, c)
	case a.isOver(s, c):
		return a.look(ctx, c, s)
	case s.Next == stepFind, s.Next == stepInvite && c.Unsure:
		return a.find(ctx, c, s)
	case s.Next == stepInvite:
		return a.invite(ctx, c, s)
	case s.Next == stepAttempt:
		return a.lookAtAttempt(ctx, c, s)
	}
	return a.look(ctx, c, s)
}

// isOver tells whether the deadline has passed.
func (a *Adapter) isOver(s state, c vendors.Call) bool {
	return !a.now().Before(s.deadline(c.NotAfter))
}

// start creates the face authentication (E1).
func (a *Adapter) start(ctx context.Context, c vendors.Call) (vendors.Verdict, error) {
	began := a.now()
	answer, err := a.send(ctx, request{
		op: opStart, method: http.MethodPost, path: pathRoot,
		body: struct {
			ApplicantID   string `json:"applicant_id"`
			UserJourneyID string `json:"user_journey_id"`
		}{c.ApplicantID, a.userJourneyID},
		key: idempotencyKey(c.RequestID, "start"),
	})
	if err != nil {
		return vendors.Verdict{}, err
	}
	f, ok := readFaceAuthentication(answer, "")
	if !ok {
		return a.judge(opStart, "", answer)
	}
	if err := sameApplicant(opStart, f, c); err != nil {
		return vendors.Verdict{}, err
	}
	return goOn(state{Next: stepInvite, ID: f.ID, Until: began.Add(a.deadline).UnixMilli()}), nil
}

// look gets the face authentication (E2).
func (a *Adapter) look(ctx context.Context, c vendors.Call, s state) (vendors.Verdict, error) {
	// The last look is one that began when the time was up.
	last := a.isOver(s, c)
	answer, err := a.send(ctx, request{op: opLook, method: http.MethodGet, path: pathOf(s.ID)})
	if err != nil {
		return vendors.Verdict{}, err
	}
	f, ok := readFaceAuthentication(answer, s.ID)
	if !ok {
		return a.judge(opLook, s.ID, answer)
	}
	if err := sameApplicant(opLook, f, c); err != nil {
		return vendors.Verdict{}, err
	}
	if v, final := f.verdict(); final {
		return v, nil
	}
	if last {
		return overdue(s.ID, f.Codes), nil
	}
	return a.follow(c, s, f), nil
}

// follow decides what comes after a status that is not final.
func (a *Adapter) follow(c vendors.Call, s state, f faceAuthentication) vendors.Verdict {
	switch f.Status {
	case created, pending, captureInProgress, retryRequired:
		s.saw(f.Status)
	case checksInProgress:
		s.saw(f.Status)
		return a.wait(c, s, time.Time{})
	default:
		a.unknown.WithLabelValues(ofAuthentication).Inc()
		s.saw("unknown")
		return a.wait(c, s, time.Time{})
	}
	switch {
	case s.Attempt == "":
		// An attempt was refused because of a status that is not this one,
		// or of an attempt that we don't know.
		s.Next = stepFind
		return a.wait(c, s, time.Time{})
	case f.Status == captureInProgress:
		return a.wait(c, s, time.Time{})
	case f.Status == retryRequired:
		s.Next, s.Codes = stepAttempt, f.Codes
		return goOn(s)
	case a.linkIsDead(s):
		s.Next = stepAttempt
		return goOn(s)
	}
	return a.wait(c, s, a.linkDeath(s))
}

// wait ends a step whose successor has time: until the next look is due, until
// the link is dead if one is given, and at most until the deadline.
func (a *Adapter) wait(c vendors.Call, s state, linkDeath time.Time) vendors.Verdict {
	now := a.now()
	after := min(a.pause(s.Looks), s.deadline(c.NotAfter).Sub(now))
	if !linkDeath.IsZero() {
		after = min(after, linkDeath.Sub(now))
	}
	s.Looks++
	return pendingVerdict(s, max(after, 0))
}

// goOn ends a step whose successor is taken at once.
func goOn(s state) vendors.Verdict { return pendingVerdict(s, 0) }

func pendingVerdict(s state, after time.Duration) vendors.Verdict {
	return vendors.Verdict{Pending: &vendors.Pending{State: s.text(), Reference: s.ID, After: after}}
}

// pauseGrowth is how much longer each wait is than the one before.
const pauseGrowth = 1.5

// pause returns the wait before the next look, after n without news: growing
// from pollFirst to pollMax, less up to a tenth, so that those who began
// together don't look together.
func (a *Adapter) pause(n int) time.Duration {
	d := float64(a.pollFirst)
	for range n {
		if d *= pauseGrowth; d >= float64(a.pollMax) {
			d = float64(a.pollMax)
			break
		}
	}
	return time.Duration(d) - rand.N(time.Duration(d)/10+1)
}

// sameApplicant refuses an answer about somebody else.
func sameApplicant(op string, f faceAuthentication, c vendors.Call) error {
	if f.ApplicantID != "" && f.ApplicantID != c.ApplicantID {
		return refused(op, codeOtherApplicant)
	}
	return nil
}
