// Package argossim simulates the Argos FaceAuth API as an http.Handler. It
// refuses what the real service is known to refuse, takes the harsher reading
// where its documentation is silent, and keeps a ledger of what it charged.
//
// # Submission ids are scripts
//
// What happens to a submission stands in its id, so that a manifest chooses its
// outcomes and every run gives the same ones:
//
//	sub-<script>[-once|-twice|-always][-code|-text][-<anything>]
//
//	approve                  approved
//	reject-similarity        rejected: face_compare_underscore
//	reject-occluded          rejected: Face_Occluded_fail
//	reject-cover             rejected: Face_cover_fail
//	reject-head              rejected: Head_cover_fail
//	reject-two               rejected: similarity and Face_Occluded_fail at once
//	reject-new               rejected with a code that no table knows
//	unknown                  error Invalid_submissionId
//	unapproved               error invalid_submission_status
//	noface                   error no_face
//
// Those are verdicts and never change. The others are mishaps: they happen on
// the first call (or the first two with -twice, or every one with -always) for
// the submission, after which it is approved:
//
//	error-<code>             that error code, known to the vendor or not
//	429, 429bare             throttled, with Retry-After as set, and never with it
//	500, 502, 503            server error; 502 is an HTML page
//	resetearly               connection reset, nothing done
//	504, badjson, reset,     authenticated and charged, but the answer is a gateway
//	hang                     timeout, cut short, a reset connection, or never comes
//
// -code and -text choose whether errorCode holds the code or its message text.
// An id that is no script gets its verdict from Knobs.Mix by its hash. An id
// with a blank at either end is unknown to the vendor: it does not trim.
//
// # What is charged
//
// Every authentication made, approved or rejected, whether or not its answer
// reached the caller, and also when the caller left while it was made. Errors
// and refusals are free.
package argossim
