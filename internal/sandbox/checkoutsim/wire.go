package checkoutsim

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"
)

// The JSON of the API (Checkout.com's clients).
type (
	wireAuthentication struct {
		ID            string         `json:"id"`
		ApplicantID   string         `json:"applicant_id"`
		UserJourneyID string         `json:"user_journey_id"`
		CreatedOn     time.Time      `json:"created_on"`
		ModifiedOn    time.Time      `json:"modified_on"`
		Status        Status         `json:"status"`
		ResponseCodes []responseCode `json:"response_codes"`
		RiskLabels    []string       `json:"risk_labels"`
		Face          *wireFace      `json:"face,omitempty"`
		Links         struct {
			Self      href `json:"self"`
			Applicant href `json:"applicant"`
		} `json:"_links"`
	}
	wireFace struct {
		ImageSignedURL string `json:"image_signed_url"`
	}
	responseCode struct {
		Code    int    `json:"code"`
		Summary string `json:"summary"`
	}
	href struct {
		Href string `json:"href"`
	}

	attemptBody struct {
		ID            string             `json:"id"`
		CreatedOn     time.Time          `json:"created_on"`
		ModifiedOn    time.Time          `json:"modified_on"`
		Status        AttemptStatus      `json:"status"`
		ResponseCodes []responseCode     `json:"response_codes"`
		RedirectURL   string             `json:"redirect_url"`
		Client        *clientInformation `json:"client_information,omitempty"`
		Session       *session           `json:"applicant_session_information,omitempty"`
		Links         struct {
			Self            href `json:"self"`
			VerificationURL href `json:"verification_url"`
		} `json:"_links"`
	}

	asset struct {
		Type  string `json:"type"`
		Links struct {
			AssetURL href `json:"asset_url"`
		} `json:"_links"`
	}
	listBody struct {
		TotalCount int       `json:"total_count"`
		Skip       int       `json:"skip"`
		Limit      int       `json:"limit"`
		Data       []any     `json:"data"`
		Links      pageLinks `json:"_links"`
	}
	pageLinks struct {
		Self     *href `json:"self"`
		Next     *href `json:"next,omitempty"`
		Previous *href `json:"previous,omitempty"`
	}
)

// wire returns an authentication as it stands. Called with books held.
func (s *Simulator) wire(a *authentication) wireAuthentication {
	w := wireAuthentication{
		ID: a.id, ApplicantID: a.applicant, UserJourneyID: a.journey, CreatedOn: a.created, ModifiedOn: a.modified,
		Status: a.status, ResponseCodes: responseCodes(a.codes), RiskLabels: []string{},
	}
	if a.script.Crowd && a.status.Final() {
		w.RiskLabels = append(w.RiskLabels, "multiple_faces_detected")
	}
	if !a.anonymized && (a.status == Approved || a.status == Declined) {
		w.Face = &wireFace{s.fileURL(a.last(), faceImage)}
	}
	w.Links.Self.Href = a.base + "/face-authentications/" + a.id
	w.Links.Applicant.Href = a.base + "/applicants/" + a.applicant
	return w
}

// wireAttempt returns an attempt as it stands. The simulator's books is held.
func wireAttempt(at *attempt) attemptBody {
	b := attemptBody{
		ID: at.id, CreatedOn: at.created, ModifiedOn: at.modified, Status: at.status, ResponseCodes: responseCodes(at.codes),
		RedirectURL: at.redirectURL, Client: at.client,
	}
	if at.visitor != nil {
		visitor := *at.visitor
		b.Session = &visitor
	}
	b.Links.Self.Href = at.of.base + "/face-authentications/" + at.of.id + "/attempts/" + at.id
	b.Links.VerificationURL.Href = at.of.base + "/capture/" + at.token
	return b
}

func (s *Simulator) wireAsset(at *attempt, name string) asset {
	a := asset{Type: name}
	a.Links.AssetURL.Href = s.fileURL(at, name)
	return a
}

func responseCodes(codes []int) []responseCode {
	all := []responseCode{}
	for _, code := range codes {
		all = append(all, responseCode{code, summaries[code]})
	}
	return all
}

// maxBody bounds the body of a call; none is published.
const maxBody = 64 << 10

// readJSON reads the one JSON object that a body has to be. A field that is not
// known is refused.
func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); mediaType != "application/json" {
		return false
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if decoder.Decode(into) != nil {
		return false
	}
	_, err := decoder.Token()
	return errors.Is(err, io.EOF)
}
