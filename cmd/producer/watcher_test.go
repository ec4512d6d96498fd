package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/campaign"
	"reauth/internal/config"
	"reauth/internal/event"
)

// A campaign whose first request has its result is not complete as long as the
// topic of requests may hold more of them.
func TestTheCountIsNotBelievedBeforeAllRequestsWereRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests, results := place{event.TopicRequests, 0}, place{event.TopicResults, 0}
		w := watcher{
			campaign: "camp", counts: true, progress: campaign.NewProgress("camp"), scanner: scanner{messages: newConsole()},
			topics: config.Topics{Requests: event.TopicRequests, Results: event.TopicResults, Dead: event.TopicDead},
		}
		sightings := make(chan sighting)
		ended := make(chan error, 1)
		go func() {
			ended <- w.follow(context.Background(), sightings, nil, map[place]int64{}, map[place]int64{requests: 2})
		}()
		ask := func(id string, offset int64) {
			record, err := event.Request{RequestID: id, SubmissionID: "s", SelfieKey: "a.jpg", CampaignID: "camp"}.Record(event.TopicRequests)
			if err != nil {
				t.Error(err)
			}
			record.Offset = offset
			sightings <- sighting{place: requests, record: record}
		}
		answer := func(id string) {
			record, err := event.Result{RequestID: id, CampaignID: "camp", Outcome: event.Approved, Liveness: event.LivenessNone,
				Revision: 1, CompletedAt: time.Now()}.Record(event.TopicResults, "/test")
			if err != nil {
				t.Error(err)
			}
			sightings <- sighting{place: results, record: record}
		}
		ask("r1", 0)
		answer("r1")
		synctest.Wait()
		select {
		case err := <-ended:
			t.Fatalf("it ended early: %v", err)
		default:
		}
		ask("r2", 1)
		answer("r2")
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
