package facekisim

import (
	"strconv"

	"github.com/google/uuid"
)

// dialect is how one generation of the API puts things.
type dialect struct {
	// part is the name of the selfie's part.
	part  string
	found func(s Script, personalBytes int) any
	erred func(code string) any
}

var (
	v2    = dialect{part: "selfie_image", found: foundV2, erred: erredV2}
	blaze = dialect{part: "selfie", found: foundBlaze, erred: erredBlaze}
)

// enrolment is one person's record, as both dialects tell it.
type enrolment struct {
	reference    string
	status       string
	deleteStatus string
	// face is shared by the records of one person.
	face string
}

func enrolled(reference string) enrolment {
	return enrolment{reference, "ACCEPTED", "ACTIVE", faceOf(reference)}
}

// faceOf is the id of a face, the same each time.
func faceOf(reference string) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte("face of "+reference)).String()
}

// matches returns the records that a search finds.
func matches(s Script) []enrolment {
	person, other := enrolled(s.Reference), enrolled(Other(s.Reference))
	switch s.Find {
	case FindOther:
		return []enrolment{other}
	case FindTwo:
		return []enrolment{other, person}
	case FindAgain:
		again := enrolment{other.reference, "DECLINED", "ACTIVE", person.face}
		return []enrolment{again, person}
	case FindDeleted:
		person.deleteStatus = "DELETED"
	case FindDeclined:
		person.status = "DECLINED"
	case FindReview:
		person.status = "REVIEW"
	case FindNoRecords, FindNobody, FindNobody8013, FindNobody404:
		return []enrolment{}
	}
	return []enrolment{person}
}

func foundV2(s Script, personalBytes int) any {
	faces, records := []string{}, []any{}
	for _, e := range matches(s) {
		faces = append(faces, e.face)
		records = append(records, recordV2(e, personalBytes))
	}
	switch s.Find {
	case FindStray:
		faces = []string{faceOf(Other(s.Reference))}
	case FindNoRecords:
		faces = []string{faceOf(s.Reference)}
	}
	return map[string]any{"responseCode": 0, "data": map[string]any{
		"face_verified": len(faces) > 0, "all_face_ids": faces, "kyc_records": records,
	}}
}

func foundBlaze(s Script, personalBytes int) any {
	records := []any{}
	for _, e := range matches(s) {
		if s.Find == FindAgain {
			e.reference = s.Reference // our own identifier of the person
		}
		records = append(records, recordBlaze(e, personalBytes))
	}
	return map[string]any{"status": true, "code": 200, "message": "OK", "appVersion": "v3.0.0", "result": records}
}

func erredV2(code string) any {
	return map[string]any{"responseCode": number(code), "data": map[string]any{
		"error":      map[string]string{"code": code, "message": "error " + code},
		"responseID": uuid.NewString(),
	}}
}

func erredBlaze(code string) any {
	return map[string]any{"status": false, "code": number(code), "message": "error " + code, "appVersion": "v3.0.0"}
}

// number is a code as JSON has it.
func number(code string) any {
	n, err := strconv.Atoi(code)
	if err != nil {
		return code
	}
	return n
}
