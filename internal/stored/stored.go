// Package stored makes errors of a store into errors of package tokensource.
//
// # What it is for
//
// A program repeats what has failed for now, and its operator repairs what no
// repetition helps: a record that is damaged, or sealed with another key.
// Packages that keep records beside the grants say which of both it is.
//
// # Concurrency and errors
//
// [Failed] is safe for concurrent use. Its results contain the error of the
// store, which has no value of a record in it.
package stored

import (
	"errors"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
)

// lasting are the errors of a store that another attempt does not end.
var lasting = []error{seal.ErrUnsealed, storage.ErrCorrupt, storage.ErrBadKey, storage.ErrTooLarge}

// Failed returns the error for a failure of the store in an operation, or nil.
// It matches tokensource.ErrTemporary if another attempt may succeed. Op is
// that of the error.
func Failed(op string, err error) error {
	if err == nil {
		return nil
	}
	e := &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, Err: err}
	for _, known := range lasting {
		if errors.Is(err, known) {
			e.Kind = nil
		}
	}
	return e
}
