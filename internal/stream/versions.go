package stream

import (
	"errors"
	"fmt"
	"slices"

	"github.com/segmentio/kafka-go"
)

// apiUse is one kind of request with the versions that kafka-go can send.
type apiUse struct {
	key      int
	name     string
	versions []int // ascending; one of them must be accepted
}

// apisUsed is what kafka-go v0.4.51 sends on the paths used here (read from its
// source and seen on the wire). It does not notice by itself that a broker has
// dropped its versions: it sends them all the same and the broker hangs up.
// Fetch and Produce start where record headers do, and Fetch tells what was aborted.
var apisUsed = []apiUse{
	{0, "Produce", []int{3, 4, 5, 6, 7, 8}},
	{1, "Fetch", []int{4, 5, 6, 7, 8, 9, 10, 11}},
	{2, "ListOffsets", []int{2, 3, 4, 5}},
	{3, "Metadata", []int{1, 6}},
	{8, "OffsetCommit", []int{2}},
	{9, "OffsetFetch", []int{1}},
	{10, "FindCoordinator", []int{0}},
	{11, "JoinGroup", []int{1, 2}},
	{12, "Heartbeat", []int{0}},
	{13, "LeaveGroup", []int{0}},
	{14, "SyncGroup", []int{0}},
}

var saslAPIsUsed = []apiUse{
	{17, "SaslHandshake", []int{0, 1}},
	{36, "SaslAuthenticate", []int{0, 1}},
}

// checkVersions reports every request that the broker would not understand.
func checkVersions(offered []kafka.ApiVersion, authenticates bool) error {
	uses := apisUsed
	if authenticates {
		uses = slices.Concat(apisUsed, saslAPIsUsed)
	}
	var faults []error
	for _, use := range uses {
		faults = append(faults, use.check(offered))
	}
	return errors.Join(faults...)
}

func (u apiUse) check(offered []kafka.ApiVersion) error {
	i := slices.IndexFunc(offered, func(v kafka.ApiVersion) bool { return int(v.ApiKey) == u.key })
	if i < 0 {
		return fmt.Errorf("it does not offer %s requests", u.name)
	}
	lowest, highest := int(offered[i].MinVersion), int(offered[i].MaxVersion)
	if slices.ContainsFunc(u.versions, func(v int) bool { return lowest <= v && v <= highest }) {
		return nil
	}
	age := "too old"
	if lowest > u.versions[len(u.versions)-1] {
		age = "too new"
	}
	return fmt.Errorf("it is %s for this client: it accepts %s versions %d to %d, needed is one of %v",
		age, u.name, lowest, highest, u.versions)
}
