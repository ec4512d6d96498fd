package checkout

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// FaceImage is the type of the assets that show the person's face.
const FaceImage = "face_image"

// The operation, and why a link is not followed or leads nowhere, as they stand in
// errors.
const (
	opPicture = "get asset"
	// codeHost: the link is to a host that is not allowed.
	codeHost = "asset_host_not_allowed"
	// codeLink: the link has ended, or the picture is gone. A new list has a new
	// link, if there is one.
	codeLink = "asset_link_refused"
	// codeNoPicture: what the link leads to is no picture.
	codeNoPicture = "asset_not_image"
)

// maxPages bounds the pages that are read of one list: 400 attempts or assets are
// far more than a person leaves.
const maxPages = 20

// Pictures implements vendors.PictureLister: the assets of the types in
// Config.AssetTypes, of all attempts, which may be several where the first ones
// could not be used. A reference that cannot be the vendor's is Refused
// reference_invalid, and nothing is sent; one that it does not know is Refused
// not_found.
func (a *Adapter) Pictures(ctx context.Context, reference string, turn vendors.Turn) ([]vendors.Picture, error) {
	attempts, err := pages(ctx, turn, opAttempts, func(ctx context.Context, skip int) ([]Attempt, bool, error) {
		return a.Attempts(ctx, reference, skip)
	})
	if err != nil {
		return nil, err
	}
	var all []vendors.Picture
	for _, t := range attempts {
		assets, err := pages(ctx, turn, opAssets, func(ctx context.Context, skip int) ([]Asset, bool, error) {
			return a.Assets(ctx, reference, t.ID, skip)
		})
		if err != nil {
			return nil, err
		}
		all = append(all, a.pictures(t.ID, assets)...)
	}
	return all, nil
}

// pages reads a list to its end, each page within turn. A list that does not end
// is not the vendor's.
func pages[T any](ctx context.Context, turn vendors.Turn, op string, read func(ctx context.Context, skip int) ([]T, bool, error)) (all []T, err error) {
	for range maxPages {
		var more bool
		err := turn(ctx, func(ctx context.Context) error {
			page, again, err := read(ctx, len(all))
			all, more = append(all, page...), again
			return err
		})
		if err != nil || !more {
			return all, err
		}
	}
	return nil, &vendors.Error{Vendor: event.Checkout, Kind: vendors.Transient, Op: op, Code: codeUnreadable}
}

// pictures returns those of an attempt's assets that are wanted, numbered by type.
func (a *Adapter) pictures(fatp string, assets []Asset) (wanted []vendors.Picture) {
	n := map[string]int{}
	for _, each := range assets {
		if !slices.Contains(a.assetTypes, each.Type) {
			continue
		}
		n[each.Type]++
		wanted = append(wanted, vendors.Picture{
			Attempt: fatp, Name: each.Type + "-" + strconv.Itoa(n[each.Type]),
			Open: func(ctx context.Context) (io.ReadCloser, int64, error) { return a.open(ctx, each.URL) },
		})
	}
	return wanted
}

// open follows a link to an asset. It is not a call of the API: it takes no turn,
// has a client of its own, and shows no credential.
func (a *Adapter) open(ctx context.Context, link SignedURL) (io.ReadCloser, int64, error) {
	u, err := url.Parse(link.Reveal())
	if err != nil || !a.mayFollow(u) {
		return nil, 0, refused(opPicture, codeHost)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, 0, unsent(opPicture, false, fmt.Errorf("building the request: %w", vendors.Scrub(ctx, err)))
	}
	r.Header.Set("Accept", "image/*")
	answer, err := a.assetClient.Do(r)
	if err != nil {
		err = vendors.Scrub(ctx, err)
		return nil, 0, &vendors.Error{Vendor: event.Checkout, Kind: vendors.Transient, Op: opPicture, Err: err}
	}
	if code := linkFault(answer); code != "" {
		_ = answer.Body.Close()
		return nil, 0, &vendors.Error{Vendor: event.Checkout, Kind: vendors.Transient, Op: opPicture, Status: answer.StatusCode, Code: code}
	}
	return scrubbedBody{answer.Body, ctx}, answer.ContentLength, nil
}

// linkFault says why an answer is no picture, "" if it may be one.
func linkFault(answer *http.Response) string {
	if answer.StatusCode != http.StatusOK {
		return codeLink
	}
	declared, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if declared == "text/html" || declared == "application/json" || declared == "application/xml" {
		return codeNoPicture
	}
	return ""
}

// mayFollow tells whether a picture may be fetched from where a link leads: over
// https, but where the API itself is spoken to without; at the API's own host, or
// at one that is allowed, or, where none is named, at any that has a name.
func (a *Adapter) mayFollow(u *url.URL) bool {
	api, err := url.Parse(a.base)
	if err != nil || u.Scheme != "https" && u.Scheme != api.Scheme || !vendors.IsSecure(u, a.allowHTTP) {
		return false
	}
	host := strings.ToLower(u.Hostname())
	switch {
	case host == strings.ToLower(api.Hostname()):
		return true
	case len(a.assetHosts) == 0:
		return net.ParseIP(host) == nil && host != "localhost"
	}
	return slices.ContainsFunc(a.assetHosts, func(allowed string) bool {
		return host == allowed || strings.HasPrefix(allowed, ".") && strings.HasSuffix(host, allowed)
	})
}

// scrubbedBody is an answer's body whose errors show nothing of the outside.
type scrubbedBody struct {
	io.ReadCloser
	ctx context.Context
}

func (b scrubbedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // io.Reader's contract is the value itself
		err = vendors.Scrub(b.ctx, err)
	}
	return n, err
}
