package vendors

import "strings"

// Secret returns a credential as it is now. It is asked at every call, so that
// a rotated key works without a restart; an implementation that reads a file
// keeps what it read for as long as the file is unchanged. Many goroutines may
// call it at once. It may return space around the credential, as files do.
type Secret func() (string, error)

// Header returns the secret without the space around it, and whether it can
// stand in an HTTP header: it could be read, is not empty, and is printable
// ASCII without blanks. The reason is not returned, for it might hold the
// credential.
func (s Secret) Header() (value string, ok bool) {
	value, err := s()
	if err != nil {
		return "", false
	}
	value = strings.TrimSpace(value)
	for _, c := range []byte(value) {
		if c <= ' ' || c > '~' {
			return "", false
		}
	}
	return value, value != ""
}
