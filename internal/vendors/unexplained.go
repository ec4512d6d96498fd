package vendors

import (
	"errors"
	"slices"
	"sync"
)

// unexplainedInARow is how many requests in a row must be answered in a way that
// nobody explains before the path to the vendor, and not they, is taken to be at
// fault. Requests are counted, not calls: one that is odd by itself, as to the
// firewall of a gateway, is tried as often as others and given up alone.
const unexplainedInARow = 5

// errInARow says why a lane is paused for an answer that by itself says nothing.
var errInARow = errors.New("requests in a row are answered like that, which the vendor is not known to do: " +
	"something before it is broken, its address has changed, or its contract")

// unexplainedRow holds the requests that were answered so since a call last went well
// or was refused as the vendor does. It is safe for concurrent use.
type unexplainedRow struct {
	mu       sync.Mutex
	requests []string // ids, fewer than unexplainedInARow
}

// judge takes the end of a call for a request in. It returns the error that the request
// sees and the one that the lane does: a LaneFault for both, as the path is at fault
// rather than the request, when there are enough in a row or the lane is paused
// already. Only a call that may have been charged keeps its own error, so that its
// outcome is found out.
func (r *unexplainedRow) judge(request string, err error, paused bool) (ofRequest, ofLane error) {
	fault, _ := errors.AsType[*Error](err)
	if err != nil && fault == nil {
		return err, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil, fault.Kind == Refused:
		r.requests = nil
		return err, err
	case fault.Kind != Unexplained:
		return err, err
	case !paused && !slices.Contains(r.requests, request):
		r.requests = append(r.requests, request)
	}
	if !paused && len(r.requests) < unexplainedInARow {
		return err, err
	}
	ofPath := *fault
	ofPath.Kind, ofPath.Err = LaneFault, errInARow
	if fault.Unknown {
		return err, &ofPath
	}
	return &ofPath, &ofPath
}
