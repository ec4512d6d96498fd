package argossim

// The rejection codes, in the vendor's own mixed case (Argos developer site,
// FaceAuth).
const (
	failSimilarity = "face_compare_underscore"
	failOccluded   = "Face_Occluded_fail"
	failCover      = "Face_cover_fail"
	failHead       = "Head_cover_fail"
	// failNew is not the vendor's: it stands for a code added after the
	// caller was written.
	failNew = "Face_mirror_fail"
)

// The error codes that the simulator raises by itself.
const (
	invalidDataFormat       = "invalid_data_format"
	requiredFieldMissing    = "required_field_missing"
	imageConvertingError    = "image_converting_error"
	noFace                  = "no_face"
	invalidSubmissionID     = "Invalid_submissionId"
	invalidSubmissionStatus = "invalid_submission_status"
	dataProcessingError     = "data_processing_error"
)

// errorTexts holds every documented error code and the message text that may
// stand in its place.
var errorTexts = map[string]string{
	invalidDataFormat:        "Data parsing error. Please check input data.",
	requiredFieldMissing:     "Required field is missing",
	imageConvertingError:     "Image converting error",
	noFace:                   "Face is not detected",
	"Invalid_projectId":      "Fail to find the project data",
	invalidSubmissionID:      "Fail to find the submission data",
	invalidSubmissionStatus:  "The submission must be approved to process face authentication",
	"image_processing_error": "Image processing error",
	"detection_server_error": "Cannot finish process of detecting face",
	dataProcessingError:      "Data processing error",
}

// comments are the human words that go with a rejection code. The vendor's own
// samples disagree about them, so nobody may match on them.
var comments = map[string]string{
	failSimilarity: "The face does not match the reference.",
	failOccluded:   "The face is covered.",
	failCover:      "Face protection was not detected.",
	failHead:       "Head protection was not detected.",
	failNew:        "The picture was mirrored.",
}
