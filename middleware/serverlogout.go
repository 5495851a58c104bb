package middleware

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"time"

	"github.com/authtrip/authtrip/internal/redact"
)

// serverLogoutTime is how long a user may take to log out at the server.
const serverLogoutTime = 10 * time.Minute

// maxHint is the length of the longest ID token that is kept for a logout. It
// must fit into a redirect.
const maxHint = 3 << 10

// hintOf returns the ID token of a login.
func (l *login) hintOf(k *kept) redact.Hidden {
	raw, _ := k.token().Extra("id_token").(string)
	if len(raw) > maxHint {
		return redact.Hidden{}
	}
	return redact.Hide(raw)
}

// sealHint returns an ID token for the record of its session. It is sealed
// there whatever the store does, because it says more of the user than the app
// has asked for.
func (l *login) sealHint(ctx context.Context, name string, hint redact.Hidden) (string, error) {
	if hint.Reveal() == "" {
		return "", nil
	}
	return l.seal(ctx, forHint, name, hint.Reveal())
}

// hint returns the ID token of a session, or nothing: without it the server
// asks the user which session shall end.
func (l *login) hint(ctx context.Context, c ticket) string {
	v, err := l.visit(ctx, c)
	if err != nil || v.session.Hint == "" {
		return ""
	}
	var raw string
	if l.open(ctx, forHint, c.name(), v.session.Hint, &raw) != nil {
		return ""
	}
	return raw
}

// leaveServer returns where a browser logs out at the authorization server
// (OpenID Connect RP-Initiated Logout section 2). The server sends it back to
// Logout, with the state that is in a cookie.
func (l *login) leaveServer(w http.ResponseWriter, hint string) string {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	state := base64.RawURLEncoding.EncodeToString(random[:])
	endpoint, err := url.Parse(l.client.Provider().EndSessionURL)
	if err != nil {
		return l.options.AfterLogout // cannot happen: the provider is valid
	}
	query := endpoint.Query()
	query.Set("client_id", l.client.ClientID())
	query.Set("post_logout_redirect_uri", l.site.origin+l.site.logout)
	query.Set("state", state)
	endpoint.RawQuery = query.Encode()
	if hint != "" {
		if part := "&id_token_hint=" + url.QueryEscape(hint); len(endpoint.String())+len(part) <= maxAnswer {
			endpoint.RawQuery += part
		}
	}
	l.cookies.set(w, l.cookies.serverLogout(), state, serverLogoutTime)
	return endpoint.String()
}

// returned reports whether r comes back from a logout at the server that this
// browser has begun, and ends it.
func (l *login) returned(w http.ResponseWriter, r *http.Request) bool {
	if !l.options.LogoutAtServer || r.Method != http.MethodGet {
		return false
	}
	values, ok := readQuery(r.URL.RawQuery, "state")
	state := l.cookies.get(r, l.cookies.serverLogout())
	if !ok || state == "" || subtle.ConstantTimeCompare([]byte(state), []byte(values.Get("state"))) != 1 {
		return false
	}
	private(w)
	l.cookies.clear(w, l.cookies.serverLogout())
	seeOther(w, l.options.AfterLogout)
	return true
}
