// Package rekognition speaks Amazon Rekognition CompareFaces: one synchronous
// call with a selfie and the place of the picture to compare it with. Amazon
// knows nobody, so the request brings the reference (Call.Reference): whoever
// publishes requests says who somebody is by naming their picture.
//
// # What is sent
//
//	SourceImage   the reference, as an S3 object that Amazon reads with our credentials
//	TargetImage   the selfie's bytes in base64, those that were looked at before
//
// so that the selfie judged is the one of which the result has the digest. A
// request is signed over the SHA-256 of its body and the signature goes ahead of
// it, so the selfie is read twice: into the hash, and into the connection
// (vendors.Selfie.Reader and Body). Each time a piece of 3 KiB is in text. Keeping
// the text instead would hold 4/3 of each selfie at the vendor beside the memory
// that selfies are allowed, 1.7 GiB with the usual 256 calls of 5 MiB.
//
// # What an answer means
//
// Every face is asked for with its similarity (SimilarityThreshold 0); the first
// line that applies wins:
//
//	no face good enough in the selfie        unusable no_face
//	several faces in the selfie              unusable multiple_faces
//	its face is not matched                  rejected no_match
//	its similarity is below the threshold    rejected similarity_below_threshold
//	else                                     approved
//
// Several faces are never approved, whichever of them matches: one may be on a
// photo that is held into the picture. A still photo proves no presence either
// way; liveness is none.
//
// An error about a picture does not say which: see errorTypes. A reference that
// Amazon cannot read is looked for by ourselves (lookFor), since it says the same
// of one that is missing and of one in another region.
//
// # Facts and their origin
//
// R is the API reference of CompareFaces and its model in Amazon's SDKs, G the
// developer guide, P the AWS JSON 1.1 protocol, E the errors common to AWS
// services, A an assumption of ours.
//
//	POST / with X-Amz-Target and application/x-amz-json-1.1          P
//	https://rekognition.<region>.amazonaws.com, .cn in China         R    endpointIn
//	Signature Version 4 for service rekognition                      R    Config.Sign
//	The largest face of the source is compared with up to 100 faces  R    the reference may show company
//	  of the target
//	A selfie of at most 5 MiB, a reference of at most 15 MB          R, G maxSelfie
//	JPEG and PNG, at least 80 pixels a side                          G
//	QualityFilter removes faces from the comparison                  R
//	  and from FaceMatches and UnmatchedFaces                        A    unusable no_face
//	InvalidParameterException if there is no face in either picture  R    unusable no_face
//	InvalidS3ObjectException: key, region or permission              G    lookFor
//	Errors come with 400, throttling with 400 or 500                 G    the type decides
//	The type stands in __type, Code or X-Amzn-Errortype              G, P errorType
//	Nothing is kept of a comparison                                  R    no Finder, no Eraser
//	Other types, and a 4xx without one: new, or not Amazon's         A    Unexplained
//	A picture that is analysed is charged, an error is not           A    codes.go
//	A call without an answer may be charged, and so is its repeat    A    unknown outcomes stay so
//	X-Amzn-Requestid names the call for Amazon's support             G    Verdict.Reference
//	A call with two pictures that are none is free                   A    Check
//	A quota of calls a second per account and region, which can be   G    the limits setting
//	  raised; an account's own stands on its Service Quotas page
//
// # Secrets and personal data
//
// The secret key never leaves the signer, and its signature is good for this body
// and minutes only. Names of buckets and keys, and what Amazon writes beside an
// error type (it quotes ARNs), stay out of errors.
package rekognition
