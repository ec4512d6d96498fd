package argossim

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// listed collects the ids of every page, following nextPage_key.
func listed(t *testing.T, s *Simulator, query string) (ids []string, pages int) {
	t.Helper()
	next := ""
	for {
		got := get(s, http.MethodGet, "/v3/faceauth?"+query+next)
		body := parse[[]page](t, got)
		if len(body) != 1 || len(body[0].Data) > listMost {
			t.Fatalf("got %s, want one project", got.body)
		}
		if pages++; pages > 100 {
			t.Fatal("the pages do not end")
		}
		for _, it := range body[0].Data {
			ids = append(ids, it.AuthID)
		}
		if body[0].Next == nil {
			return ids, pages
		}
		next = "&nextKey_id=" + body[0].Next.AuthID + "&nextKey_date=" + body[0].Next.CreateTime
	}
}

func TestListPagesThroughEverythingOnceNewestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, nil)
		var made []string
		for i := range 10 {
			a := parse[result](t, post(s, submit(fmt.Sprintf("sub-approve-%d", i))))
			made = append(made, a.AuthenticationID)
			if i%3 == 0 { // some share a millisecond
				time.Sleep(time.Hour)
			}
		}
		for count, wantPages := range map[int]int{1: 10, 3: 4, 5: 2, 10: 1, 2000: 1} {
			ids, pages := listed(t, s, fmt.Sprintf("count=%d", count))
			if ids[len(ids)-1] != made[0] {
				t.Errorf("count %d: the oldest is not last", count)
			}
			slices.Sort(ids)
			sorted := slices.Sorted(slices.Values(made))
			if !slices.Equal(ids, sorted) || pages != wantPages {
				t.Errorf("count %d: %d ids on %d pages, want each of %d once on %d", count, len(ids), pages, len(made), wantPages)
			}
		}
	})
}

func TestListFiltersByIDAndByWholeDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, nil)
		midnight := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
		time.Sleep(time.Until(midnight) - time.Millisecond)
		before := parse[result](t, post(s, submit("sub-approve-1"))).AuthenticationID
		time.Sleep(time.Millisecond)
		after := parse[result](t, post(s, submit("sub-approve-2"))).AuthenticationID
		today, yesterday := midnight.Format(time.DateOnly), midnight.AddDate(0, 0, -1).Format(time.DateOnly)
		for query, want := range map[string][]string{
			"":                     {after, before},
			"startDate=" + today:   {after},
			"endDate=" + yesterday: {before},
			"startDate=" + yesterday + "&endDate=" + today: {after, before},
			"authId=" + before: {before},
			"auth_id=" + after: {after},
			"authId=nobody":    nil,
		} {
			if ids, _ := listed(t, s, query); !slices.Equal(ids, want) {
				t.Errorf("%q: got %q, want %q", query, ids, want)
			}
		}
	})
}

func TestListRefusesWhatItDoesNotUnderstand(t *testing.T) {
	s := setup(t, nil)
	for _, query := range []string{"count=0", "count=2001", "count=x", "startDate=01-02-2024", "endDate=soon", "nextKey_id=a", "nextKey_date=2024-01-01T00:00:00.000Z", "nextKey_id=a&nextKey_date=monday"} {
		wantReply(t, get(s, http.MethodGet, "/v3/faceauth?"+query), http.StatusBadRequest,
			`{"errorCode":"Data parsing error. Please check input data."}`)
	}
}

func TestListHasBothShapesAndItsOwnNames(t *testing.T) {
	s := setup(t, nil)
	post(s, submit("sub-reject-two-1"))
	paged := parse[[]map[string]any](t, get(s, http.MethodGet, "/v3/faceauth"))
	adjust(t, s, func(k *Knobs) { k.ListShape = ListFlat })
	flat := parse[[]map[string]any](t, get(s, http.MethodGet, "/v3/faceauth"))

	if paged[0]["faceAuth_projectId"] == nil || len(paged[0]["data"].([]any)) != 1 {
		t.Errorf("paged: %v", paged)
	}
	it := flat[0]
	for _, name := range []string{"auth_id", "auth_status", "create_time", "submit_type", "kyc_submission_id", "delete_check", "policy", "result", "reject_comment"} {
		if _, ok := it[name]; !ok {
			t.Errorf("item has no %s: %v", name, it)
		}
	}
	if it["auth_status"] != "rejected" || it["kyc_submission_id"] != "sub-reject-two-1" || len(it["reject_comment"].([]any)) != 2 {
		t.Errorf("item: %v", it)
	}
}

func TestListLagHidesWhatIsYoung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, func(k *Knobs) { k.ListLagMS = 2000 })
		post(s, submit("sub-approve-1"))
		time.Sleep(1999 * time.Millisecond)
		if ids, _ := listed(t, s, ""); len(ids) != 0 {
			t.Errorf("listed %q too early", ids)
		}
		time.Sleep(time.Millisecond)
		if ids, _ := listed(t, s, ""); len(ids) != 1 {
			t.Errorf("listed %q, want one", ids)
		}
	})
}

func TestEraseTakesThePictureAndKeepsTheEntry(t *testing.T) {
	s := setup(t, nil)
	id := parse[result](t, post(s, submit("sub-approve-1"))).AuthenticationID
	if got := get(s, http.MethodGet, "/v3/faceauth/image?authId="+id); got.status != 200 || got.body == "" {
		t.Errorf("image before: %d %s", got.status, got.body)
	}
	for range 2 {
		wantReply(t, get(s, http.MethodDelete, "/v3/faceauth?authId="+id), 200, `{"message":"success"}`)
	}
	wantReply(t, get(s, http.MethodGet, "/v3/faceauth/image?authId="+id), 404,
		`{"errorCode":"NOT_FOUND","message":"faceAuth_project not found","traceId":"sandbox"}`)
	items := parse[[]page](t, get(s, http.MethodGet, "/v3/faceauth?authId="+id))[0].Data
	if len(items) != 1 || !items[0].DeleteCheck {
		t.Errorf("listed %v, want one with delete_check", items)
	}
	wantReply(t, get(s, http.MethodDelete, "/v3/faceauth"), 400, `{"errorCode":"required key is missing"}`)
	wantReply(t, get(s, http.MethodDelete, "/v3/faceauth?authId=nobody"), 400,
		`{"errorCode":"Cannot find submission. Please check input data."}`)
}
