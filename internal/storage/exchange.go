package storage

import (
	"context"
	"io"
	"net/http"
)

// maxAnswerBytes is the most that is read of an answer that is no selfie. A page
// of 1,000 versions takes about half a megabyte.
const maxAnswerBytes = 4 << 20

// accessDenied is S3's code for what the credentials may not do.
const accessDenied = "AccessDenied"

// answer is what S3 says to a request that it has fulfilled.
type answer struct {
	header http.Header
	body   []byte
}

// exchange makes a request that is not for a selfie, within the timeout.
func (s *Store) exchange(ctx context.Context, r request) (answer, *Error) {
	asking, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	got, err := s.client.send(asking, r)
	if err != nil {
		return answer{}, classify(ctx, asking, err)
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK && got.StatusCode != http.StatusNoContent {
		refused, err := readRefusal(got)
		if err != nil {
			return answer{}, classify(ctx, asking, err)
		}
		return answer{}, judge(r, refused)
	}
	body, err := io.ReadAll(io.LimitReader(got.Body, maxAnswerBytes))
	if err != nil {
		return answer{}, classify(ctx, asking, &brokenAnswer{err})
	}
	return answer{header: got.Header, body: body}, nil
}
