package oauth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/authtrip/authtrip/internal/redact"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// TokenRequest is a request to the token or revocation endpoint before it is sent, as Options.Prepare sees it.
type TokenRequest struct {
	Op     string      // "exchange", "refresh", "revoke" or "client_credentials"
	URL    string      // the endpoint; changing it has no effect
	Params url.Values  `json:"-"` // the form that will be posted
	Header http.Header `json:"-"` // the headers that will be sent
}

// Format prints the operation and the endpoint only, whatever the verb.
func (r TokenRequest) Format(f fmt.State, _ rune) { redact.Write(f, r.String()) }

// String returns the operation and the endpoint only.
func (r TokenRequest) String() string { return "TokenRequest{" + r.Op + " " + r.URL + "}" }

const (
	maxAnswer = 1 << 20 // bytes of an answer, after decompression
	userAgent = "authtrip"
)

// answer is what the server said. Its zero value means that it said nothing.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// success reports whether the server says that it has done what was asked.
func (a answer) success() bool { return a.status >= 200 && a.status <= 299 }

// json reports whether the server calls its answer JSON.
func (a answer) json() bool {
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

// post sends one form to endpoint, authenticated as the client (RFC 6749 section 2.3.1). A failure to get an answer is
// an *tokensource.Error whose InDoubt tells whether the form may have reached the server.
func (c *Client) post(ctx context.Context, op, endpoint string, form url.Values) (answer, error) {
	header := http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"},
		"Accept":       {"application/json"},
		"User-Agent":   {userAgent},
	}
	c.authenticate(header, form)
	if c.prepare != nil {
		if err := c.prepare(ctx, &TokenRequest{Op: op, URL: endpoint, Params: form, Header: header}); err != nil {
			return answer{}, &tokensource.Error{Op: op, Err: fmt.Errorf("Options.Prepare: %w", err)}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var left atomic.Bool
	req, err := formRequest(ctx, endpoint, form.Encode(), &left)
	if err != nil {
		return answer{}, &tokensource.Error{Op: op, Err: err}
	}
	req.Header = header
	return c.send(op, req, &left)
}

// authenticate adds the client's credentials: by exactly one method, and never a secret of a public client.
func (c *Client) authenticate(header http.Header, form url.Values) {
	id, secret := c.registration.ClientID, c.registration.ClientSecret
	if secret == "" {
		form.Set("client_id", id)
		return
	}
	if c.provider.ClientIDInBody {
		form.Set("client_id", id)
	}
	switch c.provider.ClientAuth {
	case provider.Post:
		form.Set("client_id", id)
		form.Set("client_secret", secret)
	case provider.BasicRaw:
		header.Set("Authorization", basic(id, secret))
	default:
		header.Set("Authorization", basic(url.QueryEscape(id), url.QueryEscape(secret)))
	}
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// formRequest returns a POST whose body sets left as soon as anyone reads from it: as long as it is unset, no part of the
// form has left this process, whatever went wrong. After ctx's deadline the body can no longer be read: a process that
// was stopped between its last check and the sending sends nothing when it wakes.
func formRequest(ctx context.Context, endpoint, form string, left *atomic.Bool) (*http.Request, error) {
	body := func() (io.ReadCloser, error) {
		return io.NopCloser(&guardedForm{ctx, strings.NewReader(form), left}), nil
	}
	first, _ := body()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, first)
	if err != nil {
		return nil, err
	}
	req.ContentLength = int64(len(form))
	// net/http uses GetBody to repeat a request on a new connection only where nothing of it was written to the old one.
	req.GetBody = body
	return req, nil
}

type guardedForm struct {
	ctx  context.Context //nolint:containedctx // the reader lives as long as the request does
	form io.Reader
	left *atomic.Bool
}

func (r *guardedForm) Read(p []byte) (int, error) {
	// By the wall clock: timers and the monotonic clock stand still while a machine is suspended.
	if deadline, ok := r.ctx.Deadline(); ok && !time.Now().Round(0).Before(deadline.Round(0)) {
		return 0, context.DeadlineExceeded
	}
	r.left.Store(true)
	return r.form.Read(p)
}

func (c *Client) send(op string, req *http.Request, left *atomic.Bool) (answer, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, InDoubt: left.Load(), Err: cause(req.Context(), err)}
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(a.body) > maxAnswer {
		err = errors.New("the answer is larger than 1 MiB")
	}
	if err != nil {
		return a, &tokensource.Error{Op: op, Kind: tokensource.ErrTemporary, Status: a.status, InDoubt: a.success(), Err: cause(req.Context(), err)}
	}
	return a, nil
}

// cause strips the *url.Error, which repeats the URL, and tells why the context ended if it did.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
