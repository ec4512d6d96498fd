package vendors

import "context"

// line is where callers wait for one of a bounded number of tokens, first come,
// first served; whoever goes ahead waits with one other ahead of it at most.
type line struct {
	tokens chan struct{}
	// head holds a token while the first of those who wait as they came waits for
	// one of the tokens.
	head chan struct{}
}

// place is where in a line somebody waits.
type place bool

const (
	asTheyCome place = false
	ahead      place = true
)

func newLine(tokens int) line {
	return line{tokens: make(chan struct{}, tokens), head: make(chan struct{}, 1)}
}

// take takes a token; its only error is the context's cause.
func (l line) take(ctx context.Context, p place) error {
	if p == asTheyCome {
		if err := take(ctx, l.head); err != nil {
			return err
		}
		defer func() { <-l.head }()
	}
	return take(ctx, l.tokens)
}

func (l line) giveBack() { <-l.tokens }

// taken is how many tokens are taken at present.
func (l line) taken() int { return len(l.tokens) }

// take puts a token into a bounded channel; its only error is the context's cause.
func take(ctx context.Context, tokens chan<- struct{}) error {
	select {
	case tokens <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
