package sandbox

import "reauth/internal/event"

// ExpectRequest predicts how a request ends: Expect, or what its vendor has in its
// place. An empty vendor is Argos.
func ExpectRequest(r event.Request) Expectation {
	switch r.Vendor {
	case event.Faceki:
		return ExpectFaceki(r.SubmissionID, r.SelfieKey)
	case event.Checkout:
		return ExpectCheckout(r.ApplicantID)
	case event.Rekognition:
		return ExpectRekognition(r)
	}
	return Expect(r.SubmissionID, r.SelfieKey)
}
