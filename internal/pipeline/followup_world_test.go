package pipeline

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// picturedVendor is a hostedVendor that keeps a picture of each session, until it
// is erased.
type picturedVendor struct {
	*hostedVendor

	mu       sync.Mutex // guards what follows
	erased   map[string]int
	early    []string // erased before the archive had the picture
	listed   int
	listing  func() error // before each list
	erasing  func() error // before each erasure
	shown    func(session string) []byte
	archived *fakeArchive
}

func newPicturedVendor() *picturedVendor {
	v := &picturedVendor{hostedVendor: newHostedVendor(), erased: map[string]int{}, archived: newFakeArchive()}
	v.poll = time.Second
	v.shown = func(session string) []byte { return []byte("picture of " + session) }
	return v
}

func (v *picturedVendor) Pictures(ctx context.Context, reference string, turn vendors.Turn) (all []vendors.Picture, err error) {
	err = turn(ctx, func(context.Context) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.listed++
		if v.listing != nil {
			if err := v.listing(); err != nil {
				return err
			}
		}
		if v.erased[reference] == 0 && v.shown(reference) != nil {
			all = append(all, vendors.Picture{Attempt: "fatp_1", Name: "face-1", Open: func(context.Context) (io.ReadCloser, int64, error) {
				return io.NopCloser(bytes.NewReader(v.shown(reference))), -1, nil
			}})
		}
		return nil
	})
	return all, err
}

func (v *picturedVendor) Erase(_ context.Context, reference string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.erasing != nil {
		if err := v.erasing(); err != nil {
			return err
		}
	}
	if len(v.archived.all()) == 0 {
		v.early = append(v.early, reference)
	}
	v.erased[reference]++
	return nil
}

func (v *picturedVendor) askedFor() int {
	v.hostedVendor.mu.Lock()
	defer v.hostedVendor.mu.Unlock()
	return v.asked
}

func (v *picturedVendor) callsMade() int {
	v.hostedVendor.mu.Lock()
	defer v.hostedVendor.mu.Unlock()
	return len(v.calls)
}

func (v *picturedVendor) lists() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.listed
}

func (v *picturedVendor) tooEarly() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.early
}

func (v *picturedVendor) erasedOf(session string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.erased[session]
}

func (v *picturedVendor) erasures() (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, times := range v.erased {
		n += times
	}
	return n
}

// fakeArchive keeps what it is given, by key.
type fakeArchive struct {
	mu   sync.Mutex
	kept map[string]string
	fail func() error
}

func newFakeArchive() *fakeArchive { return &fakeArchive{kept: map[string]string{}} }

func (a *fakeArchive) keep(ctx context.Context, key string, open func(context.Context) (io.ReadCloser, int64, error)) error {
	body, _, err := open(ctx)
	if err != nil {
		return err
	}
	defer body.Close()
	content, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail != nil {
		if err := a.fail(); err != nil {
			return err
		}
	}
	a.kept[key+".jpg"] = string(content)
	return nil
}

func (a *fakeArchive) all() map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := map[string]string{}
	for k, v := range a.kept {
		all[k] = v
	}
	return all
}

// everything is a configuration in which all is done after a verdict.
var everything = FollowUpConfig{
	Archive: []event.Outcome{event.Approved, event.Rejected}, AuditChecks: []time.Duration{30 * time.Minute}, AnonymiseAfter: time.Hour,
}

// followingUp returns a pipeline without shards that follows up, with a window so
// short that all but the archiving comes after it.
func followingUp(t *testing.T, topics *fakeTopics, v *picturedVendor, c FollowUpConfig, change func(*Config)) *world {
	t.Helper()
	w := join(t, topics, v, func(cfg *Config, _ *vendors.LaneConfig) {
		cfg.FollowUps, cfg.Window = map[event.Vendor]FollowUpConfig{event.Argos: c}, 20*time.Minute
		if change != nil {
			change(cfg)
		}
	})
	w.parts.Archives = map[event.Vendor]Archive{event.Argos: v.archived.keep}
	return w
}

// followingAlone is followingUp with all shards.
func followingAlone(t *testing.T, v *picturedVendor, c FollowUpConfig, change func(*Config)) *world {
	t.Helper()
	w := followingUp(t, newFakeTopics(), v, c, change)
	w.assign([]int{0, 1, 2}, nil, nil)
	settle(2 * time.Minute) // no former owner can be at it any more
	return w
}

// left returns how much is left to be done.
func left(w *world) (n int) {
	w.Pipeline.mu.Lock()
	defer w.Pipeline.mu.Unlock()
	for _, s := range w.shards {
		s.mu.Lock()
		n += s.ledger.FollowUps()
		s.mu.Unlock()
	}
	return n
}

var archivedOne = map[string]string{"r-1/fatp_1/face-1.jpg": "picture of fav_sub-1_1"}
