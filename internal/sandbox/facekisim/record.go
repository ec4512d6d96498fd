package facekisim

import "strings"

// Canary is in every piece of made-up personal data, so that a test can look for
// it where none of it may be.
const Canary = "canary-person"

// personal is made-up personal data, of about as many more bytes as asked for.
func personal(what string, more int) string {
	return what + " " + Canary + strings.Repeat(" "+Canary, more/(len(Canary)+1))
}

// recordV2 is one element of kyc_records, with the fields of the vendor's sample.
// The vendor has confidence as a string.
func recordV2(e enrolment, personalBytes int) any {
	name, document := personal("name", personalBytes), personal("document", 0)
	return map[string]any{
		"_id":          "64b000000000000000000000",
		"referenceId":  e.reference,
		"faceID":       e.face,
		"companyId":    "00000000-0000-4000-8000-000000000000",
		"link":         "client",
		"status":       e.status,
		"deleteStatus": e.deleteStatus,
		"documentId":   document,
		"fullName":     name,
		"localName":    personal("local name", 0),
		"DOB":          personal("birth date", 0),
		"country":      personal("country", 0),
		"idFrontImage": "https://images.invalid/" + Canary + "/front.jpg",
		"idBackImage":  "https://images.invalid/" + Canary + "/back.jpg",
		"selfieImage":  "https://images.invalid/" + Canary + "/selfie.jpg",
		"deviceDetails": map[string]string{
			"ipAddress": personal("address", 0),
		},
		"kycResponse": map[string]any{
			"responseCode": 0,
			"responseID":   e.reference,
			"face":         map[string]any{"isIdentical": true, "confidence": "0.786"},
			"verification": map[string]any{"passed": true},
			"result":       map[string]string{"fullName": name, "documentNumber": document},
			"quota":        93,
			"credit":       12,
		},
		"livenessResponse": map[string]any{"decision": "accept", "quota": 5, "credit": 7},
		"createdAt":        "2026-01-02T03:04:05.678Z",
		"updatedAt":        "2026-01-02T03:04:06.789Z",
	}
}

// recordBlaze is one element of result.
func recordBlaze(e enrolment, personalBytes int) any {
	passed := e.status == "ACCEPTED" && e.deleteStatus == "ACTIVE"
	return map[string]any{
		"record_identifier": e.reference,
		"requestId":         "request-" + e.face,
		"link":              nil,
		"document_data": []any{map[string]any{
			"reference":           personal("reference", 0),
			"document_number":     personal("document", 0),
			"fullName":            personal("name", personalBytes),
			"document_face_match": map[string]any{"similarity": 98.7, "confidence": "0.97"},
			"passed":              passed,
		}},
		"selfie_data": map[string]any{"liveness_pass": true},
		"warnings":    []string{},
	}
}
