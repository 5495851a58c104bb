package xapi

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// bearer is an app-only token. It is kept as it is, because X returns the same
// one again and again.
type bearer struct {
	client string
	raw    func() string
}

// is reports whether raw is the bearer, as it was issued or percent-decoded.
func (b *bearer) is(raw string) bool {
	decoded, err := url.QueryUnescape(b.raw())
	return same(raw, b.raw()) || err == nil && same(raw, decoded)
}

const keyPrefix, secretPrefix = "fakeApiKeyOf", "fakeApiSecretOf"

// APIKeys returns the API key and secret that authenticate an app when it asks
// for an app-only bearer token. They follow from the client ID, so that an app
// need not be registered with them. A public app has none.
func APIKeys(app oauthtest.App) (key, secret string) {
	if app.Secret() == "" {
		return "", ""
	}
	return keyPrefix + app.ClientID, apiSecret(app.ClientID)
}

func apiSecret(clientID string) string {
	sum := sha256.Sum256([]byte(clientID))
	return secretPrefix + hex.EncodeToString(sum[:])[:35]
}

// appToken issues the app-only bearer (client credentials): the same one until
// it is invalidated, and without an expiry.
func (s *Server) appToken(r *http.Request) *oauthtest.Answer {
	client := keyHolder(r)
	if client == "" || r.PostForm.Get("grant_type") != "client_credentials" {
		return answer(http.StatusForbidden, typeJSON, bodyAppOnly)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bearerOf(client)
	if b == nil {
		raw := "AAAAAAAAAAAAAAAAAAAAA" + randomText(30) + "%2F" + randomText(50) + "%3D"
		b = &bearer{client: client, raw: func() string { return raw }}
		s.bearers = append(s.bearers, b)
	}
	return answer(http.StatusOK, typeJSON, `{"token_type":"bearer","access_token":`+quote(b.raw())+`}`)
}

// invalidate ends the app-only bearer of the app that asks.
func (s *Server) invalidate(r *http.Request) *oauthtest.Answer {
	if r.Method != http.MethodPost {
		a := problem(http.StatusMethodNotAllowed, bodyMethod)
		a.Header.Set("Allow", http.MethodPost)
		return a
	}
	raw := tokenOf(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bearerOf(keyHolder(r))
	if b == nil || raw == "" || !b.is(raw) {
		return answer(http.StatusForbidden, typeJSON, bodyAppOnly)
	}
	for i, other := range s.bearers {
		if other == b {
			s.bearers = append(s.bearers[:i:i], s.bearers[i+1:]...)
		}
	}
	return answer(http.StatusOK, typeJSON, `{"access_token":`+quote(b.raw())+`}`)
}

// tokenOf returns the access_token of the form, or of the query.
func tokenOf(r *http.Request) string {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return ""
	}
	if form, err := url.ParseQuery(string(text)); err == nil && form.Get("access_token") != "" {
		return form.Get("access_token")
	}
	return r.URL.Query().Get("access_token")
}

// bearerOf returns the bearer of an app, or nil. The lock must be held.
func (s *Server) bearerOf(client string) *bearer {
	for _, b := range s.bearers {
		if b.client == client {
			return b
		}
	}
	return nil
}

// bearerApp returns the app whose app-only bearer raw is, or nothing.
func (s *Server) bearerApp(raw string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.bearers {
		if same(raw, b.raw()) {
			return b.client
		}
	}
	return ""
}

// keyHolder returns the client ID of the app whose API key and secret
// authenticate the request (RFC 7617, RFC 6749 section 2.3.1), or nothing.
func keyHolder(r *http.Request) string {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return ""
	}
	scheme, encoded, _ := strings.Cut(values[0], " ")
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil || !strings.EqualFold(scheme, "Basic") {
		return ""
	}
	key, secret, _ := strings.Cut(string(decoded), ":")
	key, errKey := url.QueryUnescape(key)
	secret, errSecret := url.QueryUnescape(secret)
	client, ok := strings.CutPrefix(key, keyPrefix)
	if errKey != nil || errSecret != nil || !ok || !same(secret, apiSecret(client)) {
		return ""
	}
	return client
}

// randomText returns n characters of base64url.
func randomText(n int) string {
	buf := make([]byte, (n*3+3)/4)
	_, _ = rand.Read(buf) // never fails
	return base64.RawURLEncoding.EncodeToString(buf)[:n]
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
