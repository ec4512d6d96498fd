package rekognition

import (
	"encoding/json"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// comparison is what is read of an answer: the only fields of it that are ever
// decoded. Where the faces are and how they look stands beside them.
type comparison struct {
	// SourceImageFace is the reference's.
	SourceImageFace *struct{}
	// FaceMatches are faces of the selfie, each with its similarity to the
	// reference's, 0 to 100.
	FaceMatches []struct{ Similarity *float64 }
	// UnmatchedFaces are the selfie's other faces.
	UnmatchedFaces []struct{}
}

// readComparison returns what an answer says, false if it is not wholly there or
// is not what is documented.
func readComparison(answer vendors.Answer) (comparison, bool) {
	var c comparison
	if answer.Err != nil || json.Unmarshal(answer.Body, &c) != nil {
		return comparison{}, false
	}
	for _, match := range c.FaceMatches {
		if s := match.Similarity; s == nil || *s < 0 || *s > 100 {
			return comparison{}, false
		}
	}
	return c, c.SourceImageFace != nil && c.FaceMatches != nil
}

// decide makes the verdict. One face only is ever approved: a second one, on a
// photo held into the picture for instance, could be the one that matches. Nor is
// such a selfie rejected: who took it may have been in company.
func (c comparison) decide(threshold float64) vendors.Verdict {
	v := vendors.Verdict{Liveness: event.LivenessNone}
	best := -1.0
	for _, match := range c.FaceMatches {
		best = max(best, *match.Similarity)
	}
	if best >= 0 {
		v.Scores = map[string]float64{"similarity": best}
	}
	switch faces := len(c.FaceMatches) + len(c.UnmatchedFaces); {
	case faces == 0: // none that the quality filter lets through
		v.Outcome, v.Reasons = event.Unusable, []event.Reason{event.NoFace}
	case faces > 1:
		v.Outcome, v.Reasons = event.Unusable, []event.Reason{event.MultipleFaces}
	case len(c.FaceMatches) == 0:
		v.Outcome, v.Reasons = event.Rejected, []event.Reason{event.NoMatch}
	case best < threshold:
		v.Outcome, v.Reasons = event.Rejected, []event.Reason{event.SimilarityBelowThreshold}
	default:
		v.Outcome = event.Approved
	}
	return v
}
