package checkoutsim

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
)

// Error codes that the simulator raises by itself. Only noConfiguration is one
// that the vendor's documents show; the others follow the pattern field__problem.
const (
	bodyMalformed      = "request_body__invalid_json"
	noConfiguration    = "organization__no_configuration"
	attemptNotAllowed  = "face_authentication__attempt_not_allowed"
	notYetFinal        = "face_authentication__not_final"
	required           = "__required"
	invalidFormat      = "__invalid_format"
	idempotencyKeyName = "Cko-Idempotency-Key"
)

// createCall is POST /face-authentications.
func createCall(x *exchange) {
	var body struct {
		ApplicantID   string `json:"applicant_id"`
		UserJourneyID string `json:"user_journey_id"`
	}
	if !readJSON(x.w, x.r, &body) {
		x.write(refused(http.StatusBadRequest, bodyMalformed))
		return
	}
	script := ParseScript(body.ApplicantID)
	code := firstOf(
		misfit("applicant_id", body.ApplicantID, applicantID),
		misfit("user_journey_id", body.UserJourneyID, journeyID),
	)
	switch {
	case code != "":
	case body.UserJourneyID != x.knobs.UserJourneyID:
		code = noConfiguration
	default:
		code = script.Refusal
	}
	x.finish(body.ApplicantID, script, func() answer {
		if code != "" {
			return refused(http.StatusUnprocessableEntity, code)
		}
		a := x.create(body.ApplicantID, body.UserJourneyID, x.r.Header.Get(idempotencyKeyName), "http://"+x.r.Host, script)
		return answer{status: http.StatusCreated, body: x.wire(a)}
	})
}

// getCall is GET /face-authentications/{fav}.
func getCall(x *exchange) {
	x.about(func(a *authentication) answer {
		return answer{status: http.StatusOK, body: x.wire(a)}
	})
}

// anonymizeCall is POST /face-authentications/{fav}/anonymize. Doing it again
// changes nothing. That an authentication has to be final is our reading of the
// 422 that is documented without a reason.
func anonymizeCall(x *exchange) {
	x.about(func(a *authentication) answer {
		if !a.status.Final() {
			return refused(http.StatusUnprocessableEntity, notYetFinal)
		}
		if !a.anonymized {
			a.anonymized, a.modified = true, now()
			for _, at := range a.attempts {
				at.captured, at.visitor = false, nil
			}
			x.count(func(st *Stats) { st.Anonymized++ })
			x.tell(a, "anonymized")
		}
		return answer{status: http.StatusOK, body: x.wire(a)}
	})
}

// clientInformation may go with an attempt.
type clientInformation struct {
	Country  string `json:"pre_selected_residence_country,omitempty"`
	Language string `json:"pre_selected_language,omitempty"`
}

var (
	country  = regexp.MustCompile(`^([A-Z]{2})?$`)
	language = regexp.MustCompile(`^([a-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$`)
)

// attemptCall is POST /face-authentications/{fav}/attempts.
func attemptCall(x *exchange) {
	var body struct {
		RedirectURL       string             `json:"redirect_url"`
		ClientInformation *clientInformation `json:"client_information"`
	}
	if !readJSON(x.w, x.r, &body) {
		x.write(refused(http.StatusBadRequest, bodyMalformed))
		return
	}
	code := ""
	client := body.ClientInformation
	u, err := url.Parse(body.RedirectURL)
	switch {
	case body.RedirectURL == "":
		code = "redirect_url" + required
	case err != nil || u.Scheme == "" || u.Host == "":
		code = "redirect_url" + invalidFormat
	case client != nil && !country.MatchString(client.Country):
		code = "client_information.pre_selected_residence_country" + invalidFormat
	case client != nil && !language.MatchString(client.Language):
		code = "client_information.pre_selected_language" + invalidFormat
	}
	x.about(func(a *authentication) answer {
		switch {
		case code != "":
			return refused(http.StatusUnprocessableEntity, code)
		case !a.status.allowsAttempt():
			x.count(func(st *Stats) { st.Conflicts++ })
			return refused(http.StatusConflict, attemptNotAllowed)
		}
		return answer{status: http.StatusCreated, body: wireAttempt(x.begin(a, body.RedirectURL, client))}
	})
}

// listCall is GET /face-authentications/{fav}/attempts.
func listCall(x *exchange) {
	x.about(func(a *authentication) answer {
		all := []any{}
		for _, at := range slices.Backward(a.attempts) {
			all = append(all, wireAttempt(at))
		}
		return paged(x.r, a.base, all)
	})
}

// showCall is GET /face-authentications/{fav}/attempts/{fatp}.
func showCall(x *exchange) {
	x.aboutAttempt(func(at *attempt) answer {
		return answer{status: http.StatusOK, body: wireAttempt(at)}
	})
}

// assetsCall is GET /face-authentications/{fav}/attempts/{fatp}/assets.
func assetsCall(x *exchange) {
	x.aboutAttempt(func(at *attempt) answer {
		all := []any{}
		if at.captured {
			all = append(all, x.wireAsset(at, faceImage))
			if x.knobs.Videos {
				all = append(all, x.wireAsset(at, faceVideo))
			}
		}
		return paged(x.r, at.of.base, all)
	})
}

// about finishes a call about the authentication in the path.
func (x *exchange) about(do func(*authentication) answer) {
	id := x.r.PathValue("fav")
	if code := misfit("face_authentication_id", id, authenticationID); code != "" {
		x.write(refused(http.StatusBadRequest, code))
		return
	}
	x.books.Lock()
	a := x.authentications[id]
	x.books.Unlock()
	if a == nil {
		x.write(notFound())
		return
	}
	x.finish(a.applicant, a.script, func() answer { return do(a) })
}

// aboutAttempt finishes a call about the attempt in the path.
func (x *exchange) aboutAttempt(do func(*attempt) answer) {
	id := x.r.PathValue("fatp")
	if code := misfit("attempt_id", id, attemptID); code != "" {
		x.write(refused(http.StatusBadRequest, code))
		return
	}
	x.about(func(a *authentication) answer {
		at := a.attemptOf(id)
		if at == nil {
			return notFound()
		}
		return do(at)
	})
}

// misfit returns the error code of a value that is missing or does not fit, ""
// for one that does.
func misfit(field, value string, pattern *regexp.Regexp) string {
	switch {
	case value == "":
		return field + required
	case !pattern.MatchString(value):
		return field + invalidFormat
	}
	return ""
}

// firstOf returns the first code that is one.
func firstOf(codes ...string) string {
	for _, code := range codes {
		if code != "" {
			return code
		}
	}
	return ""
}

// The pages of lists. Limits are published for assets only, as defaults.
const (
	usualLimit = 10
	mostLimit  = 100
)

// paged answers with the page of all that the query asks for.
func paged(r *http.Request, base string, all []any) answer {
	skip, ok := number(r.URL.Query(), "skip", 0, 0, len(all)+mostLimit)
	if !ok {
		return refused(http.StatusUnprocessableEntity, "skip"+invalidFormat)
	}
	limit, ok := number(r.URL.Query(), "limit", usualLimit, 1, mostLimit)
	if !ok {
		return refused(http.StatusUnprocessableEntity, "limit"+invalidFormat)
	}
	address := func(skip int) *href {
		return &href{base + r.URL.Path + "?skip=" + strconv.Itoa(max(skip, 0)) + "&limit=" + strconv.Itoa(limit)}
	}
	links := pageLinks{Self: address(skip)}
	if skip+limit < len(all) {
		links.Next = address(skip + limit)
	}
	if skip > 0 {
		links.Previous = address(skip - limit)
	}
	data := all[min(skip, len(all)):min(skip+limit, len(all))]
	return answer{status: http.StatusOK, body: listBody{len(all), skip, limit, data, links}}
}

// number reads one of a query, false if it is none or out of bounds.
func number(query url.Values, name string, otherwise, least, most int) (int, bool) {
	if !query.Has(name) {
		return otherwise, true
	}
	n, err := strconv.Atoi(query.Get(name))
	return n, err == nil && n >= least && n <= most
}
