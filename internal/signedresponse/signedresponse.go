// Package signedresponse checks authorization responses that a server signs
// with the client secret. Package oauth has the secret, and the packages that
// receive responses have not: an oauth.Client embeds a [Checker], which they
// call.
//
// # Concurrency and errors
//
// Everything is safe for concurrent use. A response that is refused gives
// [ErrRefused], alone or wrapped. The text says why, and quotes nothing of the
// response.
package signedresponse

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
)

// ErrRefused means that the authorization server did not make the response for
// this client and this login.
var ErrRefused = errors.New("the response does not come from the authorization server")

// Checker checks the responses to one client.
type Checker struct {
	check func(ctx context.Context, rawQuery string) error
}

// New returns a Checker that calls check. A nil check accepts everything.
func New(check func(ctx context.Context, rawQuery string) error) Checker { return Checker{check} }

// CheckResponse returns an error if the query of an authorization response is
// not signed as the provider signs, or does not have the values that it must
// have. Call it before the code is used. It sends nothing.
func (c Checker) CheckResponse(ctx context.Context, rawQuery string) error {
	if c.check == nil {
		return nil
	}
	return c.check(ctx, rawQuery)
}

// Values refuses a query in which a parameter is missing, is there twice, or
// has another value than it must have.
func Values(query url.Values, want map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got := query[name]; len(got) != 1 || got[0] != want[name] {
			return fmt.Errorf("%w: parameter %s has another value than that of the login", ErrRefused, name)
		}
	}
	return nil
}

// Signed refuses a query whose parameter name is not the HMAC-SHA256, in
// hexadecimal, of the other parameters, sorted and encoded as a form. A
// parameter that is there twice could be read in two ways, so it is refused.
func Signed(query url.Values, name, secret string) error {
	rest := maps.Clone(query)
	delete(rest, name)
	for _, values := range query {
		if len(values) != 1 {
			return fmt.Errorf("%w: a parameter came twice", ErrRefused)
		}
	}
	given, err := hex.DecodeString(query.Get(name))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(rest.Encode()))
	if err != nil || !hmac.Equal(mac.Sum(nil), given) {
		return fmt.Errorf("%w: its signature is missing or wrong", ErrRefused)
	}
	return nil
}
