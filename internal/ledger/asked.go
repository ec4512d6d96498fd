package ledger

import (
	"strings"

	"reauth/internal/event"
)

// askedKeys begin the keys of claims for what a vendor is asked beside calls for
// requests. They have a slash, as no request id has.
const askedKeys = "asked/"

// AskedKey is the key of a claim for what a vendor is asked that is no call for a
// request, as a page of its list. Such a claim counts as a call (OnClaim), and that is
// all.
func AskedKey(vendor event.Vendor) []byte { return []byte(askedKeys + vendor) }

func isAsked(key []byte) bool { return strings.HasPrefix(string(key), askedKeys) }
