package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/authtrip/authtrip/tokensource/provider"
)

const (
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

	// maxLogoutLife is how long a logout token may be valid. Each one is
	// remembered until it expires, so that it is used once.
	maxLogoutLife = 24 * time.Hour

	maxID = 512 // length of a jti, in bytes
)

// VerifyLogoutToken verifies a logout token ([OpenID Connect Back-Channel
// Logout] section 2.6). It implements oauth.IDTokenVerifier.
//
// [OpenID Connect Back-Channel Logout]: https://openid.net/specs/openid-connect-backchannel-1_0.html
func (v *Verifier) VerifyLogoutToken(ctx context.Context, raw string) (provider.LogoutToken, error) {
	t, err := v.open(ctx, opLogoutToken, raw, false)
	if err != nil {
		return provider.LogoutToken{}, err
	}
	l, err := v.logout(t)
	if err != nil {
		return provider.LogoutToken{}, refused(opLogoutToken, "%w", err)
	}
	return l, nil
}

func (v *Verifier) logout(t signed) (provider.LogoutToken, error) {
	l := provider.LogoutToken{Session: t.claims.text("sid"), ID: t.claims.text("jti")}
	tenant, ok := v.issuerOf(t.Issuer)
	issued, hasIssued := t.claims.time("iat")
	expires, hasExpiry := t.claims.time("exp")
	now := time.Now()
	l.Expires = expires.Add(v.skew)
	if t.Subject != "" {
		l.Subject = subjectOf(tenant, t.Subject)
	}
	var why string
	switch {
	case !slices.Contains([]string{"", "jwt", "logout+jwt"}, t.typ):
		why = "it is a token of another kind"
	case !ok:
		why = "it is of another issuer"
	case !hasIssued || !hasExpiry:
		why = "it does not say when it was issued, or when it expires"
	case issued.After(now.Add(v.skew)):
		why = "it was issued in the future: the clock of this machine or of the server is wrong"
	case !now.Before(l.Expires):
		why = "it has expired"
	case expires.After(now.Add(maxLogoutLife)):
		why = "it is valid for more than a day"
	case l.ID == "" || len(l.ID) > maxID:
		why = "it has no identifier, or one that is too long"
	case !t.claims.isLogout():
		why = "it has no event of a logout"
	case t.claims["nonce"] != nil:
		why = "it has a nonce, as an ID token has"
	case l.Subject == "" && l.Session == "":
		why = "it names neither a user nor a session"
	default:
		return l, v.audience(t)
	}
	return l, errors.New(why)
}

// isLogout reports whether the events of a token include a logout, whose value
// is an object (section 2.4).
func (c claims) isLogout() bool {
	var events map[string]json.RawMessage
	var event map[string]any
	return json.Unmarshal(c["events"], &events) == nil && json.Unmarshal(events[logoutEvent], &event) == nil && event != nil
}
