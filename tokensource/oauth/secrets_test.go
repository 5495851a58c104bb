package oauth_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// Every operation fails at a server that repeats whatever it was sent.
func TestErrorsShowNoSecret(t *testing.T) {
	const access = "canary-access-t0ken"
	secret := oauthtest.ConfidentialApp().Secret()
	calls := append([]operation{{"identity", func(ctx context.Context, c *oauth.Client) error {
		_, err := c.Identity(ctx, &oauth2.Token{AccessToken: access})
		return err
	}}}, operations...)
	sent := map[string][]string{ // an operation can only know the secrets that it has sent
		"exchange": {someCode, rfcVerifier, secret}, "refresh": {someRefresh, secret}, "revoke": {someRefresh, secret},
		"identity": {access, secret},
	}
	for _, op := range calls {
		var errs []error
		for _, fault := range wire.Echoes(someCode, rfcVerifier, someRefresh, access, secret) {
			w := newWorld(t)
			w.Fake.Inject(oauthtest.Match{}, fault, -1)
			errs = append(errs, op.run(t.Context(), w.Client))
		}
		exposure.Check(t, op.name, errs, sent[op.name]...)
	}
}

func TestDescriptionsAreMadeFitForLogs(t *testing.T) {
	tests := []struct{ name, body, code, description string }{
		{"plain", `{"error":"invalid_scope","error_description":"no such scope"}`, "invalid_scope", "no such scope"},
		{"line breaks", `{"error":"a\r\nb","error_description":"x\r\nlevel=INFO msg=\"logged in\"\u0000"}`, "a..b", `x..level=INFO msg="logged in".`},
		{"terminal", `{"error":"\u001b]0;x\u0007","error_description":"\u001b[2Jgone\u009b"}`, ".]0;x.", ".[2Jgone."},
		{"beyond ASCII", `{"error":"e","error_description":"caf\u00e9 \u202e"}`, "e", "caf. ."},
		{"long", `{"error":"` + strings.Repeat("c", 999) + `","error_description":"` + strings.Repeat("d", 999) + `"}`,
			strings.Repeat("c", 64) + "...", strings.Repeat("d", 200) + "..."},
		{"echoes", `{"error":"` + someRefresh + `","error_description":"` + someRefresh + ` of ` + oauthtest.ConfidentialApp().Secret() + `"}`,
			"REDACTED", "REDACTED of REDACTED"},
		{"no string", `{"error":"e","error_description":{"a":1}}`, "e", ""},
	}
	for _, tt := range tests {
		w := newWorld(t)
		w.Fake.Inject(oauthtest.Match{}, wire.JSON(400, tt.body), 1)
		_, err := w.Client.Refresh(t.Context(), someRefresh)
		e, ok := errors.AsType[*tokensource.Error](err)
		if !ok || e.Code != tt.code || e.Description != tt.description {
			t.Errorf("%s: code, description = %q, %q, want %q, %q", tt.name, e.Code, e.Description, tt.code, tt.description)
		}
		if text := err.Error(); strings.ContainsAny(text, "\r\n\x1b\x00") {
			t.Errorf("%s: Error() = %q", tt.name, text)
		}
	}
}

// echoing is a server that repeats each request in its description of an error,
// in one encoding.
type echoing struct{ encode func(string) string }

func (e echoing) RoundTrip(req *http.Request) (*http.Response, error) {
	body := ""
	if req.Body != nil {
		text, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		body = string(text)
		req.Body.Close()
	}
	echo := e.encode("Authorization: " + req.Header.Get("Authorization") + " " + body)
	answer := `{"error":"` + echo[:min(len(echo), 40)] + `","error_description":` + quote(echo) + `}`
	resp := httptest.NewRecorder()
	resp.WriteHeader(http.StatusBadRequest)
	resp.Body.WriteString(answer)
	return resp.Result(), nil
}

// A server may repeat the client's Authorization header and the form in any
// encoding.
func TestEchoedRequestsAreNotShown(t *testing.T) {
	hexed := func(s string) string { return hex.EncodeToString([]byte(s)) }
	based := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	decoded := func(s string) string { // the header and the form as the server reads them
		s, _ = url.QueryUnescape(s)
		for part := range strings.FieldsSeq(s) {
			if b, err := base64.StdEncoding.DecodeString(part); err == nil {
				s += " " + string(b)
			}
		}
		return s
	}
	for name, encode := range map[string]func(string) string{
		"as it came": strings.Clone, "decoded": decoded, "upper case": strings.ToUpper, "decoded, in upper case": func(s string) string { return strings.ToUpper(decoded(s)) },
		"percent": url.QueryEscape, "percent twice": func(s string) string { return url.QueryEscape(url.QueryEscape(s)) },
		"hex": hexed, "hex of what was decoded": func(s string) string { return hexed(decoded(s)) },
		"HEX": func(s string) string { return strings.ToUpper(hexed(s)) }, "base64": based,
		"base64 of what was decoded": func(s string) string { return based(decoded(s)) },
		"the end alone":              func(s string) string { return s[len(s)-20:] },
	} {
		s := confidential()
		s.o = &oauth.Options{HTTPClient: &http.Client{Transport: echoing{encode}}}
		client, err := s.client()
		if err != nil {
			t.Fatal(err)
		}
		var errs []error
		sent := []string{secret, someRefresh, someCode, rfcVerifier, someAccess}
		for _, op := range append(slices.Clone(bounded), operations[1]) {
			err := op.run(t.Context(), client)
			errs = append(errs, err)
			text := strings.ToLower(err.Error())
			for _, s := range sent {
				if strings.Contains(text, strings.ToLower(s[:8])) || strings.Contains(text, strings.ToLower(s[len(s)-8:])) {
					t.Errorf("%s, %s = %q: it shows a part of %q", name, op.name, text, s)
				}
			}
		}
		exposure.Check(t, name, errs, sent...)
	}
}

// A refusal can have tokens in it, and speak of them.
func TestTokensBesideARefusalAreNotShown(t *testing.T) {
	w := newWorld(t)
	w.answer(200, `{"error":"use_token_at-zq7Kf0wPdx","error_description":"at-zq7Kf0wPdx and RT-YV5HNC2UEJ were issued","access_token":"at-zq7Kf0wPdx","refresh_token":"rt-Yv5hNc2uEj"}`)
	_, err := w.Client.Refresh(t.Context(), someRefresh)
	if err == nil {
		t.Fatal("Refresh() = nil, want the refusal")
	}
	exposure.Check(t, "the error", err, "at-zq7Kf0wPdx", "rt-Yv5hNc2uEj", "RT-YV5HNC2UEJ")
}
