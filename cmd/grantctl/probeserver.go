package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// target is the server that probe asks, and the client that asks it. The secret
// is in a closure, so that no verb of fmt shows it.
type target struct {
	issuer, authorize, token, revoke, api string

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
func plainClient() *http.Client {
	return &http.Client{
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
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
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
	return t.do(req)
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
	return t.do(req)
}

func (t *target) do(req *http.Request) (*reply, error) {
	resp, err := t.http.Do(req)
	if err != nil {
		return nil, unreached(req.Context(), req, err)
	}
	defer resp.Body.Close()
	return read(resp), nil
}

// unreached leaves out the URL of the error, whose query may hold a secret.
func unreached(ctx context.Context, req *http.Request, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return fmt.Errorf("%s was not reached: %w", req.URL.Host, err)
}

// read takes what probe needs from an answer.
func read(resp *http.Response) *reply {
	media, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	r := &reply{Status: resp.StatusCode, Media: strings.TrimSpace(media)}
	var body struct {
		Access  string      `json:"access_token"`
		Refresh string      `json:"refresh_token"`
		Expires json.Number `json:"expires_in"`
		Error   string      `json:"error"`
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil {
		_ = json.Unmarshal(text, &body) // what is no JSON has no member
	}
	if len(body.Error) <= 64 && body.Access == "" {
		r.Code = body.Error
	}
	if n, err := body.Expires.Int64(); err == nil {
		r.expires = &n
	}
	if to, err := resp.Location(); err == nil {
		r.sentBack = to.Query().Get("error")
	}
	r.access, r.refresh = func() string { return body.Access }, func() string { return body.Refresh }
	return r
}
