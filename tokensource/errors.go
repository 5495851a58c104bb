package tokensource

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A caller decides on these errors. Match them with errors.Is; the facts are in
// an [*Error].
var (
	// ErrReauthorize means that the user must authorize the app again. There is
	// no other remedy.
	ErrReauthorize = errors.New("tokensource: the user must authorize again")

	// ErrNoGrant means that there is no grant for the subject: the user never
	// logged in, or has logged out. It matches ErrReauthorize too, since the
	// user can help in the same way.
	ErrNoGrant = fmt.Errorf("tokensource: no grant is stored for the subject: %w", ErrReauthorize)

	// ErrNoSubject means that neither the source nor the context names a
	// subject, see [WithSubject]. A subject of another client or of another
	// authorization server does not count. A router's context, such as that of
	// gin, does not have the values of the context of its request.
	ErrNoSubject = errors.New("tokensource: the context names no subject of this source: pass the context of a request that Require has let through, or of WithSubject of the Keeper, or use a Source of one subject")

	// ErrTemporary means that the authorization server, the store or a function
	// of the program could not do its work now. A later call may succeed. The
	// grant has not ended. If an answer of the store was lost, a change may be
	// stored all the same.
	ErrTemporary = errors.New("tokensource: temporary failure")

	// ErrClient means that the authorization server refused the client, and not
	// the user. The operator must correct the deployment. The grant has not
	// changed.
	ErrClient = errors.New("tokensource: the authorization server refused this client")

	// ErrJustRenewed means that the rejected token was obtained moments ago, so
	// that a refresh would not help.
	ErrJustRenewed = errors.New("tokensource: the rejected token was renewed moments ago")

	// ErrKeyLost means that the key to which a grant is bound does not exist any
	// more ([Proofs]). It comes with ErrReauthorize.
	ErrKeyLost = errors.New("tokensource: the key to which the grant is bound is lost")

	// ErrClosed means that the source was closed.
	ErrClosed = errors.New("tokensource: closed")
)

// A Reason says why the user must authorize again.
type Reason string

// The reasons that come with [ErrReauthorize].
const (
	// ReasonRefused means that the server refused the refresh token: it was
	// revoked, it expired, it was used twice, or another login replaced it.
	ReasonRefused Reason = "refused"

	// ReasonInDoubt means that the refresh token was sent, that its answer was
	// lost, and that it must not be sent again.
	ReasonInDoubt Reason = "in doubt"

	// ReasonNoRefreshToken means that the access token has expired, and that the
	// server had issued no refresh token.
	ReasonNoRefreshToken Reason = "no refresh token"

	// ReasonKeyLost means that the tokens are bound to a key that does not exist
	// any more.
	ReasonKeyLost Reason = "key lost"

	// ReasonNoGrant means that the user never logged in, or has logged out.
	ReasonNoGrant Reason = "no grant"
)

// An Error holds the facts of a failed operation. Its text contains no token,
// code, secret, verifier or response body.
type Error struct {
	// Op is what was done. Requests are "push" for a pushed authorization request,
	// "exchange", "refresh", "revoke", "client_credentials", "jwt_bearer",
	// "token_exchange", "device" for a request for a device code, "device_code"
	// for a request with one, "extension" for another extension grant, "identity",
	// "register", and "id_token" or "logout_token" for the keys of the server. What
	// happens in the program is "load" and "store" for the stored grant, "token" if
	// there is none to hand out, "key" for a key that proves possession,
	// "authorize" for the answer of the server to a login, "login" and "connect".
	Op string

	// Kind is one of this package's sentinel errors, or nil.
	Kind error

	// Reason comes with ErrReauthorize.
	Reason Reason

	// Code is the error code of [RFC 6749] section 5.2, if the server sent one.
	//
	// [RFC 6749]: https://www.rfc-editor.org/rfc/rfc6749
	Code string

	// Description is the server's error_description: printable ASCII, at most
	// 200 bytes, with secrets removed.
	Description string

	// Status is the HTTP status, or 0 if there was no answer.
	Status int

	// RetryAfter comes with ErrTemporary. It is the time until the next attempt
	// makes sense. Zero means that it is unknown.
	RetryAfter time.Duration

	// InDoubt says that the server may have done what it was asked: its answer
	// was lost or could not be read.
	InDoubt bool

	// Unrecognized comes with ErrClient. Neither the standard nor the facts of
	// the provider explain the refusal. So it may concern the grant of one user,
	// and not the client.
	Unrecognized bool

	// Hint says what to do, if that is known.
	Hint string

	// Err is the cause, or nil.
	Err error
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

// Unwrap returns the kind and the cause, for errors.Is and errors.AsType.
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
