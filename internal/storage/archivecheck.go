package storage

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
)

// checkKey is what Check writes under the prefix, and checkText to it.
const (
	checkKey  = "reauth-check.txt"
	checkText = "Written by `consumer check`, to find out whether pictures can be archived here. It may be deleted.\n"
)

var errNoPut = errors.New("is the bucket ours, and is s3:PutObject granted, with kms:GenerateDataKey if a key is set?")

// Check writes a small object, as nothing else shows whether pictures can be
// written: reauth-check.txt under the prefix, always the same. It stays, since the
// credentials need not be good for deleting.
func (a *Archive) Check(ctx context.Context) error {
	fault := a.put(ctx, checkKey, payload{
		contentType: "text/plain", sum: sha256.Sum256([]byte(checkText)), size: int64(len(checkText)), bytes: strings.NewReader(checkText),
	})
	if fault != nil && fault.Code == accessDenied {
		fault.Err = errNoPut
	}
	return a.failed(fault)
}
