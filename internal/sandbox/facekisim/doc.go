// Package facekisim simulates FACEKI face match as an http.Handler, both
// generations of its API at once: KYC V2 and Blaze 3.0. It refuses what the real
// service is known to refuse, takes the harsher reading where its documentation
// is silent, and keeps a ledger of what it charged.
//
//	GET  /auth/api/access-token                    V2: a token for clientId and clientSecret in the query
//	POST /auth/api/generate-token                  Blaze: the same, in a JSON body
//	POST /facelink/api/face-check                  V2: the search, part selfie_image
//	POST /api/v3/kyc_verification/search-by-face   Blaze: the search, part selfie
//	GET  /kycrules/api/kycrules                    the company's rules, free
//
// # Selfies are scripts
//
// A search names nobody, so whose face it is stands in the picture: in the name
// that s3sim writes into a comment of every scripted selfie, which is the last
// segment of its key.
//
//	face-<reference>[-<script>][-once|-twice|-always][-<anything>]
//
// The face is that of the person enrolled under the reference: 32 hex digits as
// the vendor gives them, or any letters and digits. A caller that expects this
// reference has found its person, a caller that expects another has not. Without
// a script the search finds that person and nobody else. With one:
//
//	other                      somebody else, enrolled under Other(reference)
//	two                        both
//	again                      the person, under a second reference too, which was declined
//	deleted, declined, review  the person, whose record is not, or no longer, good (Blaze:
//	                           a document that did not pass)
//	stray                      a record whose face is not among those matched (Blaze: as without)
//	norecords                  a match without a record (Blaze: nobody)
//	nomatch                    nobody: face_verified false
//	nomatch8013, nomatch404    nobody: code 8013, with the usual status or with 404
//
// Those are found, and charged, at every search. Others fail, and charge nothing:
//
//	code<number>               that error code, at every search unless -once or -twice says less;
//	                           with http<status> among the words its status is that
//	429, 429bare               throttled, with Retry-After as set, and never with it
//	500, 502, 503              server error; 502 is an HTML page
//	resetearly                 connection reset, nothing done
//
// and these are made and charged, and the answer is lost:
//
//	504, badjson, reset, hang  a gateway timeout, cut short, a reset connection, or never comes
//
// The last two groups happen to the first search with the picture, unless -twice
// or -always says more. A picture that is no script shows nobody enrolled. A
// picture that is broken, or none, has no face: 8006.
//
// # What is charged
//
// Every search made, whatever it finds, whether or not its answer reached the
// caller. Two charges for the same picture are a duplicate. Errors, refusals and
// tokens are free, but tokens are counted.
package facekisim
