package faceki

import (
	"bytes"
	"encoding/json"

	"reauth/internal/vendors"
)

// said is what is read of an answer: the only fields of it that are ever
// decoded. Names, birth dates, document numbers, addresses and links to pictures
// stand beside them and are skipped.
type said struct {
	// responseCode is V2's, code Blaze's, statusCode that of errors from
	// before the service, errorCode that inside data.
	responseCode, code, statusCode, errorCode scalar
	status                                    scalar

	verified scalar
	faces    []string
	records  []record

	identified []identified
	// hasResult: there is a result, and it is a list.
	hasResult bool
}

// record is one enrolment behind a matched face, as V2 tells it.
type record struct {
	reference, face, status, deleteStatus string
}

// active says whether an enrolment may be authenticated against.
func (r record) active() bool { return r.status == "ACCEPTED" && r.deleteStatus == "ACTIVE" }

// identified is one enrolment behind a matched face, as Blaze tells it.
type identified struct {
	identifier string
	// documents were looked at when it was enrolled; failed says that one of
	// them, or the liveness of the selfie of that time, did not pass.
	documents int
	failed    bool
}

// active says whether an enrolment may be authenticated against. Blaze's answer
// has no status, but what the enrolment's checks ended with.
func (i identified) active() bool { return i.documents > 0 && !i.failed }

// maxMatches bounds the records, and the ids, of one answer.
const maxMatches = 1000

// readAnswer returns the zero said for a body that is not wholly there or cannot
// be read: half an answer is none.
func readAnswer(answer vendors.Answer) said {
	if answer.Err != nil || !json.Valid(answer.Body) {
		return said{}
	}
	var s said
	d := json.NewDecoder(bytes.NewReader(answer.Body))
	present, err := members(d, map[string]take{
		"responsecode": into(&s.responseCode),
		"code":         into(&s.code),
		"statuscode":   into(&s.statusCode),
		"status":       into(&s.status),
		"data":         s.readData,
		"result":       s.readResult,
	})
	if err != nil || !present {
		return said{}
	}
	return s
}

func (s *said) readData(d *json.Decoder) error {
	_, err := members(d, map[string]take{
		"face_verified": into(&s.verified),
		"all_face_ids":  s.readFaces,
		"kyc_records":   s.readRecords,
		"error": func(d *json.Decoder) error {
			_, err := members(d, map[string]take{"code": into(&s.errorCode)})
			return err
		},
	})
	return err
}

func (s *said) readFaces(d *json.Decoder) error {
	_, err := elements(d, func(d *json.Decoder) error {
		var face scalar
		if err := into(&face)(d); err != nil {
			return err
		}
		s.faces = append(s.faces, face.text)
		return nil
	})
	return err
}

// readRecords reads V2's records. One that is no object counts all the same, as
// nobody's.
func (s *said) readRecords(d *json.Decoder) error {
	_, err := elements(d, func(d *json.Decoder) error {
		var reference, face, status, deleteStatus scalar
		_, err := members(d, map[string]take{
			"referenceid":  into(&reference),
			"faceid":       into(&face),
			"status":       into(&status),
			"deletestatus": into(&deleteStatus),
		})
		s.records = append(s.records, record{reference.text, face.text, status.text, deleteStatus.text})
		return err
	})
	return err
}

// readResult reads Blaze's records.
func (s *said) readResult(d *json.Decoder) (err error) {
	s.hasResult, err = elements(d, func(d *json.Decoder) error {
		var identifier, live scalar
		var i identified
		_, err := members(d, map[string]take{
			"record_identifier": into(&identifier),
			"document_data":     i.readDocuments,
			"selfie_data": func(d *json.Decoder) error {
				_, err := members(d, map[string]take{"liveness_pass": into(&live)})
				return err
			},
		})
		i.identifier = identifier.text
		i.failed = i.failed || live.isFalse()
		s.identified = append(s.identified, i)
		return err
	})
	return err
}

func (i *identified) readDocuments(d *json.Decoder) error {
	_, err := elements(d, func(d *json.Decoder) error {
		var passed scalar
		_, err := members(d, map[string]take{"passed": into(&passed)})
		i.documents++
		i.failed = i.failed || !passed.isTrue()
		return err
	})
	return err
}
