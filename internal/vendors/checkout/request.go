package checkout

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"reauth/internal/vendors"
)

// request is one call of the API.
type request struct {
	op     string
	method string
	path   string
	body   any // nil for none
	// key is sent as Cko-Idempotency-Key, "" for none. No page about identities
	// names it; payments keep one for 24 hours. Nothing rests on it.
	key string
}

// send makes one call, before it a token call if there is no good token. It
// returns every answer but a 401.
//
// The first refusal of an OAuth token is Transient and known not to have been
// acted upon: the next call fetches another. When that is refused as well,
// before any call with it was taken, it is a LaneFault, as is the refusal of a
// key.
func (a *Adapter) send(ctx context.Context, q request) (vendors.Answer, error) {
	if err := ctx.Err(); err != nil {
		return vendors.Answer{}, unsent(q.op, false, vendors.Scrub(ctx, err))
	}
	b, err := a.access.get(ctx, q.op)
	if err != nil {
		return vendors.Answer{}, err
	}
	r, err := a.build(ctx, q)
	if err != nil {
		return vendors.Answer{}, unsent(q.op, false, fmt.Errorf("building the request: %w", vendors.Scrub(ctx, err)))
	}
	r.Header.Set("Authorization", "Bearer "+b.value)
	answer, err := vendors.Exchange(a.client, r, maxAnswer)
	if err != nil {
		return vendors.Answer{}, unsent(q.op, answer.Reached, err)
	}
	lasting := a.access.settle(b, answer.Status)
	if answer.Status == http.StatusUnauthorized {
		m := meaningOf(answer.Status)
		if !lasting {
			m.kind = vendors.Transient
		}
		return vendors.Answer{}, faultOf(q.op, answer, m, a.now())
	}
	return answer, nil
}

// Prepare implements vendors.Preparer: it fetches a token if calls need one and there
// is no good one.
func (a *Adapter) Prepare(ctx context.Context) error {
	_, err := a.access.get(ctx, opToken)
	return err
}

func (a *Adapter) build(ctx context.Context, q request) (*http.Request, error) {
	if q.body == nil {
		r, err := http.NewRequestWithContext(ctx, q.method, a.base+q.path, nil)
		if err == nil {
			r.Header.Set("Accept", "application/json")
		}
		return r, err
	}
	text, err := json.Marshal(q.body)
	if err != nil {
		return nil, err
	}
	// A body without a second start, so that net/http repeats nothing.
	body := vendors.NewBody(text, nil, nil)
	r, err := http.NewRequestWithContext(ctx, q.method, a.base+q.path, body)
	if err != nil {
		return nil, err
	}
	r.ContentLength = body.Size()
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Content-Type", "application/json")
	if q.key != "" {
		r.Header.Set("Cko-Idempotency-Key", q.key)
	}
	return r, nil
}

// The paths. Ids are checked before they get here.
const pathRoot = "/face-authentications"

func pathOf(fav string) string              { return pathRoot + "/" + fav }
func pathOfAttempts(fav string) string      { return pathOf(fav) + "/attempts" }
func pathOfAttempt(fav, fatp string) string { return pathOfAttempts(fav) + "/" + fatp }

// pageSize is how many attempts or assets are asked for at once. The pages'
// default is 10, and no maximum is documented.
const pageSize = 20

func page(path string, skip int) string {
	return path + "?skip=" + strconv.Itoa(skip) + "&limit=" + strconv.Itoa(pageSize)
}

// idempotencyKey is the same for the same step of the same request, and says
// nothing of either.
func idempotencyKey(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}
