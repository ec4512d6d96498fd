package checkout

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"reauth/internal/vendors"
)

// Attempt is one link that a person was sent, and what came of it.
type Attempt struct {
	ID        string
	CreatedAt time.Time // zero if the vendor gave none
	Status    string    // as the vendor says it
	Codes     []string  // response codes
}

// Asset is one recording of an attempt.
type Asset struct {
	// Type is face_image or face_video; videos are kept only for accounts that
	// asked for it.
	Type string
	URL  SignedURL
}

// SignedURL is a link to a recording. Who has it can see the person, for as long
// as it works: an hour in the vendor's samples. It prints as [redacted].
type SignedURL struct {
	// A pointer, which fmt prints as an address where it can't call String.
	url *string
}

const redacted = "[redacted]"

// Reveal returns the URL itself, "" for the zero SignedURL.
func (u SignedURL) Reveal() string {
	if u.url == nil {
		return ""
	}
	return *u.url
}

// String implements fmt.Stringer.
func (SignedURL) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (SignedURL) GoString() string { return redacted }

// MarshalText implements encoding.TextMarshaler, for JSON.
func (SignedURL) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (SignedURL) LogValue() slog.Value { return slog.StringValue(redacted) }

// Attempts returns one page of the attempts of a face authentication (E5),
// newest first, without the first skip of them. There may be more if more. It
// makes one free request; every error is a *vendors.Error.
func (a *Adapter) Attempts(ctx context.Context, fav string, skip int) (list []Attempt, more bool, err error) {
	if !isFaceAuthenticationID(fav) || skip < 0 {
		return nil, false, refused(opAttempts, codeReference)
	}
	answer, err := a.send(ctx, request{op: opAttempts, method: http.MethodGet, path: page(pathOfAttempts(fav), skip)})
	if err != nil {
		return nil, false, err
	}
	l, ok := readAttempts(answer)
	if !ok {
		return nil, false, a.fault(opAttempts, answer)
	}
	for _, t := range l.Data {
		list = append(list, Attempt{t.ID, t.CreatedOn.Time, vendors.CleanCode(t.Status), texts(t.Codes)})
	}
	return list, isMore(l.Total, skip, len(l.Data)), nil
}

// Assets returns one page of the recordings of an attempt (E7), without the
// first skip of them. There may be more if more. It makes one free request;
// every error is a *vendors.Error.
func (a *Adapter) Assets(ctx context.Context, fav, fatp string, skip int) (list []Asset, more bool, err error) {
	if !isFaceAuthenticationID(fav) || !isAttemptID(fatp) || skip < 0 {
		return nil, false, refused(opAssets, codeReference)
	}
	answer, err := a.send(ctx, request{op: opAssets, method: http.MethodGet, path: page(pathOfAttempt(fav, fatp)+"/assets", skip)})
	if err != nil {
		return nil, false, err
	}
	l, ok := readAssets(answer)
	if !ok {
		return nil, false, a.fault(opAssets, answer)
	}
	for _, each := range l.Data {
		if !a.isLink(each.Links.Asset.Href) {
			return nil, false, faultOf(opAssets, answer, unreadable, a.now())
		}
		list = append(list, Asset{vendors.CleanCode(each.Type), SignedURL{&each.Links.Asset.Href}})
	}
	return list, isMore(l.Total, skip, len(l.Data)), nil
}

// isMore tells whether there is another page: there is none after an empty one,
// and where the list does not say how long it is, only a full one has a
// successor.
func isMore(total number, skip, got int) bool {
	if total > 0 {
		return got > 0 && float64(skip+got) < float64(total)
	}
	return got >= pageSize
}
