package rekognitionsim

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"reauth/internal/sandbox/vendorsim"
)

// The error types that the simulator raises by itself, beside those of
// signatures.
const (
	accessDenied     = "AccessDeniedException"
	imageTooLarge    = "ImageTooLargeException"
	invalidImage     = "InvalidImageFormatException"
	invalidParameter = "InvalidParameterException"
	invalidObject    = "InvalidS3ObjectException"
	overThroughput   = "ProvisionedThroughputExceededException"
	throttling       = "ThrottlingException"
	serverError      = "InternalServerError"
	unavailable      = "ServiceUnavailableException"
	validation       = "ValidationException"
	serialization    = "SerializationException"
	unknownOperation = "UnknownOperationException"
	entityTooLarge   = "RequestEntityTooLargeException"
)

const (
	contentType = "application/x-amz-json-1.1"
	operation   = "RekognitionService.CompareFaces"
)

// Limits and defaults of the API's model.
const (
	maxPictureBytes   = 5 << 20
	maxRequestBytes   = 16 << 20 // more than two pictures in base64
	defaultSimilarity = 80
)

// errorStatuses are the HTTP statuses that go with the types (API reference of
// CompareFaces, "Errors", and the common errors).
var errorStatuses = map[string]int{
	accessDenied: 400, imageTooLarge: 400, invalidImage: 400, invalidParameter: 400, invalidObject: 400, overThroughput: 400,
	throttling: 400, validation: 400, serialization: 400,
	missingToken: 400, incomplete: 400, unknownClient: 400, invalidSignature: 400, expiredToken: 400,
	unknownOperation: 404, entityTooLarge: 413, serverError: 500, unavailable: 503,
}

// refuse answers with an error of a type.
func (s *Simulator) refuse(w http.ResponseWriter, errorType string) {
	s.count(func(st *Stats) { st.Errors[errorType]++ })
	writeError(w, errorStatuses[errorType], errorType)
}

func writeError(w http.ResponseWriter, status int, errorType string) {
	write(w, status, map[string]string{
		"__type": errorType, "Code": errorType, "Logref": uuid.NewString(), "Message": "This is the sandbox's " + errorType + ".",
	})
}

// plain is the service's answer for a status. It throttles with 400.
func plain(w http.ResponseWriter, status int) {
	switch status {
	case http.StatusTooManyRequests:
		writeError(w, http.StatusBadRequest, throttling)
	case http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		writeError(w, status, unavailable)
	default:
		writeError(w, status, serverError)
	}
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Amzn-Requestid", uuid.NewString())
	w.WriteHeader(status)
	w.Write(vendorsim.Encode(v))
}

// compared is the answer to a comparison of the faces in a selfie with that of a
// reference, and the highest similarity, 0 for none.
func compared(selfie []face, reference face, threshold float64) (answer any, best float64) {
	slices.SortStableFunc(selfie, func(a, b face) int { return cmp.Compare(b.similarity(reference), a.similarity(reference)) })
	matches, others := []any{}, []any{}
	for i, f := range selfie {
		alike := f.similarity(reference)
		best = max(best, alike)
		if alike >= threshold {
			matches = append(matches, map[string]any{"Similarity": alike, "Face": detail(i)})
			continue
		}
		others = append(others, detail(i))
	}
	return map[string]any{
		"SourceImageFace": map[string]any{"BoundingBox": box(0), "Confidence": 99.98},
		"FaceMatches":     matches,
		"UnmatchedFaces":  others,
	}, best
}

// detail is where a face is and how it looks.
func detail(i int) map[string]any {
	return map[string]any{
		"BoundingBox": box(i), "Confidence": 99.95,
		"Landmarks": []any{
			map[string]any{"Type": "eyeLeft", "X": 0.41, "Y": 0.4}, map[string]any{"Type": "eyeRight", "X": 0.56, "Y": 0.4},
			map[string]any{"Type": "mouthLeft", "X": 0.43, "Y": 0.6}, map[string]any{"Type": "mouthRight", "X": 0.54, "Y": 0.6},
			map[string]any{"Type": "nose", "X": 0.49, "Y": 0.5},
		},
		"Pose":    map[string]any{"Roll": 1.5, "Yaw": -4.25, "Pitch": 3.5},
		"Quality": map[string]any{"Brightness": 71.5, "Sharpness": 89.75},
	}
}

func box(i int) map[string]any {
	return map[string]any{"Width": 0.4, "Height": 0.5, "Left": 0.3 + 0.1*float64(i), "Top": 0.2}
}
