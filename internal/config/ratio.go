package config

import (
	"errors"
	"strconv"
	"strings"
)

// Ratio is a share of a whole: 0 is none, 1 is all.
type Ratio float64

// ParseRatio reads a fraction, 0.2, or a percentage, 20%.
func ParseRatio(s string) (Ratio, error) {
	number, percent := strings.CutSuffix(s, "%")
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || f != f || f-f != 0 { // not a number, or infinite
		return 0, errors.New("is not a fraction or percentage")
	}
	if percent {
		f /= 100
	}
	return Ratio(f), nil
}

// String returns the ratio as a fraction, so that ParseRatio gives the same
// ratio back.
func (r Ratio) String() string { return strconv.FormatFloat(float64(r), 'f', -1, 64) }
