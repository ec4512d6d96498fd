package main

import (
	"fmt"
	"strings"
	"time"

	"reauth/internal/campaign"
	"reauth/internal/event"
	"reauth/internal/ledger"
)

// requestDetails is a request as it stands in its record.
type requestDetails struct {
	event.Request
	// Key is the record's, where it is not the request id and may be shown.
	Key      string        `json:"key,omitempty"`
	Redrives int           `json:"redrives,omitempty"`
	Origin   *event.Source `json:"origin,omitempty"`
}

// pendingDetails leaves the link out: who has it can act as the person.
type pendingDetails struct {
	Attempt         int       `json:"attempt"`
	ExpiresAt       time.Time `json:"expires_at"`
	VendorReference string    `json:"vendor_reference,omitempty"`
}

// words says what happened, with the fields that are set.
func (d requestDetails) words() string {
	said := "requested"
	switch {
	case d.Origin != nil:
		said = fmt.Sprintf("redriven no. %d, first read at %s", d.Redrives, positionText(*d.Origin))
	case d.Redrives > 0:
		said = fmt.Sprintf("redriven no. %d", d.Redrives)
	}
	words := []string{fmt.Sprintf("%s: %s", said, d.Vendor)}
	for _, f := range []struct{ name, value string }{
		{"submission", d.SubmissionID}, {"applicant", d.ApplicantID}, {"campaign", d.CampaignID},
		{"selfie_key", d.SelfieKey}, {"user_id", d.UserID}, {"cf1", d.CF1}, {"cf2", d.CF2}, {"cf3", d.CF3},
		{"redirect_url", d.RedirectURL}, {"key", d.Key},
	} {
		if f.value != "" {
			words = append(words, f.name+" "+f.value)
		}
	}
	if !d.NotAfter.IsZero() {
		words = append(words, "not after "+seconds(d.NotAfter))
	}
	return strings.Join(words, ", ")
}

// ledgerWords says what a step of the ledger means.
func ledgerWords(r ledger.Record) string {
	switch r.Step {
	case ledger.Claimed:
		words := fmt.Sprintf("claimed no. %d by %s until %s", r.Claim, r.Owner, seconds(*r.Until))
		if r.Supersede {
			words += ", to supersede the failed answer"
		}
		return words
	case ledger.Answered:
		return fmt.Sprintf("answered %s, %s", outcomeWords(r.Answer.Outcome, r.Answer.Reasons), count(r.Answer.Calls, "call"))
	case ledger.Parked:
		return fmt.Sprintf("parked until %s because %s, after %s", seconds(*r.Due), r.Why, count(r.Attempts, "attempt"))
	case ledger.Revised:
		return fmt.Sprintf("revision %d noted, %s", r.Revision, outcomeWords(r.Answer.Outcome, r.Answer.Reasons))
	case ledger.Followed:
		task, due := r.FollowUp.Next()
		if task == "" {
			return "followed up, nothing is left"
		}
		return fmt.Sprintf("to be followed up by %s at %s", task, seconds(due))
	}
	return ""
}

func resultWords(r event.Result) string {
	words := fmt.Sprintf("result revision %d %s", r.Revision, outcomeWords(r.Outcome, r.Reasons))
	if !r.Final {
		words += ", not final"
	}
	return words
}

func pendingWords(p event.Pending) string {
	return fmt.Sprintf("waits for the person until %s, link no. %d", seconds(p.ExpiresAt), p.Attempt)
}

func deadWords(d campaign.DeadLetter) string {
	words := fmt.Sprintf("dead letter %s at stage %s (%s)", d.Reason, d.Stage, d.Class)
	if d.Message != "" {
		words += ": " + d.Message // whole: it says what to do
	}
	return words
}

func outcomeWords(o event.Outcome, reasons []event.Reason) string {
	if len(reasons) == 0 {
		return string(o)
	}
	return fmt.Sprintf("%s (%s)", o, names(reasons))
}

func seconds(t time.Time) string { return t.UTC().Format(time.RFC3339) }
