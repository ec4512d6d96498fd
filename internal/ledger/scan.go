package ledger

import (
	"bytes"
	"strconv"
	"time"

	"reauth/internal/event"
)

// A restore reads a claim for every request of the window, so claims are read
// by hand where they are written the way Encode writes them: a third of the
// time that encoding/json takes, and no allocation. Whatever is written in any
// other way is left to Decode, and a fuzz test holds the two together.

// scanner reads claims without allocating: what it returns is good until its
// next scan.
type scanner struct {
	names         *names
	spent         *spent
	until, called time.Time
	spend         Spend
	version       string // of the last selfie: that of the next may be the same
}

// claim reads a claim written by Encode. ok is false if it is anything else.
func (c *scanner) claim(value []byte) (r Record, ok bool) {
	s := scan{rest: value, ok: true}
	s.expect(`{"step":"claimed"`)
	if s.skip(spendHead) {
		c.spend = c.readSpend(&s)
		r.Spend = &c.spend
	}
	s.expect(`,"claim":`)
	r.Step, r.Claim = Claimed, int(s.number())
	if s.skip(`,"source":{"topic":"`) {
		r.Source.Topic = c.names.get(s.text())
		s.expect(`,"offset":`)
		r.Source.Offset = s.number()
		s.expect(`}`)
	}
	s.expect(`,"owner":"`)
	owner := s.text()
	s.expect(`,"until":"`)
	c.until = s.time()
	r.Until = &c.until
	if s.skip(`,"called":"`) {
		c.called = s.time()
		r.Called = &c.called
	}
	if s.skip(`,"vendor":"`) {
		r.Vendor = event.Vendor(c.names.get(s.text()))
		s.ok = s.ok && r.Vendor != ""
	}
	r.Supersede = s.skip(`,"supersede":true`)
	if s.skip(`,"attempts":`) {
		r.Attempts = int(s.number())
	}
	if s.skip(`,"calls":`) {
		r.Calls = int(s.number())
	}
	if s.skip(selfieHead) {
		r.Selfie = c.readSelfie(&s)
	}
	if s.skip(`,"revision":`) {
		r.Revision = int(s.number())
	}
	s.expect(`}`)
	return r, s.ok && len(s.rest) == 0 && r.Claim > 0 && len(owner) > 0
}

const selfieHead = `,"selfie":{"sha256":"`

// readSelfie reads what follows selfieHead.
func (c *scanner) readSelfie(s *scan) (v Selfie) {
	// The same reading as encoding/json's; it has no error.
	s.ok = v.SHA256.UnmarshalText(s.text()) == nil && s.ok
	if s.skip(`,"bytes":`) {
		v.Bytes = s.number()
	}
	if s.skip(`,"version":"`) {
		if text := s.text(); c.version != string(text) {
			c.version = string(text)
		}
		v.Version = c.version
	}
	s.expect(`}`)
	return v
}

const spendHead = `,"spend":{`

// readSpend reads what follows spendHead.
func (c *scanner) readSpend(s *scan) (v Spend) {
	if s.skip(`"campaign":"`) {
		v.Campaign = c.spent.name(s.text())
		s.expect(`,`)
	}
	s.expect(`"day":`)
	v.Day = Day(s.number())
	for _, part := range []struct {
		head   string
		amount *event.Amount
	}{{`,"reserved":`, &v.Reserved}, {`,"lost":`, &v.Lost}, {`,"cost":`, &v.Cost}} {
		if s.skip(part.head) {
			*part.amount = event.Amount(s.number())
		}
	}
	s.expect(`}`)
	s.ok = s.ok && v.sane()
	return v
}

// answerSpend returns what an answered record's value says that it costs, nil if
// nothing.
func (c *scanner) answerSpend(value []byte) *Spend {
	s := scan{rest: value, ok: true}
	if !s.skip(`{"step":"answered"` + spendHead) {
		return nil
	}
	if c.spend = c.readSpend(&s); s.ok {
		return &c.spend
	}
	r, err := Decode(value)
	if err != nil {
		return nil
	}
	return r.Spend
}

// looksAnswered tells whether a value is, by its ends and what is between, an
// answered record as Encode writes it. Others are for Decode to judge.
func looksAnswered(value []byte) bool {
	return stepOf(value) == Answered && bytes.HasSuffix(value, []byte("}}")) &&
		bytes.Contains(value, []byte(`"answer":{"outcome":"`))
}

// ReferenceOf returns the vendor's reference in an answered record's value, ""
// if it is another record or has none. A quote inside a JSON string is escaped,
// so the name cannot be found inside of one.
func ReferenceOf(value []byte) string {
	const name = `"reference":"`
	if stepOf(value) != Answered {
		return ""
	}
	i := bytes.Index(value, []byte(name))
	if i < 0 {
		return ""
	}
	s := scan{rest: value[i+len(name):], ok: true}
	return string(s.text())
}

// scan reads JSON text from the front. Once ok is false it stays so.
type scan struct {
	rest []byte
	ok   bool
}

// skip moves past text if it comes next.
func (s *scan) skip(text string) bool {
	if len(s.rest) < len(text) || string(s.rest[:len(text)]) != text {
		return false
	}
	s.rest = s.rest[len(text):]
	return true
}

func (s *scan) expect(text string) { s.ok = s.skip(text) && s.ok }

// number reads an integer as encoding/json writes it.
func (s *scan) number() int64 {
	n := 0
	for n < len(s.rest) && (s.rest[n] == '-' || '0' <= s.rest[n] && s.rest[n] <= '9') {
		n++
	}
	v, err := strconv.ParseInt(string(s.rest[:n]), 10, 64)
	leading := n > 1 && s.rest[0] == '0' || n > 2 && s.rest[0] == '-' && s.rest[1] == '0' || n == 2 && string(s.rest[:n]) == "-0"
	s.ok = s.ok && err == nil && !leading
	s.rest = s.rest[n:]
	return v
}

// text reads a string up to its quote; one with escapes, or with anything but
// printable ASCII, is left to encoding/json.
func (s *scan) text() []byte {
	n := bytes.IndexByte(s.rest, '"')
	if n < 0 {
		s.ok = false
		return nil
	}
	text := s.rest[:n]
	for _, c := range text {
		if c == '\\' || c < ' ' || c > '~' {
			s.ok = false
			return nil
		}
	}
	s.rest = s.rest[n+1:]
	return text
}

// time reads a time and its closing quote.
func (s *scan) time() time.Time {
	text := s.text()
	var t time.Time
	// The same reading as encoding/json's, which is stricter than Parse's.
	s.ok = t.UnmarshalText(text) == nil && s.ok
	return t
}

// maxNames is more than there are request topics, vendors, and reasons to park.
const maxNames = 16

// names gives all entries the same copy of a name that comes again and again.
type names struct{ known []string }

func (n *names) get(name []byte) string {
	for _, k := range n.known {
		if k == string(name) {
			return k
		}
	}
	k := string(name)
	if len(n.known) < maxNames {
		n.known = append(n.known, k)
	}
	return k
}
