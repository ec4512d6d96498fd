// Package checkoutsim simulates Checkout.com Identities face authentication as an
// http.Handler: its API, the persons who show their faces, and its webhooks. It
// refuses what the real service is known to refuse, takes the harsher reading
// where its documentation is silent, and keeps a ledger of what it charged.
//
//	POST /connect/token                                 a token for client_id and client_secret
//	POST /face-authentications                          create
//	GET  /face-authentications/{fav}                    get
//	POST /face-authentications/{fav}/anonymize          anonymize
//	POST /face-authentications/{fav}/attempts           attempt: ends the one before it, and its link
//	GET  /face-authentications/{fav}/attempts           list, newest first
//	GET  /face-authentications/{fav}/attempts/{fatp}    show
//	GET  /face-authentications/{fav}/attempts/{fatp}/assets
//	GET  /capture/{token}                               the page behind a verification URL: opens it
//	POST /capture/{token}                               the form on it: do=start, capture, abort or refuse
//	GET  /files/{fatp}/{name}                           what a signed URL points at
//
// # States
//
// An authentication goes through created → pending (it has an attempt) →
// capture_in_progress → checks_in_progress → approved or declined. It falls to
// retry_required when a link expires, a capture is aborted or its checks are
// inconclusive, and ends early as refused or inconclusive. A new attempt is
// allowed in created, pending, capture_in_progress and retry_required, and
// answered with 409 in every other state. There is no idempotency: a create that
// is repeated makes a second authentication.
//
// # Applicant ids are scripts
//
// Who the applicant is stands in the id, so that a manifest chooses its outcomes
// and every run gives the same ones:
//
//	aplt_<script>[_<more script>…][_<anything>]
//
// The person opens the link after Knobs.Think, shows the face for Knobs.Capture,
// and is checked for Knobs.Checks. What comes of it:
//
//	approve            approved
//	decline[_<code>]   declined, with code 62321 unless it says another
//	refuse             the person does not consent: refused
//	close              forcibly closed during the checks: inconclusive
//
// What comes before that, once unless a count says more; several come one after
// the other:
//
//	abort[_<code>][_<count>]     the person leaves the capture: 61121 or the code
//	unclear[_<code>][_<count>]   the checks are inconclusive: 61411 or the code
//	noshow[_<count>]             the link expires unopened; without a count always
//
// How else the person or the vendor is:
//
//	slow               thinks for Knobs.Slow
//	manual             does nothing by itself: play it by hand, at the link
//	crowd              has the risk label multiple_faces_detected
//	odd                is checked under a status that no document knows
//	audit              the verdict is turned round after Knobs.Audit
//
// What is refused at create, with 422:
//
//	unknown, novideo, anonymized
//
// What goes wrong with a call, once unless a count says more:
//
//	create_<mishap>[_<count>], and get_, attempt_, list_, show_, assets_, anonymize_
//
// where a count is once, twice or always, and a mishap one of
//
//	429, 429bare           throttled, with Retry-After as set, and never with it
//	500, 502, 503          server error; 502 is an HTML page
//	resetearly             connection reset, nothing done
//	504, badjson, reset,   done, but the answer is a gateway timeout, cut short, a
//	hang                   reset connection, or never comes
//
// So aplt_abort_61113_twice_decline_62305_attempt_hang_7 loses the answer to the
// first attempt, refuses the camera twice, and is declined as not live. An id
// that does not begin with one of these words is approved. A mishap can come
// first: aplt_create_504_1.
//
// # What is charged
//
// Every capture whose checks were completed, whatever they found. Calls are free,
// but counted.
package checkoutsim
