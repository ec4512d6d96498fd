package stream

import (
	"encoding/json"
	"fmt"
)

const claimVersion = 1

// claim is what a member tells the group's leader when it joins: the shards
// that it owns, and since when, and whether it wants any.
type claim struct {
	Version int `json:"v"`
	// Generation is Kafka's number of the generation that gave it the shards;
	// zero or less means none.
	Generation int32 `json:"generation"`
	Shards     []int `json:"shards,omitempty"`
	// Leaving says that the member is about to leave and wants no shards. A
	// leader from before there was this field passes over it.
	Leaving bool `json:"leaving,omitempty"`
}

func (c claim) encode() ([]byte, error) {
	c.Version = claimVersion
	data, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encoding the claim of %d shards: %w", len(c.Shards), err)
	}
	return data, nil
}

// decodeClaim never fails: what it cannot read claims nothing, which costs the
// member its shards but not the group its assignment.
func decodeClaim(data []byte) claim {
	var c claim
	if err := json.Unmarshal(data, &c); err != nil || c.Version != claimVersion {
		return claim{}
	}
	return c
}
