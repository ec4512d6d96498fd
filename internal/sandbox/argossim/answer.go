package argossim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
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
		writeJSON(w, status, map[string]string{"errorCode": text})
		return
	}
	writeJSON(w, status, map[string]string{"errorCode": code, "message": text})
}

// gatewayError writes an error of the gateway before the service.
func gatewayError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{"message": message})
}

// htmlError writes the 502 page of a load balancer.
func htmlError(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusBadGateway)
	w.Write([]byte("<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n" +
		"<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"))
}

// truncatedJSON writes a 200 whose body stops in the middle, with a length
// that says it is whole.
func truncatedJSON(w http.ResponseWriter, v any) {
	body := encode(v)
	body = body[:len(body)/2]
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(encode(v))
}

// encode panics on a value that JSON cannot hold: a bug in this package.
func encode(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return body
}
