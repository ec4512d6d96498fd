// Package sandbox is the outside world on one machine: Kafka, S3 and the
// identity vendors, simulated, with an admin API that makes them misbehave. It
// is for tests and for cmd/sandbox; nothing else may import it.
//
// What happens to a request stands in its submission or applicant id and its
// selfie key: see the packages argossim, facekisim, checkoutsim, rekognitionsim and
// s3sim. ExpectRequest says what a request ends with. FACEKI, Checkout.com and
// Amazon Rekognition are there only if Options say where.
//
// # Admin API
//
//	GET  /knobs                   the knobs of all simulators
//	PUT  /knobs                   {"argos": {…}, "s3": {…}, "faceki": {…}, "checkout": {…}, "rekognition": {…}}: changes what is named, all or nothing
//	GET  /stats                   counts
//	GET  /ledger?submission=<id>  what was charged, for one submission or for all
//	GET  /duplicates              what was charged more than once, by request
//	POST /reset                   forgets ledgers and counts; knobs and objects stay
//	GET  /faceki/ledger?reference=<reference>, GET /faceki/duplicates
//	                              the same of FACEKI, by the person in the picture and by picture
//	POST /faceki/revoke           takes back every token of FACEKI
//	GET  /checkout/ledger?applicant=<id>
//	                              the captures that Checkout.com charged for
//	GET  /checkout/duplicates     face authentications made more than once with the same idempotency key
//	POST /checkout/revoke         takes back every token of Checkout.com
//	POST /checkout/audit?authentication=<id>
//	                              turns a verdict of Checkout.com round
//	GET  /rekognition/ledger?person=<person>, GET /rekognition/duplicates
//	                              the same of Amazon Rekognition, by the person in the selfie and by the two pictures
package sandbox
