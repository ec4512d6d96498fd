package stream_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestQuietMemberIsSustained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a := join(t, kafka)
		eventually(t, []*owner{a}, settled(6, a))
		a.finish(0, 1)
		time.Sleep(2 * time.Second)
		for range 5 * 60 * 10 { // nothing more to commit
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			if left := time.Until(a.sustainedUntil()); left < 20*time.Second || left > 29*time.Second {
				t.Fatalf("calls may be made for %s more", left)
			}
		}
	})
}

func TestMemberOfAGroupWithoutOffsetsIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a := join(t, kafka)
		eventually(t, []*owner{a}, settled(6, a))
		time.Sleep(5 * time.Minute)
		if len(a.mayCall()) != 6 {
			t.Error("no calls may be made, and so nothing will ever be committed")
		}
	})
}

// A process that stands still is, to itself, one to whom nobody answers.
func TestMemberIsNotSustainedWithoutTheCoordinatorsWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a := join(t, kafka)
		eventually(t, []*owner{a}, settled(6, a))
		a.finish(0, 1)
		time.Sleep(2 * time.Second)
		heard := time.Now()
		kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.UnknownServerError, Count: -1})
		time.Sleep(time.Minute)
		if until := a.sustainedUntil(); until.After(heard.Add(29 * time.Second)) {
			t.Errorf("calls may be made until %s after the last commit", until.Sub(heard))
		}
		if a.generations() != 1 || len(a.allSuspensions()) > 0 {
			t.Error("the generation ended: the test shows nothing")
		}
	})
}

func TestGenerationBeginsSustained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a := join(t, kafka)
		eventually(t, []*owner{a}, settled(6, a))
		a.finish(0, 1)
		time.Sleep(2 * time.Second)
		b := join(t, kafka)
		eventually(t, []*owner{a, b}, settled(6, a, b))
		until, now := a.last().Until, time.Now()
		if until.Before(now.Add(20*time.Second)) || until.After(now.Add(29*time.Second)) {
			t.Errorf("calls may be made for %s after the assignment", until.Sub(now))
		}
	})
}
