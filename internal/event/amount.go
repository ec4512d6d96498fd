package event

import (
	"errors"
	"strconv"
	"strings"
)

// Amount is a sum of money in millionths of a unit of its currency: 100000 is
// 0.10. Sums of it are exact, which those of floating-point numbers are not.
type Amount int64

const (
	amountPlaces = 6
	amountUnit   = 1_000_000
	// maxAmountDigits keeps every amount that is read far from overflow.
	maxAmountDigits = 12
)

// ParseAmount reads a decimal amount that is not negative, with at most 12
// digits before the point and 6 after it: 0.10, 12, 0.000001. Its error reads
// after the amount, as in "is not an amount".
func ParseAmount(s string) (Amount, error) {
	units, places, pointed := strings.Cut(s, ".")
	if units == "" || pointed && places == "" || !digitsOnly(units) || !digitsOnly(places) {
		return 0, errors.New("is not an amount")
	}
	if len(places) > amountPlaces {
		return 0, errors.New("has more than 6 places")
	}
	if len(units) > maxAmountDigits {
		return 0, errors.New("has more than 12 digits before the point")
	}
	whole, err := strconv.ParseInt(units+places+strings.Repeat("0", amountPlaces-len(places)), 10, 64)
	return Amount(whole), err
}

func digitsOnly(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || '9' < r })
}

// String returns the amount with two places, or as many as it needs: 0.10,
// 0.125. ParseAmount gives the same amount back unless it is negative.
func (a Amount) String() string {
	sign, v := "", uint64(a)
	if a < 0 {
		sign, v = "-", -v
	}
	places := strconv.FormatUint(v%amountUnit+amountUnit, 10)[1:]
	for len(places) > 2 && places[len(places)-1] == '0' {
		places = places[:len(places)-1]
	}
	return sign + strconv.FormatUint(v/amountUnit, 10) + "." + places
}

// Units returns the amount in units of its currency, for metrics. It is not
// exact.
func (a Amount) Units() float64 { return float64(a) / amountUnit }
