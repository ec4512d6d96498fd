// Package argos speaks Argos Identity FaceAuth: one synchronous call with a
// selfie, compared with the picture of an approved ID Check submission.
//
// # Facts and their origin
//
// D is the Argos developer site (FaceAuth pages and add-on overview), G the
// older client guide, A an assumption of ours.
//
//	Base URL https://rest-api.argosidentity.com/v3               D   Config.BaseURL
//	  before: https://rest-api.argoskyc.com/v3                   G
//	Header x-api-key, the FaceAuth project's own key, which       D   Config.APIKey
//	  selects the project
//	HTTPS, TLS 1.2 or newer; an address allow-list may be on      D
//	POST /faceauth, multipart/form-data: submissionId,            D   form.go
//	  faceImage, and optionally userId, cf1, cf2, cf3. The page
//	  calls the body JSON, but its sample and its error for
//	  base64 say multipart, and so does G
//	File name and Content-Type on faceImage                       A
//	submissionId without blanks around it                         A   the page's sample has one
//	Answer: authentication_id, auth_status approved or rejected,  D   decode.go
//	  create_time (UTC, milliseconds), score (0 to 100, by the
//	  project's options), fail_code and rejected_comment
//	Fail codes and error codes with their texts                   D   codes.go
//	HTTP status of a rejection and of a coded error               A   any: the body decides
//	Names of the error fields of POST                             A   those of GET, DELETE and
//	                                                                  the other modules, all tried
//	403 "Forbidden": key; 403 "… explicit deny": address; 413     D
//	Other statuses                                                A   as HTTP means them; a 4xx that is
//	                                                                  left is Unexplained
//	A new error code: the vendor has looked at the call           A   Unexplained, and Find settles it
//	429 when a limit is exceeded, with Retry-After                A   bounded by vendors.MaxRetryAfter
//	5,000 calls a second, 200,000 a day per key, counted from     G   the lane's limits
//	  00:00 UTC; not repeated on current pages
//	No idempotency key; a repeat makes and bills another          D, A
//	  authentication
//	GET /faceauth: startDate, endDate, count up to 2000,          D   find.go, list.go
//	  nextKey_id, nextKey_date; two shapes of answer; names that
//	  differ from POST's
//	Time zone of startDate and endDate                            A   a day's margin on both sides
//	endDate may lie in the future; listing is free                A
//	Which way a list is sorted: read off its rows                 A   order.go
//	DELETE /faceauth?authId=: picture and personal data go,       D   erase.go
//	  id, status and time stay
//	What a second DELETE answers                                  A   success or "Cannot find
//	                                                                  submission", both taken
//	Largest image: unknown                                        A   413 is a verdict on the selfie
//	Liveness: none in this method                                 D   event.LivenessNone
//
// # Choices
//
// A call is paid, so it is made once: the request's body has no second start,
// and net/http repeats no such request (see vendors.Body). What broke after the
// first byte of the body was handed to the connection is an unknown outcome,
// and Find can settle it.
//
// Approval fails closed: see decode. The personal texts of an answer
// (rejected_comment, message) decide what they must and are kept nowhere.
//
// required_field_missing is a fault of the lane and invalid_data_format one of
// the request: see codes.go.
package argos
