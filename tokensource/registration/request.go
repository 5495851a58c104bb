package registration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/internal/members"
	"github.com/authtrip/authtrip/internal/redact"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

const (
	op        = "register"
	maxAnswer = 256 << 10
)

// request registers the app once. If there is no answer, the server may have
// registered it all the same.
func (r *Registrar) request(ctx context.Context, p *provider.Provider, m Metadata) (client, error) {
	body, err := m.encode("")
	if err != nil {
		return client{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.RegistrationURL, bytes.NewReader(body))
	if err != nil {
		return client{}, errors.New("registration: the provider's RegistrationURL is not a URL")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	token, err := r.initial(ctx, p)
	if err != nil {
		return client{}, &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, Err: err}
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := r.transport.RoundTrip(req)
	if err == nil && (resp == nil || resp.Body == nil) {
		err = errors.New("the http.RoundTripper returned neither an answer nor an error")
	}
	if err != nil {
		return client{}, lost(ctx, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return client{}, lost(ctx, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return client{}, refusal(resp, answer, token)
	}
	return parse(answer, m, resp.StatusCode)
}

// initial returns the initial access token of a server, or "".
func (r *Registrar) initial(ctx context.Context, p *provider.Provider) (string, error) {
	if r.options.InitialToken == nil {
		return "", nil
	}
	token, err := r.options.InitialToken(ctx, p)
	if err == nil && !ascii.Visible(token) {
		err = errors.New("InitialToken returned a token that no header can carry")
	}
	return token, err
}

// lost returns the error of a request without an answer. The text of net/http
// may repeat what a server has sent.
func lost(ctx context.Context, err error) error {
	cause := errors.New("the request failed")
	if ctx.Err() != nil {
		cause = ctx.Err()
	}
	return &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, InDoubt: true, Err: hidden{cause, err}}
}

// hidden is an error whose cause is not shown.
type hidden struct{ shown, cause error }

func (h hidden) Error() string { return h.shown.Error() }

func (h hidden) Unwrap() []error { return []error{h.shown, h.cause} }

// refusal returns the error of an answer that is no registration ([RFC 7591]
// section 3.2.2).
//
// [RFC 7591]: https://www.rfc-editor.org/rfc/rfc7591
func refusal(resp *http.Response, body []byte, token string) error {
	object, _ := members.Read(body)
	e := &tokensource.Error{
		Op: op, Kind: tokensource.ErrClient, Status: resp.StatusCode,
		Code:        redact.Text(members.Text(object.At("error")), 64, token),
		Description: redact.Text(members.Text(object.At("error_description")), 200, token),
	}
	switch code := resp.StatusCode; {
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout:
		e.Kind = tokensource.ErrTemporary
		if seconds, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 31); err == nil {
			e.RetryAfter = min(time.Duration(seconds)*time.Second, longestRetry)
		}
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		e.Hint = "the server registers no app without a token: set Options.InitialToken, or register the app by hand"
	}
	return e
}

// parse reads a registration ([RFC 7591] section 3.2.1).
//
// [RFC 7591]: https://www.rfc-editor.org/rfc/rfc7591
func parse(body []byte, m Metadata, status int) (client, error) {
	refused := func(why string) (client, error) {
		return client{}, &tokensource.Error{Op: op, Kind: tokensource.ErrClient, Status: status, Err: errors.New(why)}
	}
	object, ok := members.Read(body)
	c := client{ID: members.Text(object.At("client_id")), Secret: members.Text(object.At("client_secret")), Method: members.Text(object.At("token_endpoint_auth_method"))}
	if !ok || !object.Whole || c.ID == "" {
		return client{}, &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, Status: status, Err: errors.New("the answer has no client_id: it is not one of an authorization server")}
	}
	if !ascii.Text(c.ID) || len(c.ID) > 4<<10 || len(c.Secret) > 4<<10 || c.Secret != "" && !ascii.Text(c.Secret) {
		return refused("the client_id or the client_secret has a form that no request can carry")
	}
	var urls []string
	if raw := object.At("redirect_uris"); raw != nil && string(raw) != "null" {
		if json.Unmarshal(raw, &urls) != nil || slices.ContainsFunc(m.RedirectURLs, func(u string) bool { return !slices.Contains(urls, u) }) {
			return refused("the server has registered other redirect_uris")
		}
	}
	if c.Method == "" {
		c.Method = m.TokenAuthMethod
	}
	switch c.Method {
	case methodNone:
		c.Secret = ""
	case methodBasic, methodPost:
		if c.Secret == "" {
			return refused("the server has registered " + c.Method + " and issued no client_secret")
		}
	default:
		if c.Method != m.TokenAuthMethod {
			return refused("the server has registered a token_endpoint_auth_method that was not asked for")
		}
	}
	if c.Secret != "" {
		c.Expires = ends(members.Text(object.At("client_secret_expires_at")), time.Now())
	}
	return c, nil
}

// ends returns when a secret that was issued now ends, in seconds since 1970,
// or zero if it does not. Some servers write a number of seconds, milliseconds,
// or the largest integer there. Such an end says nothing. If it counted, the
// app would be registered again for each login.
func ends(text string, now time.Time) int64 {
	const latest = 1 << 35 // the year 3058
	end, err := strconv.ParseInt(text, 10, 64)
	if err != nil || end <= now.Unix() || end >= latest {
		return 0
	}
	return end
}
