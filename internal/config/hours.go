package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // images without a time zone database have schedules, too
)

// Hours are a part of the day, on some days of the week, with a pace of their own.
type Hours struct {
	// Days are those on which they begin; none: every day.
	Days []time.Weekday
	// From and To are the time since midnight on the clock of Zone, 0 to 24 h.
	// Hours whose To is not after From end on the next day.
	From, To time.Duration
	Zone     *time.Location
	Pace     Pace
}

// Pace is how fast calls may be made. The zero value is not at all.
type Pace struct {
	// Rate is zero if Share is meant, a part of the pace that the limits give.
	Rate  Rate
	Share Ratio
}

// Of returns the pace in calls per second, for limits that give full.
func (p Pace) Of(full float64) float64 {
	if p.Rate.Count > 0 {
		return float64(p.Rate.Count) / p.Rate.Per.Seconds()
	}
	return float64(p.Share) * full
}

// String returns the pace as ParseHours reads it.
func (p Pace) String() string {
	switch {
	case p.Rate.Count > 0:
		return p.Rate.String()
	case p.Share > 0:
		return p.Share.String()
	}
	return "off"
}

// weekdays are the days by the names that they are written with.
var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseHours reads days, times of day, a time zone and a pace, of which the days
// may be left out: sat/sun 22:00-06:00 Europe/Berlin 10/s. Days are names or
// spans of them (mon-fri), with a slash between, since a comma is between the
// items of a list; the zone is one of the IANA database, and the pace a
// rate of at most a second's window, a share of the limits' (50%), or off.
func ParseHours(s string) (h Hours, err error) {
	fields := strings.Fields(s)
	if len(fields) == 4 {
		if h.Days, err = parseDays(fields[0]); err != nil {
			return Hours{}, err
		}
		fields = fields[1:]
	}
	if len(fields) != 3 {
		return Hours{}, errors.New("is not days, times, a time zone and a pace")
	}
	from, to, _ := strings.Cut(fields[0], "-")
	if h.From, err = parseClock(from); err != nil {
		return Hours{}, err
	}
	if h.To, err = parseClock(to); err != nil {
		return Hours{}, err
	}
	if h.Zone, err = time.LoadLocation(fields[1]); err != nil || fields[1] == "Local" {
		return Hours{}, errors.New("has an unknown time zone")
	}
	h.Pace, err = parsePace(fields[2])
	return h, err
}

func parseDays(s string) (days []time.Weekday, err error) {
	for _, part := range strings.Split(strings.ToLower(s), "/") {
		first, last, span := strings.Cut(part, "-")
		if !span {
			last = first
		}
		i, j := slices.Index(weekdays, first), slices.Index(weekdays, last)
		if i < 0 || j < 0 {
			return nil, errors.New("has days other than sun, mon, tue, wed, thu, fri, sat")
		}
		for d := i; ; d = (d + 1) % len(weekdays) {
			days = append(days, time.Weekday(d))
			if d == j {
				break
			}
		}
	}
	return days, nil
}

// parseClock reads a time of day, 00:00 to 24:00.
func parseClock(s string) (time.Duration, error) {
	if s == "24:00" {
		return 24 * time.Hour, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		return 0, errors.New("has times that are not 00:00 to 24:00")
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

func parsePace(s string) (Pace, error) {
	if s == "off" {
		return Pace{}, nil
	}
	if !strings.Contains(s, "/") {
		share, err := ParseRatio(s)
		if err != nil || share <= 0 || share > 1 {
			return Pace{}, errors.New("has a pace that is no rate, no share and not off")
		}
		return Pace{Share: share}, nil
	}
	r, err := ParseRate(s)
	if err == nil && r.Per > time.Second {
		err = errors.New("has a pace in a window of more than a second")
	}
	return Pace{Rate: r}, err
}

// String returns the hours as ParseHours reads them.
func (h Hours) String() string {
	days := ""
	for i, d := range h.Days {
		if i > 0 {
			days += "/"
		}
		days += weekdays[d]
	}
	if days != "" {
		days += " "
	}
	return fmt.Sprintf("%s%s-%s %s %s", days, showClock(h.From), showClock(h.To), h.Zone, h.Pace)
}

func showClock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
}

const likeHours = "write days, times, a time zone and a pace, such as 22:00-06:00 Europe/Berlin 10/s, mon-fri 08:00-18:00 UTC 50% or sun/wed 02:00-03:00 UTC off"

// hours adds a setting for a schedule.
func hours(g group, field *[]Hours, name, doc string) {
	g.add(&leaf{
		Setting: Setting{
			Key: name, Type: "list of hours", Doc: doc, List: true,
			Bounds: "days (every day if left out), times, an IANA time zone and a pace: a rate, a share of the limits, or off",
		},
		set: func(given []string) *misfit {
			*field = nil
			for _, text := range given {
				h, err := ParseHours(text)
				if err != nil {
					return &misfit{texts.quote(text) + " " + err.Error(), likeHours}
				}
				*field = append(*field, h)
			}
			return nil
		},
		check: func() *misfit { return nil },
	})
}
