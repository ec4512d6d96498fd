package ledger

import "reauth/internal/event/jsonobject"

// Encode returns the record's value: its fields in the order of Record, as
// encoding/json would write them.
func (r Record) Encode() []byte {
	w := jsonobject.New(512)
	w.Text("step", string(r.Step))
	if r.Spend != nil {
		w.Value("spend", r.Spend)
	}
	w.IntIf("claim", int64(r.Claim))
	if r.Source != (Source{}) {
		w.Open("source")
		w.Text("topic", r.Source.Topic)
		w.Int("offset", r.Source.Offset)
		w.Close()
	}
	w.TextIf("owner", r.Owner)
	w.TimeIf("until", r.Until)
	w.TimeIf("called", r.Called)
	w.TextIf("vendor", string(r.Vendor))
	w.TrueIf("supersede", r.Supersede)
	w.IntIf("attempts", int64(r.Attempts))
	w.IntIf("calls", int64(r.Calls))
	if r.Selfie != (Selfie{}) {
		w.Open("selfie")
		r.Selfie.write(w)
		w.Close()
	}
	if r.Answer != nil {
		w.Open("answer")
		r.Answer.write(w)
		w.Close()
	}
	w.TimeIf("due", r.Due)
	w.TextIf("why", r.Why)
	w.TrueIf("unknown", r.Unknown)
	w.TextIf("state", r.State)
	w.TextIf("reference", r.Reference)
	if r.Original != nil {
		w.Value("original", r.Original)
	}
	w.IntIf("revision", int64(r.Revision))
	w.TimeIf("published", r.Published)
	if len(r.Closed) > 0 {
		w.Value("closed", r.Closed)
	}
	if len(r.Failed) > 0 {
		w.Value("failed", r.Failed)
	}
	if len(r.Marks) > 0 {
		w.Value("marks", r.Marks)
	}
	w.IntIf("barrier", int64(r.Barrier))
	if r.Order != nil {
		w.Value("order", r.Order)
	}
	if r.Spent != nil {
		w.Value("spent", r.Spent)
	}
	if r.FollowUp != nil {
		w.Value("follow_up", r.FollowUp)
	}
	value, err := w.End()
	if err != nil {
		panic("ledger: " + err.Error()) // no field can fail, nor can the time of an event.Record that was read
	}
	return value
}

func (a *Answer) write(w *jsonobject.Writer) {
	w.Text("outcome", string(a.Outcome))
	if len(a.Reasons) > 0 {
		w.Value("reasons", a.Reasons)
	}
	if len(a.Codes) > 0 {
		w.Value("codes", a.Codes)
	}
	if len(a.Scores) > 0 {
		w.Numbers("scores", a.Scores)
	}
	w.TextIf("reference", a.Reference)
	w.TextIf("liveness", string(a.Liveness))
	w.TextIf("sha256", a.SHA256)
	w.IntIf("bytes", a.Bytes)
	w.TextIf("selfie_version", a.SelfieVersion)
	a.TimingsMS.Write("timings_ms", w)
	w.Time("completed_at", a.CompletedAt)
	w.IntIf("attempts", int64(a.Attempts))
	w.IntIf("calls", int64(a.Calls))
	w.IntIf("cost", int64(a.Cost))
	w.TextIf("currency", a.Currency)
	w.TrueIf("revisable", a.Revisable)
	if a.Dead != nil {
		w.Value("dead", a.Dead)
	}
}
