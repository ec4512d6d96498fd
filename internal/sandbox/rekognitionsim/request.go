package rekognitionsim

import (
	"encoding/json"
	"slices"
)

// request is the body of a call.
type request struct {
	SourceImage, TargetImage *image
	SimilarityThreshold      *float64
	QualityFilter            *string
}

// image is one of the two pictures: its bytes, or where it is.
type image struct {
	Bytes    []byte
	S3Object *s3Object
}

type s3Object struct{ Bucket, Name, Version string }

// filters are the values of QualityFilter.
var filters = []string{"NONE", "AUTO", "LOW", "MEDIUM", "HIGH"}

// readRequest returns the call, or the error type that it is refused with.
func readRequest(body []byte) (r request, errorType string) {
	if json.Unmarshal(body, &r) != nil {
		return r, serialization
	}
	if r.SourceImage == nil || r.TargetImage == nil {
		return r, validation
	}
	if t := r.SimilarityThreshold; t != nil && (*t < 0 || *t > 100) {
		return r, validation
	}
	if f := r.QualityFilter; f != nil && !slices.Contains(filters, *f) {
		return r, validation
	}
	for _, i := range []*image{r.SourceImage, r.TargetImage} {
		if errorType := i.check(); errorType != "" {
			return r, errorType
		}
	}
	return r, ""
}

func (i *image) check() (errorType string) {
	switch {
	case (i.Bytes == nil) == (i.S3Object == nil):
		return invalidParameter
	case i.S3Object == nil && len(i.Bytes) == 0:
		return validation
	case len(i.Bytes) > maxPictureBytes:
		return imageTooLarge
	case i.S3Object != nil && (len(i.S3Object.Bucket) < 3 || i.S3Object.Name == "" || len(i.S3Object.Name) > 1024):
		return validation
	}
	return ""
}

func (r request) threshold() float64 {
	if r.SimilarityThreshold == nil {
		return defaultSimilarity
	}
	return *r.SimilarityThreshold
}

func (r request) filter() string {
	if r.QualityFilter == nil {
		return "NONE"
	}
	return *r.QualityFilter
}
