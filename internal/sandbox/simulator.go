package sandbox

// simulator is what the admin API knows of one.
type simulator struct {
	knobs, stats func() any
	reset        func()
	// turn changes knobs, a pointer to them, unless change returns an error;
	// validate looks at them as they are by then.
	turn func(change func(knobs any, validate func() error) error) error
}

// simulators returns those that there are, by the names that they have in the
// admin API.
func (s *Sandbox) simulators() map[string]simulator {
	all := map[string]simulator{"argos": adminOf(s.Argos), "s3": adminOf(s.S3)}
	if s.Faceki != nil {
		all["faceki"] = adminOf(s.Faceki)
	}
	if s.Checkout != nil {
		all["checkout"] = adminOf(s.Checkout)
	}
	if s.Rekognition != nil {
		all["rekognition"] = adminOf(s.Rekognition)
	}
	return all
}

// adminOf lets the admin API turn a simulator with knobs K and stats S.
func adminOf[K interface{ Validate() error }, S any](s interface {
	Knobs() K
	Stats() S
	Reset()
	Adjust(func(*K) error) error
}) simulator {
	return simulator{
		knobs: func() any { return s.Knobs() },
		stats: func() any { return s.Stats() },
		reset: s.Reset,
		turn: func(change func(any, func() error) error) error {
			return s.Adjust(func(k *K) error {
				return change(k, func() error { return (*k).Validate() })
			})
		},
	}
}

func knobsOf(s simulator) any { return s.knobs() }
func statsOf(s simulator) any { return s.stats() }
