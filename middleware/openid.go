package middleware

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authtrip/authtrip/internal/redact"
	"github.com/authtrip/authtrip/internal/whois"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// openID is what a login with OpenID Connect has asked for, and what its ID
// token must answer. The zero value is a login without it.
type openID struct {
	nonce redact.Hidden // 32 random bytes
	after time.Time     // of the authentication, for max_age
	acr   []string      // acr_values
}

// askOpenID prepares a login whose ID token will be verified. The params are
// those of the authorization request.
func (l *login) askOpenID(params url.Values) (openID, error) {
	if l.client.IDTokens() == nil {
		return openID{}, nil
	}
	if params.Has("nonce") {
		return openID{}, errors.New("middleware: the parameter nonce is new for each login and cannot be given")
	}
	var nonce [32]byte
	_, _ = rand.Read(nonce[:]) // never fails
	want, err := whois.Request(l.client.Provider(), params)
	if err != nil {
		return openID{}, fmt.Errorf("middleware: %w", err)
	}
	return openID{redact.Hide(base64.RawURLEncoding.EncodeToString(nonce[:])), want.AuthenticatedAfter, want.ACR}, nil
}

// encode returns o as one line: the nonce, the second of the earliest
// authentication, and the authentication contexts.
func (o openID) encode() string {
	if o.nonce.Reveal() == "" {
		return ""
	}
	after := int64(0)
	if !o.after.IsZero() {
		after = o.after.Unix()
	}
	return strings.Join(append([]string{o.nonce.Reveal(), strconv.FormatInt(after, 10)}, o.acr...), " ")
}

// decodeOpenID reads what encode has written.
func decodeOpenID(line string) (o openID, ok bool) {
	if line == "" {
		return openID{}, true
	}
	parts := strings.Split(line, " ")
	if len(parts) < 2 {
		return openID{}, false
	}
	after, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return openID{}, false
	}
	o.nonce, o.acr = redact.Hide(parts[0]), parts[2:]
	if after != 0 {
		o.after = time.Unix(after, 0).UTC()
	}
	return o, true
}

// identify finds out who the user of a login is. If the client verifies ID
// tokens, the ID token says so (M10). What Options.Identify says of the user
// counts all the same.
func (l *login) identify(ctx context.Context, k *kept) error {
	want := provider.IDTokenRequest{
		Nonce: k.openID.nonce.Reveal(), At: k.exchanged, AuthenticatedAfter: k.openID.after, ACR: k.openID.acr,
	}
	var id provider.IDToken
	var err error
	verifier := l.client.IDTokens()
	switch {
	case l.asks:
		id, err = whois.Ask(ctx, l.client, k.token(), want)
	case verifier != nil:
		id, err = verifier.VerifyIDToken(ctx, k.token(), want)
	}
	if err != nil {
		return unidentified(err)
	}
	user := id.User
	if !l.asks {
		if user, err = l.options.Identify(ctx, k.token()); err == nil && user.Subject == "" {
			err = errors.New("middleware: Options.Identify returned no subject")
		}
		if errors.Is(err, ErrRefused) {
			return &Error{Op: opCallback, Kind: ErrRefused, Err: err}
		}
		if err != nil {
			return failed(causeUnidentified, err)
		}
	}
	k.user = user
	if verifier != nil {
		k.named, k.sid = id.User.Subject, id.Session
		if l.options.LogoutAtServer {
			k.hint = l.hintOf(k)
		}
	}
	return nil
}

const causeUnidentified = "it could not be established who the user is"

// unidentified is the failure of a login without a user. An ID token that is
// refused stays refused.
func unidentified(err error) error {
	if e, ok := errors.AsType[*tokensource.Error](err); ok && e.Kind == nil {
		err = errors.Join(err, errHopeless)
	}
	return failed(causeUnidentified, err)
}

// offline reports whether refresh tokens with these scopes outlive the session
// of the user at the server (OpenID Connect Core section 11).
func offline(scopes []string) bool { return slices.Contains(scopes, "offline_access") }
