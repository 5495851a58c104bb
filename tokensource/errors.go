package tokensource

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// What a caller decides on. Match them with errors.Is; the facts are in *Error.
var (
	// ErrReauthorize means that the user must authorize the app again: nothing else will help.
	ErrReauthorize = errors.New("tokensource: the user must authorize again")

	// ErrNoGrant means that there is no grant for the subject: never logged in, or logged out. It matches
	// ErrReauthorize too, since the remedy is the same.
	ErrNoGrant = fmt.Errorf("tokensource: no grant is stored for the subject: %w", ErrReauthorize)

	// ErrNoSubject means that neither the source nor the context names a subject: call WithSubject.
	ErrNoSubject = errors.New("tokensource: no subject in the context: use tokensource.WithSubject, or a Source of one subject")

	// ErrTemporary means that the authorization server or the store could not do it now: try again later. The grant
	// is untouched.
	ErrTemporary = errors.New("tokensource: temporary failure")

	// ErrClient means that the authorization server refused the client, not the user: the deployment must be fixed.
	// The grant is untouched.
	ErrClient = errors.New("tokensource: the authorization server refused this client")

	// ErrJustRenewed means that the rejected token was obtained moments ago, so that a refresh would not help.
	ErrJustRenewed = errors.New("tokensource: the rejected token was renewed moments ago")

	// ErrClosed means that the engine was closed.
	ErrClosed = errors.New("tokensource: closed")
)

// Reason tells why the user must authorize again.
type Reason string

// The reasons that come with ErrReauthorize.
const (
	ReasonRefused        Reason = "refused"          // the server refused the refresh token: revoked, expired, reused, or replaced by another login
	ReasonInDoubt        Reason = "in doubt"         // an answer was lost after the refresh token was sent, and it may not be sent again
	ReasonNoRefreshToken Reason = "no refresh token" // the access token ended and the server had issued no refresh token
	ReasonNoGrant        Reason = "no grant"         // never logged in, or logged out
)

// Error holds the facts of a failed operation. Its text carries no token, code, secret, verifier or response body.
type Error struct {
	Op          string        // "exchange", "refresh", "revoke", "client_credentials", "identity", "load", "store"
	Kind        error         // one of this package's sentinel errors, or nil
	Reason      Reason        // with ErrReauthorize
	Code        string        // the error code of RFC 6749 section 5.2, if the server sent one
	Description string        // the server's error_description: printable ASCII, at most 200 characters, secrets removed
	Status      int           // the HTTP status, or 0 if there was no answer
	RetryAfter  time.Duration // with ErrTemporary: when to try again; 0 means unknown
	InDoubt     bool          // the server may have done what was asked: its answer was lost or unreadable
	Hint        string        // what to do about it, if that is known
	Err         error         // the cause, or nil
}

// Error returns one line of text.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("tokensource: " + e.Op)
	if e.Reason != "" {
		b.WriteString(": " + string(e.Reason))
	} else if e.Kind != nil {
		b.WriteString(": " + strings.TrimPrefix(e.Kind.Error(), "tokensource: "))
	}
	if e.Status != 0 {
		b.WriteString(": HTTP " + strconv.Itoa(e.Status))
	}
	if e.Code != "" {
		b.WriteString(": " + e.Code)
	}
	if e.Description != "" {
		b.WriteString(" (" + e.Description + ")")
	}
	if e.InDoubt {
		b.WriteString(": the outcome is unknown")
	}
	if e.RetryAfter > 0 {
		b.WriteString(": retry after " + e.RetryAfter.Round(time.Second).String())
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString(": " + e.Hint)
	}
	return b.String()
}

// Unwrap returns the kind and the cause, for errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	var list []error
	if e.Kind != nil {
		list = append(list, e.Kind)
	}
	if e.Err != nil {
		list = append(list, e.Err)
	}
	return list
}
