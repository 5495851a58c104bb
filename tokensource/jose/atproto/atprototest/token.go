package atprototest

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// token answers as a token endpoint of the AT Protocol does: it names the user,
// and refuses a refresh that is signed with another key than the login was.
func (n *Network) token(r *http.Request, fake *oauthtest.Server) (*http.Response, error) {
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(text))
	if err != nil {
		return nil, err
	}
	key, before := keyOf(form.Get("client_assertion")), form.Get("refresh_token")
	n.mu.Lock()
	first, bound := n.signed[before]
	n.mu.Unlock()
	if bound && key != first {
		return answer(r, http.StatusBadRequest, `{"error":"invalid_grant","error_description":"another client key"}`), nil
	}
	again := r.Clone(r.Context())
	again.Body = io.NopCloser(strings.NewReader(string(text)))
	resp, err := fake.Transport().RoundTrip(again)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	return n.named(r, fake, resp, key)
}

// keyOf returns the name of the key that has signed an assertion.
func keyOf(assertion string) string {
	head, _, _ := strings.Cut(assertion, ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	var header struct {
		KeyID string `json:"kid"`
	}
	if err != nil || json.Unmarshal(text, &header) != nil {
		return ""
	}
	return header.KeyID
}

// named adds the user to an answer of the token endpoint, unless it names one.
func (n *Network) named(r *http.Request, fake *oauthtest.Server, resp *http.Response, key string) (*http.Response, error) {
	defer resp.Body.Close()
	var members map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&members); err != nil {
		return nil, err
	}
	access, _ := members["access_token"].(string)
	if _, ok := members["sub"]; !ok {
		members["sub"] = fake.Token(access).User.ID
	}
	if refresh, ok := members["refresh_token"].(string); ok {
		n.mu.Lock()
		n.signed[refresh] = key
		n.mu.Unlock()
	}
	body, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	out := answer(r, http.StatusOK, string(body))
	for _, name := range []string{"Dpop-Nonce", "Date"} {
		out.Header[name] = resp.Header[name]
	}
	return out, nil
}
