// Package checkout speaks Checkout.com face authentication (Identities, beta):
// the person records a video on a page of the vendor's, which is compared with
// the video of an earlier verification. No selfie is sent. A verdict takes
// several calls and the person's time, so that Authenticate is one step of
// several, and what is to be known between them is in vendors.Pending.State.
//
// # The steps
//
//	(no state) ── create the face authentication, E1 ──▶ invite
//	invite     ── create an attempt, E4; announce its link ──▶ look, after a while
//	              409: it is in no state for one ──▶ look, at once
//	invite, if an attempt may have been made ──▶ as find
//	find       ── list the attempts, E5 ─┬─ one lives: announce it again ──▶ look, after a while
//	                                     ├─ none does ──▶ invite, or the verdict after the last
//	                                     └─ the newest is done ──▶ look
//	look       ── get the face authentication, E2 ─┬─ final ──▶ verdict
//	                                               ├─ retry_required, or the link is dead ──▶ attempt
//	                                               ├─ waits for an attempt that is not ours ──▶ find, after a while
//	                                               └─ else ──▶ look, after a while
//	attempt    ── get the attempt, E6 ─┬─ came to nothing ──▶ invite, or the verdict after the last
//	                                   └─ else ──▶ look, after a while
//	any of them, past the deadline ── one last look, E2 ──▶ verdict: the vendor's, or expired
//
// The deadline is the request's not_after or Config.Deadline after the first
// call, whichever is sooner. A wait grows from Config.PollFirst by half to
// Config.PollMax, begins anew when the status changes, and ends at the latest
// when the link dies or the deadline comes.
//
// # A crash between the steps
//
// Whoever goes on after one, or after a call that broke off, has the same state
// and Call.Unsure. To look again does no harm. A face authentication created
// twice leaves one that nobody knows of: it stays in created and has no link. An
// attempt created twice would end the first, whose link the person may have, so
// that first the attempts are listed, and one that lives is announced again:
// with the same number, which is one more than the attempts known to the state.
// An attempt is only ever made when none lives (invite.go).
//
// # Verdicts
//
//	approved                          approved
//	declined                          rejected, by the codes; other_rejection without
//	refused                           rejected, subject_refused
//	inconclusive                      rejected, inconclusive
//	retry_required, no attempt left   unusable, by the codes; attempts_exhausted without
//	  but nobody came (61101, or the  expired, not_after_passed: a new video is not what
//	  link ended)                       is needed, and a longer wait might have helped
//	deadline                          expired, not_after_passed
//	422 that names the applicant, 404 ineligible
//	  for what the vendor gave out
//
// risk_labels change nothing. A verdict that an audit changes later is found by
// Review.
//
// # Facts and their origin
//
// S is the vendor's API reference, P its other public pages (guides, response
// codes, webhooks, rate limits, testing), C its public client libraries, E the
// pages of the engine behind the product (Ubble), A an assumption of ours.
//
//	https://identity-verification.checkout.com; some pages and    C, P Config.BaseURL
//	  one client have hosts with a prefix of the account
//	Bearer secret key, or OAuth client credentials with scope     S, C access.go
//	  identity-verification, form encoded, expires_in in seconds
//	Id forms: aplt_\w+, usj_[a-z2-7]{26}, fav_\w+, fatp_\w+       S    ids.go
//	  evt_\w+                                                     P
//	Longest id: unknown                                           A    128 for an applicant, 96 else
//	E1 POST /face-authentications, E2 GET …/{fav},                S
//	  E3 POST …/{fav}/anonymize, E4 POST and E5 GET
//	  …/attempts, E6 GET …/attempts/{fatp}, E7 GET …/assets
//	E5 takes skip and limit, newest first                         P    one page of 20
//	Largest limit: unknown                                        A    20 is taken
//	Object fields, statuses                                       C    answer.go, statuses.go
//	terminated: closed by a newer attempt                         E
//	409 on E4: the status allows no attempt                       S
//	A new attempt ends the one before it and its link             E
//	A link can be opened for 15 minutes                           E    Config.LinkLife
//	Attempts allowed, life of an unfinished authentication        A    Config.MaxAttempts, .Deadline
//	Response codes                                                P, E statuses.go
//	61101 alone, or an expired attempt: nobody came               A    came
//	Error body: request_id, error_type, error_codes of the form   C, E
//	  field__problem
//	Error codes of these calls: not published but                 E
//	  organization__no_configuration
//	422 with codes of applicant…: the person; of user_journey…    A    fault.go
//	  or organization…: the configuration
//	404 on E2 is the vendor's if it has Cko-Request-Id,           A    isTheirs; any other is
//	  Cko-Version or an error body, which every answer has        P    taken for a wrong address
//	400, 422 without any of the three, other 4xx: somebody        A    Unexplained
//	  else's
//	401, 403, 402: key, scope, account                            S, A the lane's fault
//	429; Retry-After is not documented                            P, A read if there
//	Cko-Idempotency-Key: of payments, not of identities           P    sent, not relied on
//	An authentication without attempts charges nothing            A
//	An applicant may have several authentications open            A
//	Anonymizing twice: success, or already_anonymized             A    both taken
//	100 reads and 100 writes a second for the account, over all   P    the lane's limits
//	  of its APIs
//	Webhook: Cko-Signature is the hex HMAC-SHA256 of the body     P    webhook.go
//	Events come at least once, in any order, and again after      P
//	  anything but 2xx
//	Liveness is part of the capture                               P    event.LivenessVendor
//	E7 takes skip and limit (10); types face_image, face_video    S    Pictures
//	Links to assets are signed and end soon: an hour in samples   P    listed anew at each try
//	Where those links lead: not documented                        A    https, Config.AssetHosts
//
// # Secrets and personal data
//
// A link lets whoever has it act as the person: it is in vendors.Invite and
// nowhere else, not in a state, an error or a log. Links to pictures are not
// decoded but by Assets, which returns them as SignedURL; a client of its own
// follows them, which shows no credential and takes no redirect. Errors are made
// of words of ours: an answer's own are looked up, and not quoted.
package checkout
