package checkout

import "regexp"

// The forms of the vendor's ids, from its API reference. The bound is ours: no
// id is known to be longer than 32 characters, and they are kept in State.
var (
	applicantID          = regexp.MustCompile(`^aplt_\w{1,123}$`)
	userJourneyID        = regexp.MustCompile(`^usj_[a-z2-7]{26}$`)
	faceAuthenticationID = regexp.MustCompile(`^fav_\w{1,92}$`)
	attemptID            = regexp.MustCompile(`^fatp_\w{1,91}$`)
	eventID              = regexp.MustCompile(`^evt_\w{1,92}$`)
)

func isApplicantID(s string) bool          { return applicantID.MatchString(s) }
func isUserJourneyID(s string) bool        { return userJourneyID.MatchString(s) }
func isFaceAuthenticationID(s string) bool { return faceAuthenticationID.MatchString(s) }
func isAttemptID(s string) bool            { return attemptID.MatchString(s) }
func isEventID(s string) bool              { return eventID.MatchString(s) }
