package checkoutsim

import "reauth/internal/sandbox/fault"

// The methods of this file move an authentication on. They are called with books
// held, and each does nothing when it comes too late: when the attempt is not, or
// no longer, where it would have to be.

// create makes an authentication.
func (s *Simulator) create(applicant, journey, key, base string, script Script) *authentication {
	at := now()
	a := &authentication{
		id: newID("fav_"), applicant: applicant, journey: journey, key: key, base: base, script: script,
		created: at, modified: at, status: Created,
	}
	s.authentications[a.id] = a
	s.count(func(st *Stats) { st.Created++ })
	s.ledger.creations.Add(&Creation{a.id, a.applicant, a.key, a.created})
	s.tell(a, "created")
	return a
}

// begin makes an attempt, which ends the one before it.
func (s *Simulator) begin(a *authentication, redirectURL string, client *clientInformation) *attempt {
	before := a.status
	live := 1
	if last := a.last(); last != nil && last.status.live() {
		live = 2
		s.count(func(st *Stats) { st.AttemptsWhileLive++ })
		s.end(last, AttemptTerminated)
	}
	s.count(func(st *Stats) {
		st.Attempts++
		st.PeakLive = max(st.PeakLive, live)
	})
	at := &attempt{
		of: a, id: newID("fatp_"), token: newSecret(), created: now(), modified: now(),
		status: AttemptPending, redirectURL: redirectURL, client: client,
	}
	a.attempts = append(a.attempts, at)
	s.links[at.token], s.attempts[at.id] = at, at
	a.set(Pending)
	switch before {
	case RetryRequired:
		s.tell(a, "retry_requested")
	case Pending, CaptureInProgress:
		s.tell(a, "reset")
	}
	s.after(s.Knobs().Link, func() { s.expire(at) })
	s.invite(at)
	return at
}

// expire ends an attempt whose link nobody made use of.
func (s *Simulator) expire(at *attempt) {
	if at.status != AttemptPending {
		return
	}
	s.count(func(st *Stats) { st.Expired++ })
	if h, ok := at.of.script.After(at.of.met); ok && h.Kind == NoShow {
		at.of.met++
	}
	s.retry(at, AttemptExpired, codeNeverStarted, "link_expired")
}

// open is somebody looking at the link; false if it leads nowhere any more.
func (s *Simulator) open(at *attempt, who session) bool {
	if !at.status.live() {
		s.count(func(st *Stats) { st.DeadLinks++ })
		return false
	}
	if at.visitor != nil {
		at.visitor.Sessions++
		return true
	}
	who.Sessions = 1
	at.visitor = &who
	at.modified = now()
	at.of.set(Pending)
	s.tell(at.of, "opened")
	return true
}

// start begins the capture.
func (s *Simulator) start(at *attempt) {
	if at.status != AttemptPending {
		return
	}
	s.end(at, AttemptCapture)
	at.of.set(CaptureInProgress)
	s.tell(at.of, "started")
}

// capture ends the capture and begins the checks.
func (s *Simulator) capture(at *attempt) {
	if at.status != AttemptCapture {
		return
	}
	s.end(at, AttemptChecks)
	at.captured = true
	status := ChecksInProgress
	if at.of.script.Odd {
		status = Odd
	}
	at.of.set(status)
	s.tell(at.of, "capture_completed")
	s.after(s.Knobs().Checks, func() { s.check(at) })
}

// abort is the person leaving the capture.
func (s *Simulator) abort(at *attempt, code int) {
	if at.status == AttemptCapture {
		s.retry(at, AttemptAborted, code, "capture_aborted")
	}
}

// refuse is the person not consenting.
func (s *Simulator) refuse(at *attempt) {
	if at.status.live() {
		s.end(at, AttemptRefused, codeRefusal)
		at.of.set(Refused, codeRefusal)
		s.tell(at.of, "capture_refused")
	}
}

// check ends the checks.
func (s *Simulator) check(at *attempt) {
	if at.status != AttemptChecks {
		return
	}
	a := at.of
	if h, ok := a.script.After(a.met); ok && h.Kind == Unclear {
		a.met++
		s.retry(at, AttemptInconclusive, h.Code, "checks_inconclusive")
		s.charge(at)
		return
	}
	switch a.script.Verdict {
	case Inconclusive:
		s.end(at, AttemptTerminated, a.script.Code)
		a.set(Inconclusive, a.script.Code)
		s.tell(a, "closed")
		return
	case Declined:
		a.set(Declined, a.script.Code)
	default: // a person who was to refuse, played by hand
		a.set(Approved, codeApproved)
	}
	s.end(at, AttemptCompleted, a.codes...)
	s.charge(at)
	s.tell(a, "checks_completed")
	if a.script.Audit {
		s.after(s.Knobs().Audit, func() { s.audit(a) })
	}
}

// audit turns the verdict round.
func (s *Simulator) audit(a *authentication) {
	if a.anonymized {
		return
	}
	s.count(func(st *Stats) { st.Audited++ })
	if a.status == Approved {
		a.set(Declined, codeFraud)
	} else {
		a.set(Approved, codeApproved)
	}
	s.tell(a, "audit_completed")
}

// retry ends an attempt without a verdict.
func (s *Simulator) retry(at *attempt, status AttemptStatus, code int, event string) {
	s.end(at, status, code)
	at.of.set(RetryRequired, code)
	s.tell(at.of, event)
}

// charge is for an attempt that has been checked.
func (s *Simulator) charge(at *attempt) {
	s.count(func(st *Stats) { st.Charged++ })
	s.ledger.charges.Add(&Charge{
		AuthenticationID: at.of.id, AttemptID: at.id, ApplicantID: at.of.applicant, Status: at.of.status, At: now(),
	})
}

// end moves an attempt on.
func (s *Simulator) end(at *attempt, status AttemptStatus, codes ...int) {
	at.status, at.codes, at.modified = status, codes, now()
}

// set moves an authentication on.
func (a *authentication) set(status Status, codes ...int) {
	a.status, a.codes, a.modified = status, codes, now()
}

// after does something, with books held, when a time drawn from d has passed.
func (s *Simulator) after(d fault.Delay, do func()) {
	s.mu.Lock()
	wait := d.Sample(s.chance.Random())
	s.mu.Unlock()
	s.errands.after(wait, func() {
		s.books.Lock()
		defer s.books.Unlock()
		do()
	})
}
