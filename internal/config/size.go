package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, 0 or more.
type Size int64

// The binary units of Size.
const (
	KiB Size = 1 << (10 * (iota + 1))
	MiB
	GiB
	TiB
)

// sizeUnits are the units that ParseSize knows, in lower case: the decimal
// ones, the binary ones, and the binary ones as Kubernetes writes them.
var sizeUnits = map[string]Size{
	"": 1, "b": 1,
	"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
	"kib": KiB, "mib": MiB, "gib": GiB, "tib": TiB,
	"ki": KiB, "mi": MiB, "gi": GiB, "ti": TiB,
}

// ParseSize reads a whole number of bytes, or of a unit: 5242880, 5MiB, 5Mi,
// 500kB. The unit's case does not matter, and a space may stand before it.
func ParseSize(s string) (Size, error) {
	end := 0
	for end < len(s) && '0' <= s[end] && s[end] <= '9' {
		end++
	}
	if end == 0 {
		return 0, errors.New("is not a size")
	}
	unit, ok := sizeUnits[strings.ToLower(strings.TrimPrefix(s[end:], " "))]
	if !ok {
		return 0, errors.New("has no unit of size")
	}
	n, err := strconv.ParseInt(s[:end], 10, 64)
	if err != nil || n > math.MaxInt64/int64(unit) {
		return 0, errors.New("is too large a size")
	}
	return Size(n) * unit, nil
}

// String returns the size in the largest binary unit that divides it, so that
// ParseSize gives the same size back.
func (s Size) String() string {
	for _, u := range []struct {
		size Size
		name string
	}{{TiB, "TiB"}, {GiB, "GiB"}, {MiB, "MiB"}, {KiB, "KiB"}} {
		if s != 0 && s%u.size == 0 {
			return strconv.FormatInt(int64(s/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}
