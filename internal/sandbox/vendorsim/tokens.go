package vendorsim

import (
	"time"

	"github.com/google/uuid"
)

// Tokens are the bearer tokens that a vendor has given out. It is not safe for
// concurrent use.
type Tokens struct {
	// grants are those not seen to be bad.
	grants map[string]*grant
}

// grant is one token given out.
type grant struct {
	expires time.Time
	uses    int
}

// Give returns a new token, good for seconds.
func (t *Tokens) Give(seconds int) string {
	if t.grants == nil {
		t.grants = map[string]*grant{}
	}
	token := "sandbox-token-" + uuid.NewString()
	t.grants[token] = &grant{expires: time.Now().Add(time.Duration(seconds) * time.Second)}
	return token
}

// Use uses a token up by one and says whether it was good: given out, neither
// expired nor revoked, and used less than revokeAfter times before, if that is
// not 0.
func (t *Tokens) Use(token string, revokeAfter int) bool {
	g := t.grants[token]
	if g == nil || !time.Now().Before(g.expires) || revokeAfter > 0 && g.uses >= revokeAfter {
		t.Drop(token)
		return false
	}
	g.uses++
	return true
}

// Drop takes back one token.
func (t *Tokens) Drop(token string) { delete(t.grants, token) }

// Revoke takes back every token given out so far.
func (t *Tokens) Revoke() { clear(t.grants) }
