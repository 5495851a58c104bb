package main

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// target is the server that probe asks, and the client that asks it. The secret
// is in a closure, so that no verb of fmt shows it.
type target struct {
	issuer, authorize, token, revoke, api string

	// issRequired says that each answer names the issuer (RFC 9207).
	issRequired bool

	clientID, redirect, scope string
	secret                    func() string

	http *http.Client
}

// reply is the part of an answer that probe looks at. Tokens are in closures.
type reply struct {
	Status   int    `json:"status"`
	Code     string `json:"error,omitempty"`
	Media    string `json:"content_type,omitempty"`
	sentBack string // the error in the address of a redirect
	expires  *int64
	access   func() string
	refresh  func() string
}

// good says that the answer brought a token.
func (r *reply) good() bool { return r.Status/100 == 2 && r.access() != "" }

// refused says that the server decided against the request. An outage and a
// limit decide nothing.
func (r *reply) refused() bool {
	return r.Status/100 == 4 && r.Status != http.StatusTooManyRequests && r.Status != http.StatusRequestTimeout
}

// plainClient follows no redirect, because a redirect would carry credentials
// to another place (RFC 9700 section 4.12).
func plainClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     transport,
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// checkURL refuses an address to which no secret may be sent.
func checkURL(what, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return usageError("probe: " + what + " is no URL")
	}
	if u.Scheme == "https" || u.Scheme == "http" && loopback(u) {
		return nil
	}
	return usageError("probe: " + what + " must be https, or http on a loopback address")
}

func loopback(u *url.URL) bool {
	return strings.EqualFold(u.Hostname(), "localhost") || net.ParseIP(u.Hostname()).IsLoopback()
}

// The ways in which a client authenticates, in the order in which they are
// tried.
const (
	authBasic = "basic"
	authRaw   = "basic_raw"
	authPost  = "post"
	authNone  = "none"
)

// post sends a form, with the client authenticated in the given way.
func (t *target) post(ctx context.Context, to, auth, secret string, form url.Values) (*reply, error) {
	id := t.clientID
	switch auth {
	case authPost:
		form.Set("client_id", id)
		form.Set("client_secret", secret)
	case authNone:
		form.Set("client_id", id)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New("the endpoint is no URL")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	switch auth {
	case authBasic:
		req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	case authRaw:
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(id+":"+secret)))
	}
	return t.do(req, t.secrets(form))
}

// secrets returns what a request sends that no report may repeat.
func (t *target) secrets(form url.Values) []string {
	secrets := []string{t.secret()}
	for _, name := range []string{"client_secret", "code", "code_verifier", "refresh_token", "token"} {
		if value := form.Get(name); value != nothing {
			secrets = append(secrets, value)
		}
	}
	return secrets
}

// get calls a page, with a token if there is one.
func (t *target) get(ctx context.Context, to, token string) (*reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
	if err != nil {
		return nil, errors.New("the address is no URL")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return t.do(req, []string{token})
}

// maxAnswer is how many bytes of an answer are read.
const maxAnswer = 1 << 20

func (t *target) do(req *http.Request, secrets []string) (*reply, error) {
	resp, err := t.http.Do(req)
	if err != nil {
		return nil, unreached(req.Context(), req, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		text = nil // what was cut off has no member
	}
	return read(resp, text, secrets), nil
}

// unreached leaves out the URL of the error, whose query may hold a secret, and
// the text of net/http about an answer that is none.
func unreached(ctx context.Context, req *http.Request, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return fmt.Errorf("%s was not reached: %s", req.URL.Host, whyUnreached(err))
}

// whyUnreached says in words why a server did not answer.
func whyUnreached(err error) string {
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		if e.IsNotFound {
			return "there is no such host"
		}
		return "the name of the host could not be looked up"
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return withoutControls(e.Error())
	}
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: the connection was refused"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no way to that network"
	}
	return "the connection failed, or what came is no HTTP answer"
}

// read takes what probe needs from an answer.
func read(resp *http.Response, text []byte, secrets []string) *reply {
	media, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	r := &reply{Status: resp.StatusCode, Media: harmless(strings.TrimSpace(media), secrets)}
	var body struct {
		Access  string          `json:"access_token"`
		Refresh string          `json:"refresh_token"`
		Expires json.RawMessage `json:"expires_in"`
		Error   string          `json:"error"`
	}
	_ = json.Unmarshal(text, &body) // what is no JSON has no member
	if body.Access == "" {
		r.Code = harmless(body.Error, secrets)
	}
	if n, err := strconv.ParseInt(strings.Trim(string(body.Expires), `"`), 10, 64); err == nil {
		r.expires = &n
	}
	if to, err := resp.Location(); err == nil {
		r.sentBack = to.Query().Get("error")
	}
	r.access, r.refresh = func() string { return body.Access }, func() string { return body.Refresh }
	return r
}

// withheld stands for text of a server that the report does not show.
const withheld = "(withheld)"

// plain are codes and media types that show nothing, whatever the secrets are.
var plain = []string{
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_token",
	"access_denied", "server_error", "temporarily_unavailable", "unsupported_token_type", "application/json", "text/html", "text/plain",
}

// harmless returns a code or a media type of a server as it is if it looks like
// one and has no part of a secret in it.
func harmless(text string, secrets []string) string {
	if slices.Contains(plain, text) {
		return text
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./+: "
	if len(text) > 64 || strings.Trim(text, letters) != "" {
		return withheld
	}
	const part = 6
	for _, secret := range secrets {
		for i := 0; i+part <= len(secret); i++ {
			if strings.Contains(strings.ToLower(text), strings.ToLower(secret[i:i+part])) {
				return withheld
			}
		}
		if secret != "" && len(secret) < part && strings.Contains(text, secret) {
			return withheld
		}
	}
	return text
}
