package argos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"reauth/internal/vendors"
)

// maxList bounds one page: maxCount items are some 1.4 MiB.
const maxList = 4 << 20

// page is one page of GET /faceauth.
type page struct {
	items []object
	// next continues the list; zero on the last page.
	next pageKey
}

// pageKey is what the next page is asked for with.
type pageKey struct{ id, date string }

// query adds the key to the query of a list.
func (k pageKey) query(q url.Values) {
	if k != (pageKey{}) {
		q.Set("nextKey_id", k.id)
		q.Set("nextKey_date", k.date)
	}
}

// list asks for one page of at most count items.
func (a *Adapter) list(ctx context.Context, op string, query url.Values, count int) (page, error) {
	query.Set("count", strconv.Itoa(count))
	answer, err := a.call(ctx, op, http.MethodGet, query, maxList)
	if err != nil {
		return page{}, err
	}
	p, ok := parsePage(answer, count)
	if !ok {
		code, m := meaningOf(answer, objectOf(answer))
		m.unknown = false // reading charges nothing
		return page{}, a.fault(op, answer, code, m)
	}
	return p, nil
}

// call makes a request without a body. The error stands for no answer.
func (a *Adapter) call(ctx context.Context, op, method string, query url.Values, limit int64) (vendors.Answer, error) {
	address := a.endpoint
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return vendors.Answer{}, unsent(op, false, fmt.Errorf("building the request: %w", vendors.Scrub(ctx, err)))
	}
	if err := a.authorize(r, op); err != nil {
		return vendors.Answer{}, err
	}
	answer, err := vendors.Exchange(a.client, r, limit)
	if err != nil {
		return answer, unsent(op, answer.Reached && method != http.MethodGet, err)
	}
	return answer, nil
}

// parsePage reads both shapes of the list: an array of projects with their
// items and the next page's key, and an older one, the items alone, which does
// not page. ok is false for anything else, errors included.
func parsePage(answer vendors.Answer, count int) (p page, ok bool) {
	var elements []json.RawMessage
	if answer.Err != nil || answer.Status/100 != 2 || json.Unmarshal(answer.Body, &elements) != nil || elements == nil {
		return page{}, false
	}
	for _, e := range elements {
		o, err := parseObject(e)
		if err != nil {
			return page{}, false
		}
		data := o.value("data")
		if data == nil {
			p.items = append(p.items, o)
			continue
		}
		if !p.addGroup(data, o.child("nextpage_key")) {
			return page{}, false
		}
	}
	if p.next == (pageKey{}) && len(p.items) >= count {
		// Full, and nothing to go on with: there may be more, or it is the
		// last page and just as long as was asked for.
		p.next = unpaged
	}
	return p, true
}

// unpaged is the key of a next page that cannot be asked for.
var unpaged = pageKey{id: "\x00"}

// addGroup adds one project's items. Only one project can be paged: a key
// belongs to one, and the query names none.
func (p *page) addGroup(data json.RawMessage, key object) bool {
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		return true
	}
	var items []json.RawMessage
	if json.Unmarshal(data, &items) != nil {
		return false
	}
	for _, item := range items {
		o, err := parseObject(item)
		if err != nil {
			return false
		}
		p.items = append(p.items, o)
	}
	next := pageKey{id: key.text("authid", "auth_id"), date: key.text("createtime", "create_time")}
	if next == (pageKey{}) {
		return true
	}
	if p.next != (pageKey{}) {
		next = unpaged
	}
	p.next = next
	return true
}
