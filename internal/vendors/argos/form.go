package argos

import "reauth/internal/vendors"

// form lays out POST /faceauth around the selfie.
func form(c vendors.Call, submissionID, boundary string) (prefix, suffix []byte, contentType string) {
	return vendors.Form(boundary, []vendors.FormField{
		{Name: "submissionId", Value: submissionID},
		{Name: "userId", Value: c.UserID},
		{Name: "cf1", Value: c.CF1},
		{Name: "cf2", Value: c.CF2},
		{Name: "cf3", Value: c.CF3},
	}, "faceImage", c.Selfie.ContentType())
}
