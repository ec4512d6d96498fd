package event

// Reason is a normalised code that says why an outcome is what it is. Vendors'
// own codes travel beside it, untouched, as vendor_codes.
type Reason string

// The reasons, by the outcome that they go with. This list, the JSON Schema's
// enum and the documentation are held together by a test.
const (
	// Rejected.
	SimilarityBelowThreshold Reason = "similarity_below_threshold"
	FaceOccluded             Reason = "face_occluded"
	FaceProtectionMissing    Reason = "face_protection_missing"
	HeadProtectionMissing    Reason = "head_protection_missing"
	NoMatch                  Reason = "no_match"
	NoRecord                 Reason = "no_record"
	MatchedOtherPerson       Reason = "matched_other_person"
	RecordNotActive          Reason = "record_not_active"
	Ambiguous                Reason = "ambiguous"
	Inconsistent             Reason = "inconsistent"
	FaceNotLive              Reason = "face_not_live"
	FaceAltered              Reason = "face_altered"
	FaceMismatch             Reason = "face_mismatch"
	SuspiciousDevice         Reason = "suspicious_device"
	ConsentUnclear           Reason = "consent_unclear"
	KnownFraud               Reason = "known_fraud"
	SubjectRefused           Reason = "subject_refused"
	Inconclusive             Reason = "inconclusive"
	// OtherRejection is a rejection under a code that is new to us.
	OtherRejection Reason = "other_rejection"

	// Unusable.
	NoFace           Reason = "no_face"
	FaceCropped      Reason = "face_cropped"
	FaceTooClose     Reason = "face_too_close"
	FaceTooSmall     Reason = "face_too_small"
	FaceAtBorder     Reason = "face_at_border"
	FaceBlurred      Reason = "face_blurred"
	PoorLight        Reason = "poor_light"
	MultipleFaces    Reason = "multiple_faces"
	SelfieNotFound   Reason = "selfie_not_found"
	SelfieEmpty      Reason = "selfie_empty"
	SelfieTooLarge   Reason = "selfie_too_large"
	SelfieNotImage   Reason = "selfie_not_an_image"
	SelfieTruncated  Reason = "selfie_truncated"
	SelfiePixels     Reason = "selfie_too_many_pixels"
	SelfieUnreadable Reason = "selfie_unreadable"

	// Ineligible.
	SubjectUnknown     Reason = "subject_unknown"
	SubjectNotApproved Reason = "subject_not_approved"
	// ReferenceUnusable: not the selfie, but the picture to compare it with.
	ReferenceUnusable Reason = "reference_unusable"

	// Expired and withdrawn.
	NotAfterPassed Reason = "not_after_passed"
	WithdrawnBy    Reason = "withdrawn_by_upstream"

	// Failed.
	AttemptsExhausted Reason = "attempts_exhausted"
	RequestRefused    Reason = "request_refused"
	SelfieForbidden   Reason = "selfie_forbidden"
	UnknownOutcome    Reason = "unknown_outcome"
)
