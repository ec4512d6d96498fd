package checkoutsim

// synthetic is what the vendor notes of a person whom the simulator plays.
var synthetic = session{IPAddress: "192.0.2.7", UserAgent: "sandbox person"}

// invite lets the applicant have the link of a new attempt. A person who is late
// may find that it leads nowhere any more. Called with books held.
func (s *Simulator) invite(at *attempt) {
	a, knobs := at.of, s.Knobs()
	if h, ok := a.script.After(a.met); a.script.Manual || ok && h.Kind == NoShow {
		return
	}
	think := knobs.Think
	if a.script.Slow {
		think = knobs.Slow
	}
	s.after(think, func() {
		if !s.open(at, synthetic) {
			return
		}
		s.start(at)
		s.after(s.Knobs().Capture, func() { s.face(at) })
	})
}

// face is what the person does before the camera.
func (s *Simulator) face(at *attempt) {
	a := at.of
	h, ok := a.script.After(a.met)
	switch {
	case at.status != AttemptCapture: // a newer link took over
		s.count(func(st *Stats) { st.DeadLinks++ })
	case ok && h.Kind == Abort:
		a.met++
		s.abort(at, h.Code)
	case a.script.Verdict == Refused && !ok:
		s.refuse(at)
	default:
		s.capture(at)
	}
}
