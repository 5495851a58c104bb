package main

import (
	"context"
	"errors"
	"net/url"
)

// findings are what probe established. Null means that it established nothing:
// nobody guesses.
type findings struct {
	Metadata     *bool `json:"metadata"`      // the server publishes metadata
	PKCERequired *bool `json:"pkce_required"` // true only: a login page proves nothing

	// The verifier of PKCE is compared. False means that the server ignores PKCE:
	// a code that was stolen can be used.
	VerifierCompared *bool  `json:"pkce_verifier_compared"`
	WrongVerifier    *reply `json:"wrong_verifier"` // the answer to a wrong one

	IssInAnswer *bool `json:"iss_in_answer"` // RFC 9207

	// The client authenticated in this way: the right secret was answered
	// otherwise than a wrong one, or got tokens.
	Basic    *bool `json:"auth_basic"`
	BasicRaw *bool `json:"auth_basic_raw"`
	Post     *bool `json:"auth_post"`

	UnknownCode    *reply `json:"unknown_code"`          // the answer to a code that never was one
	UnknownRefresh *reply `json:"unknown_refresh_token"` // the answer to a refresh token that never was one
	ReusedRefresh  *reply `json:"reused_refresh_token"`  // the answer to one that was redeemed before

	ExpiresIn     *int64 `json:"expires_in"`
	RefreshTokens *bool  `json:"refresh_tokens"`
	Rotates       *bool  `json:"rotates"`
	EndsAccess    *bool  `json:"refresh_ends_access"`
	ReuseAnswered *bool  `json:"reuse_answered_at_once"`
	ReuseEnds     *bool  `json:"reuse_ends_grant"`
	GraceAtLeast  *int64 `json:"grace_at_least_seconds"` // a redeemed refresh token was answered after that time
	GraceBelow    *int64 `json:"grace_below_seconds"`    // and refused after this one

	BadTokenStatus *int `json:"bad_token_status"`

	RevocationStatus *int   `json:"revocation_status"`
	RevocationEnds   *bool  `json:"revocation_ends_grant"`
	DeadRefresh      *reply `json:"revoked_refresh_token"` // the answer to one that was revoked
}

// clientAuth finds out how the client can authenticate, with a refresh token
// that never was one. It returns the way to use from then on.
func (f *findings) clientAuth(ctx context.Context, t *target) (string, error) {
	if t.secret() == "" {
		r, err := t.refresh(ctx, authNone, "", nothing)
		f.UnknownRefresh = r
		return authNone, err
	}
	ways := []struct {
		auth string
		to   **bool
	}{{authBasic, &f.Basic}, {authRaw, &f.BasicRaw}, {authPost, &f.Post}}
	var first, unsure string
	for _, w := range ways {
		if w.auth == authRaw && url.QueryEscape(t.clientID+t.secret()) == t.clientID+t.secret() {
			continue // both forms of Basic are the same request
		}
		works, r, err := t.authenticates(ctx, w.auth)
		if err != nil {
			return "", err
		}
		*w.to = works
		switch {
		case works == nil && unsure == "":
			unsure = w.auth
		case works != nil && *works && first == "":
			first, f.UnknownRefresh = w.auth, r
		}
	}
	if first == "" {
		first = unsure
	}
	if first == "" {
		return "", errors.New("the server accepts the client in no way: are client ID and secret right?")
	}
	return first, nil
}

// nothing is a refresh token that no server issued.
const nothing = "authtrip-probe-is-no-refresh-token"

// authenticates says whether the server tells the right secret from a wrong
// one. A server that looks at the refresh token first answers both alike.
func (t *target) authenticates(ctx context.Context, auth string) (*bool, *reply, error) {
	right, err := t.refresh(ctx, auth, t.secret(), nothing)
	if err != nil {
		return nil, nil, err
	}
	wrong, err := t.refresh(ctx, auth, t.secret()+"-not", nothing)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case !right.refused() || !wrong.refused():
		return nil, right, nil
	case right.Status != wrong.Status || right.Code != wrong.Code:
		return new(true), right, nil
	case right.Code == "invalid_client":
		return new(false), right, nil
	}
	return nil, right, nil
}

func (t *target) refresh(ctx context.Context, auth, secret, token string) (*reply, error) {
	return t.post(ctx, t.token, auth, secret, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// pkce asks for an authorization without a challenge. Some servers refuse that
// before anybody logs in. A control with a challenge must not be refused.
func (f *findings) pkce(ctx context.Context, t *target, with, without string) error {
	control, err := t.get(ctx, with, "")
	if err != nil || control.sentBack != "" {
		return err
	}
	r, err := t.get(ctx, without, "")
	if err == nil && r.sentBack == "invalid_request" {
		f.PKCERequired = new(true)
	}
	return err
}
