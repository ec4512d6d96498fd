package argossim

import (
	"net/http"
	"slices"

	"reauth/internal/sandbox/vendorsim"
)

// createTime is the vendor's layout: ISO 8601 UTC with milliseconds.
const createTime = "2006-01-02T15:04:05.000Z"

// result is the body of an authentication.
type result struct {
	AuthenticationID string             `json:"authentication_id"`
	AuthStatus       string             `json:"auth_status"`
	CreateTime       string             `json:"create_time"`
	Score            map[string]float64 `json:"score"`
	FailCode         []string           `json:"fail_code,omitempty"`
	RejectedComment  []string           `json:"rejected_comment,omitempty"`
}

func resultOf(a Authentication) result {
	return result{
		AuthenticationID: a.ID,
		AuthStatus:       a.status(),
		CreateTime:       a.At.Format(createTime),
		Score:            a.Score,
		FailCode:         a.FailCodes,
		RejectedComment:  commentsOn(a.FailCodes),
	}
}

func commentsOn(failCodes []string) []string {
	var said []string
	for _, code := range failCodes {
		said = append(said, comments[code])
	}
	return said
}

// scores are 0 to 100 with one decimal, the same for the same submission, low
// where a fail code says so. Protection scores are there only when that option
// is what failed, for they are options of a project.
func scores(submissionID string, failCodes []string) map[string]float64 {
	at := share(hash(submissionID))
	tenths := func(low, high float64) float64 { return float64(int(10*(low+(high-low)*at))) / 10 }
	score := func(failCode string) float64 {
		if slices.Contains(failCodes, failCode) {
			return tenths(20, 69)
		}
		return tenths(85, 100)
	}
	all := map[string]float64{
		"face_similarity_score": score(failSimilarity),
		"occluded_score":        score(failOccluded),
	}
	if slices.Contains(failCodes, failCover) {
		all["face_cover_score"] = score(failCover)
	}
	if slices.Contains(failCodes, failHead) {
		all["head_cover_score"] = score(failHead)
	}
	return all
}

// codedError writes one of the vendor's own errors. A code without a known
// text stands for itself.
func codedError(w http.ResponseWriter, status int, code string, style ErrorStyle) {
	text, known := errorTexts[code]
	if !known {
		text = code
	}
	if style == StyleText {
		vendorsim.WriteJSON(w, status, map[string]string{"errorCode": text})
		return
	}
	vendorsim.WriteJSON(w, status, map[string]string{"errorCode": code, "message": text})
}

// gatewayError writes an error of the gateway before the service.
func gatewayError(w http.ResponseWriter, status int, message string) {
	vendorsim.WriteJSON(w, status, map[string]string{"message": message})
}

// plain is the gateway's answer with its usual words.
func plain(w http.ResponseWriter, status int) {
	message := http.StatusText(status)
	switch status {
	case http.StatusInternalServerError:
		message = "Internal server error"
	case http.StatusGatewayTimeout:
		message = "Endpoint request timed out"
	}
	gatewayError(w, status, message)
}
