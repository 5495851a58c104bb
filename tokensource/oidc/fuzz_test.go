package oidc_test

import (
	"net/http"
	"testing"
)

// FuzzTokens: whatever a token and a key set look like, nothing panics, and
// nothing is accepted but what the server has signed.
func FuzzTokens(f *testing.F) {
	s := &server{}
	keys := `{"keys":[{"kty":"EC","crv":"P-256","kid":"k","alg":"ES256","use":"sig",` +
		`"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`
	for _, raw := range []string{
		"", ".", "..", "e30.e30.", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.e30.AAAA",
		"eyJhbGciOiJIUzI1NiJ9.e30.AAAA", `{"payload":"e30","protected":"e30","signature":""}`,
	} {
		f.Add(raw, keys)
		f.Add(raw, `{"keys":[7,null,{},{"kty":"oct","k":"AAAA"},{"kty":"RSA","n":"AQ","e":"AQAB"},{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`)
	}
	f.Fuzz(func(t *testing.T, raw, keys string) {
		s.answer = func() (int, []byte) { return http.StatusOK, []byte(keys) }
		v := s.verifier(t, nil)
		if id, err := v.VerifyIDToken(t.Context(), with(raw), login()); err == nil {
			t.Errorf("VerifyIDToken(%q) = %+v, want an error: nobody has signed it", raw, id)
		}
		if l, err := v.VerifyLogoutToken(t.Context(), raw); err == nil {
			t.Errorf("VerifyLogoutToken(%q) = %+v, want an error: nobody has signed it", raw, l)
		}
	})
}
