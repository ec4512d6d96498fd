// Package faceki speaks FACEKI face match: one synchronous call with a selfie,
// searched for among everybody whom the company has enrolled.
//
// # The search names nobody
//
// The request does not say who is expected, so a match alone proves nothing:
// anybody enrolled would pass for anybody else. The adapter is given the
// expected reference (Call.SubmissionID, one, not a list) and approves only a
// match that belongs to it. The first line that applies wins:
//
//	no match                                             no_match
//	a match, but no record                               no_record
//	no record bears the expected reference               matched_other_person
//	none of those is accepted and active                 record_not_active
//	records of somebody else are there too               ambiguous (Config.OnAmbiguous)
//	the record's face is not among those matched         inconsistent
//	else                                                 approved
//
// V2: the reference is referenceId (responseID at enrolment), active is status
// ACCEPTED with deleteStatus ACTIVE, somebody else is another faceID. Blaze: the
// reference is record_identifier, active is an enrolment whose documents all
// passed and whose liveness did not fail, somebody else is another identifier;
// no_record and inconsistent don't occur.
//
// matched_other_person is counted by reauth_matched_other_person_total: somebody
// enrolled has shown up in place of somebody else, or references are mixed up.
//
// # Facts and their origin
//
// S is the vendor's page on V2's face match, D its other public pages
// (kycdocv2.faceki.com for V2, docs.faceki.com for Blaze 3.0), C its public
// client libraries, A an assumption of ours.
//
//	https://sdk.faceki.com, both generations                      S, D Config.BaseURL
//	V2 token: GET /auth/api/access-token, clientId and            C    generation.go; the page's
//	  clientSecret in the query                                        table says headers
//	Blaze token: POST /auth/api/generate-token, JSON body         D
//	{"responseCode":0,"data":{"access_token","expires_in"}}       D    access.go
//	expires_in in seconds, 3600; "5 minutes" in one place         D    believed; absent: 5 minutes
//	Many token calls may be billed                                D    one at a time, shared by
//	                                                                   all, renewed at 80 %
//	V2: POST /facelink/api/face-check, multipart, selfie_image    S    form.go
//	Blaze: POST …/search-by-face, multipart, selfie               D
//	V2 answer: face_verified, all_face_ids, kyc_records           S    answer.go
//	status ACCEPTED, deleteStatus ACTIVE                          S    other values: not active
//	Blaze answer: status, code 200, result with                   D
//	  record_identifier, document_data.passed,
//	  selfie_data.liveness_pass
//	Blaze answers with an empty result when nobody matches        A    no_match
//	An enrolment without documents is not accepted (Blaze)        A    record_not_active
//	No match in V2: face_verified false, or code 8013 with any    A    decode.go
//	  status
//	face_verified true without records                            A    no_record
//	Error bodies: responseCode with data.error.code; or status,   C, D all read
//	  message, statusCode; statusCode holds with HTTP 200 too     A
//	Codes                                                         C, D codes.go
//	Which codes a search returns, with which status               A    any: the body decides
//	Unknown code: may pass, may be every call's                   A    Unexplained, and perhaps billed
//	401: token; 422 on the token call                             D
//	Other statuses                                                A    as HTTP means them; a 4xx that
//	                                                                   is left is Unexplained
//	413: photo too large                                          A    a verdict on the selfie
//	JPEG and PNG; largest size unknown                            D
//	Rate limit unknown, 429 as usual                              A
//	A search has no effect; a repeat may be billed                A    unknown outcomes stay so
//	GET /kycrules/api/kycrules, with a token, is free             D, A Check
//	Liveness was looked at when enrolling; this selfie is a       S    event.LivenessNone
//	  still photo
//	No score of the comparison, no id of the search               S    Scores and Reference empty
//	No way to ask for or to erase a search                        D    no Finder, no Eraser
//
// # Secrets and personal data
//
// V2's token call has the secret in its URL. The adapter writes no URL anywhere,
// and errors of the HTTP client, which quote it, are scrubbed. An answer brings
// names, birth dates, document numbers and links to pictures of everybody who
// matched: only the few fields of the rule are decoded (said), the others are
// skipped, and of a record nothing leaves Authenticate but the reason.
package faceki
