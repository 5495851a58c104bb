package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/authtrip/authtrip/tokensource/oauth"
)

// findings are what probe established. Null means that it established nothing:
// nobody guesses.
type findings struct {
	Metadata     *bool `json:"metadata"`      // the server publishes metadata
	PKCERequired *bool `json:"pkce_required"` // true only: a login page proves nothing
	IssInAnswer  *bool `json:"iss_in_answer"` // RFC 9207

	// The client authenticated in this way: the right secret was answered
	// otherwise than a wrong one, or got tokens.
	Basic    *bool `json:"auth_basic"`
	BasicRaw *bool `json:"auth_basic_raw"`
	Post     *bool `json:"auth_post"`

	UnknownRefresh *reply `json:"unknown_refresh_token"` // the answer to a refresh token that never was one
	ReusedRefresh  *reply `json:"reused_refresh_token"`  // the answer to one that was redeemed before

	ExpiresIn     *int64 `json:"expires_in"`
	RefreshTokens *bool  `json:"refresh_tokens"`
	Rotates       *bool  `json:"rotates"`
	EndsAccess    *bool  `json:"refresh_ends_access"`
	ReuseAnswered *bool  `json:"reuse_answered_at_once"`
	ReuseEnds     *bool  `json:"reuse_ends_grant"`

	BadTokenStatus *int `json:"bad_token_status"`

	RevocationStatus *int  `json:"revocation_status"`
	RevocationEnds   *bool `json:"revocation_ends_grant"`
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

// tokens are those of the test account. They are in closures.
type tokens struct{ access, refresh func() string }

// tokensOf notes what the first token answer says.
func (f *findings) tokensOf(r *reply) tokens {
	f.ExpiresIn = r.expires
	f.RefreshTokens = new(r.refresh() != "")
	return tokens{r.access, r.refresh}
}

// apiAnswers compares the API's answers to the good token and to a bad one.
func (f *findings) apiAnswers(ctx context.Context, t *target, now tokens) error {
	good, err := t.get(ctx, t.api, now.access())
	if err != nil || good.Status/100 != 2 {
		return err
	}
	bad, err := t.get(ctx, t.api, "authtrip-probe-is-no-access-token")
	if err == nil && bad.refused() {
		f.BadTokenStatus = &bad.Status
	}
	return err
}

// rotation redeems the refresh token once.
func (f *findings) rotation(ctx context.Context, t *target, auth string, old tokens) (tokens, error) {
	r, err := t.refresh(ctx, auth, t.secret(), old.refresh())
	if err != nil || !r.good() {
		return old, err
	}
	now := tokens{r.access, r.refresh}
	f.Rotates = new(r.refresh() != "" && r.refresh() != old.refresh())
	if !*f.Rotates {
		now.refresh = old.refresh
	}
	if f.BadTokenStatus == nil || r.access() == old.access() {
		return now, nil // there is no API that tells a good token from a bad one
	}
	was, err := t.get(ctx, t.api, old.access())
	if err == nil && (was.Status/100 == 2 || was.Status == *f.BadTokenStatus) {
		f.EndsAccess = new(was.Status/100 != 2)
	}
	return now, err
}

// reuse redeems a refresh token a second time, and then the one that came after
// it. That can end the grant.
func (f *findings) reuse(ctx context.Context, t *target, auth string, old, now tokens) (tokens, error) {
	r, err := t.refresh(ctx, auth, t.secret(), old.refresh())
	if err != nil {
		return now, err
	}
	f.ReusedRefresh = r
	if !r.good() && !r.refused() {
		return now, nil
	}
	f.ReuseAnswered = new(r.good())
	if r.good() {
		if r.refresh() != "" {
			now = tokens{r.access, r.refresh}
		}
		return now, nil
	}
	next, err := t.refresh(ctx, auth, t.secret(), now.refresh())
	if err != nil || !next.good() && !next.refused() {
		return now, err
	}
	f.ReuseEnds = new(!next.good())
	if next.good() && next.refresh() != "" {
		now.refresh = next.refresh
	}
	return now, nil
}

// revocation revokes the refresh token (RFC 7009) and redeems it.
func (f *findings) revocation(ctx context.Context, t *target, auth string, now tokens) error {
	r, err := t.post(ctx, t.revoke, auth, t.secret(), url.Values{
		"token": {now.refresh()}, "token_type_hint": {oauth.HintRefreshToken},
	})
	if err != nil {
		return err
	}
	f.RevocationStatus = &r.Status
	if r.Status != http.StatusOK {
		return nil
	}
	after, err := t.refresh(ctx, auth, t.secret(), now.refresh())
	if err == nil && (after.good() || after.refused()) {
		f.RevocationEnds = new(!after.good())
	}
	return err
}

// providerFile returns the facts in the format of provider.Load. A fact that
// was not established is absent: the Provider then expects the strictest
// server.
func (f *findings) providerFile(t *target, name, day string) ([]byte, error) {
	yes := func(b *bool) bool { return b != nil && *b }
	no := func(b *bool) bool { return b != nil && !*b }
	type object = map[string]any
	set := func(o object, member string, value string) {
		if value != "" {
			o[member] = value
		}
	}
	endpoints := object{"authorization": t.authorize, "token": t.token}
	set(endpoints, "revocation", t.revoke)
	if yes(f.Metadata) || yes(f.IssInAnswer) {
		endpoints["issuer"] = t.issuer
	}
	entry := object{"name": name, "title": name, "checked": day, "endpoints": endpoints}
	about := []string{"endpoints"}
	add := func(group string, o object) {
		if len(o) > 0 {
			entry[group], about = o, append(about, group)
		}
	}
	client := object{}
	switch {
	case yes(f.Basic):
		client["auth"] = authBasic
	case yes(f.BasicRaw):
		client["auth"] = authRaw
	case yes(f.Post):
		client["auth"] = authPost
	}
	add("client", client)
	refresh := object{}
	if yes(f.EndsAccess) {
		refresh["ends_access"] = true
	}
	if no(f.ReuseEnds) {
		refresh["reuse_spares_grant"] = true
	}
	add("refresh", refresh)
	api := object{}
	if u, err := url.Parse(t.api); err == nil && u.Host != "" {
		api["origins"] = []string{u.Scheme + "://" + u.Host}
	}
	if f.BadTokenStatus != nil && *f.BadTokenStatus != http.StatusUnauthorized {
		api["rejected"] = []int{*f.BadTokenStatus}
	}
	add("api", api)
	entry["sources"] = []object{{"for": about, "kind": "code", "ref": "grantctl probe", "date": day}}
	return json.MarshalIndent(object{"providers": []object{entry}}, "", "\t")
}
