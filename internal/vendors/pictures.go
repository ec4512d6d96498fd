package vendors

import (
	"context"
	"io"
)

// PictureLister is an adapter whose vendor keeps the pictures of a person that it
// took for an authentication.
type PictureLister interface {
	// Pictures returns those that the vendor keeps under a reference, in an order
	// that does not change; none is not an error. Each of its requests to the
	// vendor is free and made within turn. Every error is an *Error, or turn's.
	Pictures(ctx context.Context, reference string, turn Turn) ([]Picture, error)
}

// Picture is one picture of a person. It shows nothing of where it is.
type Picture struct {
	// Attempt is the vendor's id of the attempt that it was taken in, and Name is
	// its own within that, such as face_image-1: both of [A-Za-z0-9_-].
	Attempt, Name string
	// Open begins to fetch the picture: size is its length in bytes, -1 if that
	// is not known. The caller closes the body, whose reading ends with ctx. It
	// can be called for as long as the vendor's link lasts, which may be short.
	// Every error is an *Error. No credential of ours goes along: pictures lie
	// elsewhere.
	Open func(ctx context.Context) (body io.ReadCloser, size int64, err error)
}
