// Package rekognitionsim simulates Amazon Rekognition CompareFaces as an
// http.Handler. It refuses what the real service is known to refuse, signatures
// that are wrong in a single bit included, and keeps a ledger of what it charged.
//
//	POST /   X-Amz-Target: RekognitionService.CompareFaces
//
// # Pictures are scripts
//
// Who is in a picture stands in its name, which s3sim writes into a comment of
// every scripted picture: the last segment of its key. A reference is read from
// Config.Store, as the caller, so its key is a script of s3sim's too.
//
//	face-<person>[-<word>]…
//
// Pictures of the same person are Alike, of two persons Unlike. A picture that is
// no script shows a person of its own. The words:
//
//	sim<number>   a face that is so alike to the person's: sim89.9
//	two           the person and somebody else
//	dim           a face that only the quality filter NONE lets through
//	noface        no face
//
//	<type>        an error type of Amazon's, such as AccessDeniedException, at every
//	              comparison unless -once or -twice says less
//	429           ThrottlingException; 429bare: the same
//	500, 502, 503 server error; 502 is an HTML page
//	resetearly    connection reset, nothing done
//
// and these are made and charged, and the answer is lost:
//
//	504, badjson, reset, hang   a gateway timeout, cut short, a reset connection, or never comes
//
// Of those from <type> on, only the selfie's (the target's) count; the last two
// groups happen to the first comparison, unless -twice or -always says more.
//
// # What is charged
//
// Every comparison that was made, whatever came of it, whether or not the answer
// reached the caller. Two charges for the same two pictures are a duplicate.
// Errors are free: no documentation says so, but Amazon's prices are for
// pictures that were analysed.
package rekognitionsim
