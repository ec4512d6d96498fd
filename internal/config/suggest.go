package config

import (
	"math"
	"strings"
)

// suggest returns the remedy for a key that no setting has.
func (t *tree) suggest(key string) string {
	if best := t.nearest(key); best != "" {
		return "did you mean " + best + "?"
	}
	return "remove it"
}

// nearest returns the setting or group that key was most likely meant to be,
// empty when none is near: one that differs by a few letters, or the only one
// of the same name in another group.
func (t *tree) nearest(key string) string {
	best, least := "", math.MaxInt
	try := func(candidate string) {
		if d := distance(key, candidate); d < least {
			best, least = candidate, d
		}
	}
	for _, l := range t.leaves {
		try(l.Key)
	}
	for path := range t.groups {
		try(path)
	}
	if least <= 1+len(last(key))/4 {
		return best
	}
	var same []string
	for _, l := range t.leaves {
		if last(l.Key) == last(key) {
			same = append(same, l.Key)
		}
	}
	if len(same) == 1 {
		return same[0]
	}
	return ""
}

// last returns the last level of key.
func last(key string) string { return key[strings.LastIndex(key, ".")+1:] }

// distance is the number of letters to insert, remove, replace or swap with
// their neighbour that turns a into b.
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	var twoBefore []int
	for i := 1; i <= len(a); i++ {
		twoBefore, before, row = before, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(before[j]+1, row[j-1]+1, before[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], twoBefore[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
