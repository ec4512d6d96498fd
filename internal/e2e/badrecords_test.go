package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"reauth/internal/event"
)

const goodRequest = `{"request_id":"bad-1","submission_id":"sub-approve-bad","selfie_key":"selfies/1.jpg","user_id":"user-canary-bad"}`

// badRequests are records that are no requests. That each is refused with the
// right words is the business of package event; here it is that none stops the
// service, and all end as dead letters.
var badRequests = map[string]string{
	"nothing":                    "",
	"not JSON":                   "user-canary-bad",
	"JSON cut short":             goodRequest[:60],
	"more than one value":        goodRequest + goodRequest,
	"an array":                   "[" + goodRequest + "]",
	"null":                       "null",
	"bytes":                      "\x00\xff\xfe\x80",
	"not UTF-8":                  strings.Replace(goodRequest, "bad-1", "bad-\xff", 1),
	"a depth of ten thousand":    strings.Repeat("[", 10000),
	"no request id":              strings.Replace(goodRequest, `"request_id":"bad-1",`, "", 1),
	"a request id out of bounds": strings.Replace(goodRequest, "bad-1", strings.Repeat("b", 129), 1),
	"no submission":              strings.Replace(goodRequest, `"submission_id":"sub-approve-bad",`, "", 1),
	"both ids":                   strings.Replace(goodRequest, "{", `{"applicant_id":"aplt_1",`, 1),
	"a name twice":               strings.Replace(goodRequest, "{", `{"submission_id":"sub-other",`, 1),
	"a name in other letters":    strings.Replace(goodRequest, "{", `{"Submission_ID":"sub-other",`, 1),
	"an unknown vendor":          strings.Replace(goodRequest, "{", `{"vendor":"nobody",`, 1),
	"a vendor that is not on":    strings.Replace(goodRequest, "{", `{"vendor":"faceki",`, 1),
	"a bucket off the list":      strings.Replace(goodRequest, "{", `{"selfie_bucket":"other-bucket",`, 1),
	"70 KiB":                     strings.Replace(goodRequest, "{", `{"x":"`+strings.Repeat("x", 70<<10)+`",`, 1),
	"900 KiB":                    strings.Repeat("x", 900<<10),
	"a path upwards":             strings.Replace(goodRequest, "selfies/1.jpg", "selfies/../../etc/passwd", 1),
	"a path from the root":       strings.Replace(goodRequest, "selfies/1.jpg", "/etc/passwd", 1),
	"a path with a backslash":    strings.Replace(goodRequest, "selfies/1.jpg", `a\\..\\b`, 1),
	"a path with escaped dots":   strings.Replace(goodRequest, "selfies/1.jpg", `a/\u002e\u002e/b`, 1),
	"an empty path":              strings.Replace(goodRequest, "selfies/1.jpg", "", 1),
	"a time that is none":        strings.Replace(goodRequest, "{", `{"not_after":"tomorrow",`, 1),
}

// badSteps are records that are no steps of the ledger.
func badSteps() []string {
	long := strings.Repeat("x", 900<<10)
	return []string{
		"", "garbage", "null", "[]", "{}", "\x00\xff", `{"step":`, `{"step":7}`, `{"step":"danced"}`,
		`{"step":"claimed"}`, `{"step":"claimed","claim":-1,"owner":"x"}`, `{"step":"claimed","claim":1,"owner":"x","until":"soon"}`,
		`{"step":"answered"}`, `{"step":"answered","claim":1,"answer":{}}`, `{"step":"answered","claim":1,"answer":7}`,
		`{"step":"parked"}`, `{"step":"parked","due":"2026-01-01T00:00:00Z","original":null}`,
		`{"step":"checkpoint"}`, `{"step":"checkpoint","published":"never"}`,
		`{"specversion":"1.0","type":"com.example.other","data":{"step":"claimed"}}`, goodRequest,
		long, `{"step":"claimed","owner":"` + long + `"}`, strings.Repeat("[", 100000),
	}
}

func TestRecordsOfEveryBadKindAreReportedAndNeverFatal(t *testing.T) {
	concurrently(t)
	w := newWorld(t, setting{sandbox: vendor(50*time.Millisecond, 0), environ: []string{"REAUTH_VENDORS__ARGOS__LIMITS=100/s"}})
	w.ask(mixed(40)...)
	w.publishBadRequests()
	before := w.publishBadSteps("before")
	w.publishElsewhere()
	first := w.startWorking(1)[0]
	w.awaitResults(30 * time.Second)
	w.awaitCommitted(30 * time.Second)

	// And while it works.
	w.publishBadRequests()
	during := w.publishBadSteps("during")
	w.publishElsewhere()
	w.ask(badSelfies()...)
	w.publishInTransaction(request(2000, "approve", "8KB.jpg"), kgo.TryAbort) // which is not asked for
	w.publishInTransaction(request(2001, "approve", "8KB.jpg"), kgo.TryCommit)
	w.awaitResults(30 * time.Second)
	w.awaitCommitted(30 * time.Second)
	if !first.alive() {
		t.Fatalf("the consumer ended: %v", first.err)
	}
	if n, want := first.metric("reauth_dead_letters_total"), len(w.campaign.dead); int(n) != want {
		t.Errorf("%v dead letters counted, want %d", n, want)
	}
	if n := first.metric(`reauth_unreadable_records_total{topic="` + w.topics.Ledger); int(n) < before {
		t.Errorf("%v unreadable records of the ledger counted, want at least %d", n, before)
	}

	// And whoever takes over.
	first.stop()
	second := w.startWorking(1)[0]
	w.ask(request(3000, "approve", "8KB.jpg"))
	w.awaitResults(30 * time.Second)
	w.audit()
	if n := second.metric(`reauth_unreadable_records_total{topic="` + w.topics.Ledger); int(n) < before+during {
		t.Errorf("%v unreadable records of the ledger counted after a takeover, want at least %d", n, before+during)
	}
	if said := len(second.log.said("ledger record ignored")); said < before+during {
		t.Errorf("%d unreadable records of the ledger logged, want at least %d", said, before+during)
	}
}

// badSelfies are requests whose selfies are of no use, and one that came too late.
func badSelfies() (requests []event.Request) {
	for i, selfie := range []string{"pngbomb.png", "empty.jpg", "truncated-8KB.jpg", "notimage.jpg", "huge.jpg", "missing.jpg"} {
		requests = append(requests, request(1000+i, "approve", selfie))
	}
	late := request(1100, "approve", "8KB.jpg")
	late.NotAfter = time.Now().Add(-time.Hour)
	return append(requests, late)
}

func (w *world) publishBadRequests() {
	w.t.Helper()
	for name, value := range badRequests {
		r := &kgo.Record{Topic: w.topics.Requests, Key: []byte(name), Value: []byte(value)}
		if name == "nothing" {
			r.Value = nil
		}
		if err := w.publish(w.ctx, r); err != nil {
			w.t.Fatalf("publishing %s: %v", name, err)
		}
		w.campaign.dead[positionOf(r)] = fmt.Sprintf("%s at %d/%d", name, r.Partition, r.Offset)
	}
}

// publishBadSteps returns how many of the records it wrote cannot be read.
func (w *world) publishBadSteps(key string) int {
	w.t.Helper()
	steps := badSteps()
	for i, value := range steps {
		r := &kgo.Record{Topic: w.topics.Ledger, Key: fmt.Appendf(nil, "%s-%d", key, i), Value: []byte(value)}
		if i%5 == 4 {
			r.Key = nil
		}
		if err := w.publish(w.ctx, r); err != nil {
			w.t.Fatal(err)
		}
	}
	// What claims to be an answer is taken for one until somebody asks for it.
	return len(steps) - len(slices.DeleteFunc(steps, func(s string) bool { return !strings.Contains(s, `"answered"`) }))
}

// publishElsewhere writes what is no event of ours to the results and signals.
func (w *world) publishElsewhere() {
	w.t.Helper()
	w.campaign.foreign["foreign"] = true
	for _, value := range []string{"", "garbage", "null", `{"step":"pause"}`, `{"kind":7}`, `{"until":"x"}`, "\xff\x00", strings.Repeat("y", 900<<10), strings.Repeat("[", 100000)} {
		err := w.publish(w.ctx,
			&kgo.Record{Topic: w.topics.Results, Key: []byte("foreign"), Value: []byte(value), Headers: []kgo.RecordHeader{{Key: "ce_id", Value: []byte(value[:min(len(value), 100)])}}},
			&kgo.Record{Topic: w.topics.Signals, Value: []byte(value)},
			&kgo.Record{Topic: w.topics.Signals, Key: []byte("x"), Value: nil},
		)
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// publishInTransaction publishes a request that is followed by a control record.
func (w *world) publishInTransaction(r event.Request, end kgo.TransactionEndTry) {
	w.t.Helper()
	value, err := json.Marshal(r)
	if err != nil {
		w.t.Fatal(err)
	}
	client, err := kgo.NewClient(append(w.client.Opts(), kgo.TransactionalID(w.group), kgo.ConsumeTopics())...)
	if err != nil {
		w.t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		w.t.Fatal(err)
	}
	rec := &kgo.Record{Topic: w.topics.Requests, Key: []byte(r.RequestID), Value: value}
	if err := client.ProduceSync(w.ctx, rec).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
	if err := client.EndTransaction(w.ctx, end); err != nil {
		w.t.Fatal(err)
	}
	if end == kgo.TryCommit {
		w.campaign.add(r, positionOf(rec))
	}
}
