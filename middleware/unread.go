package middleware

import (
	"context"
	"errors"
	"strings"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// operatorError is a kind of failure that only a change of the deployment ends:
// tokensource.ErrClient with a text of its own.
type operatorError string

func (e operatorError) Error() string { return string(e) }

func (e operatorError) Unwrap() error { return tokensource.ErrClient }

// unread is the failure to read a record, for as long as the record and the
// keys stay as they are.
type unread struct {
	key string // of the record
	err error
}

// unreadable wraps err if the record under key cannot be read. Otherwise it
// returns err. The record is left to the operator, because another process may
// have the keys that open it.
func unreadable(key string, err error) error {
	if errors.Is(err, seal.ErrUnsealed) || errors.Is(err, storage.ErrCorrupt) || isMisread(err) {
		return &unread{key, err}
	}
	return err
}

// isMisread reports whether err is of a grant that was opened and makes no
// sense: package tokensource has no kind for it.
func isMisread(err error) bool {
	e, ok := errors.AsType[*tokensource.Error](err)
	return ok && e.Op == "load" && e.Kind == nil
}

// Error says what to do.
func (e *unread) Error() string {
	advice := "restore or delete it"
	switch unsealed := errors.Is(e.err, seal.ErrUnsealed); {
	case strings.HasPrefix(e.key, storage.NamePrefix) && unsealed: // without it, no grant is found any more
		advice = "give the key that sealed it as well, behind the first one"
	case strings.HasPrefix(e.key, storage.NamePrefix):
		advice = "restore it"
	case unsealed:
		advice = "give the key that sealed it as well, behind the first one, or delete it"
	}
	return e.key + ": " + advice + ": " + e.err.Error()
}

// Unwrap returns the kind and the reason.
func (e *unread) Unwrap() []error { return []error{ErrUnreadable, e.err} }

// stopped is the error of op when the store or the session library did:
// temporary, unless only the operator can help.
func stopped(op, cause string, err error) *Error {
	kind := tokensource.ErrTemporary
	if errors.Is(err, ErrUnreadable) {
		kind = ErrUnreadable
	}
	return &Error{Op: op, Kind: kind, Cause: cause, Err: err}
}

// grantKey is where the grant of a user is stored. If the store cannot compute
// that key, it is the key of the record that the store needs for it.
func (l *login) grantKey(ctx context.Context, subject string) string {
	authority, clientID := l.client.Provider().Authority(), l.client.ClientID()
	key, err := grant.Key(ctx, l.grants.Store(), authority, clientID, subject)
	if err != nil {
		return storage.NameKey(authority + " " + clientID)
	}
	return key
}
