package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/authtrip/authtrip/tokensource/oidc"
)

// signs returns a function that signs any text with a key that s publishes.
func (s *server) signs(t *testing.T) func(payload string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	s.answer = func() (int, []byte) { return http.StatusOK, keys }
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, new(jose.SignerOptions).WithHeader("kid", "k"))
	if err != nil {
		t.Fatal(err)
	}
	return func(payload string) string {
		jws, err := signer.Sign([]byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		text, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}

// payload returns good claims with more members behind them.
func payload(t *testing.T, changes map[string]any, more string) string {
	t.Helper()
	text, err := json.Marshal(claims(changes))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(text), "}") + "," + more + "}"
}

// Of a claim that is there twice, two programs may read two values.
func TestClaimsThatAreThereTwice(t *testing.T) {
	s := newServer(t)
	sign := s.signs(t)
	v := s.verifier(t, &oidc.Options{Claims: []string{"email", "realm_access.roles", "https://a.example/plan"}})
	for more, refused := range map[string]bool{
		`"x":1`: false, `"x":1,"x":2`: false, `"groups":[],"groups":[1]`: false, `"SUB":"mallory"`: false,
		`"sub":"mallory"`: true, `"sub":"alice"`: true, `"\u0073ub":"mallory"`: true, `"iss":"` + issuer + `"`: true, `"aud":"` + clientID + `"`: true,
		`"nonce":"` + nonce + `"`: true, `"exp":4000000000`: true, `"iat":1`: true, `"azp":"app","azp":"app"`: true, `"acr":"1","acr":"2"`: true,
		`"at_hash":null,"at_hash":null`: true, `"name":"A","name":"B"`: true, `"email":"a@a.example","email":"b@a.example"`: true,
		`"realm_access":{},"realm_access":{"roles":["admin"]}`: true, `"https://a.example/plan":"a","https://a.example/plan":"b"`: true,
	} {
		got, err := v.VerifyIDToken(t.Context(), with(sign(payload(t, nil, more))), login())
		switch {
		case refused && (!isRefusal(err) || !strings.Contains(err.Error(), "twice")):
			t.Errorf("VerifyIDToken(with %s behind) = %v, %v, want a refusal", more, got, err)
		case !refused && (err != nil || got.Subject != "alice"):
			t.Errorf("VerifyIDToken(with %s behind) = %v, %v, want alice", more, got, err)
		}
	}
	inside, err := v.VerifyIDToken(t.Context(), with(sign(payload(t, nil, `"realm_access":{"roles":["user"],"roles":["admin"]}`))), login())
	if err != nil || inside.User.Claims != nil {
		t.Errorf("VerifyIDToken(roles twice inside of realm_access) = %+v, %v, want no roles", inside.User, err)
	}
	logout := payload(t, object{"nonce": nil, "jti": "1", "events": object{"http://schemas.openid.net/event/backchannel-logout": object{}}}, `"sub":"bob"`)
	if got, err := v.VerifyLogoutToken(t.Context(), sign(logout)); !isRefusal(err) {
		t.Errorf("VerifyLogoutToken(with sub twice) = %+v, %v, want a refusal", got, err)
	}
	if got, err := oidc.ParseUserInfo()([]byte(`{"sub":"alice","sub":"bob"}`)); err == nil {
		t.Errorf("ParseUserInfo(with sub twice) = %+v, want an error", got)
	}
}
