package transport

import (
	"fmt"
	"io"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/proving"
	"github.com/authtrip/authtrip/tokensource"
)

// carrier says how the copies of one request carry a token: in a Bearer header,
// or as a RequestAuthorizer says.
type carrier struct {
	auth  string // the value of the Authorization header
	form  *form  // nil means the usual one
	proof *proof // nil means Bearer
}

// send sends one copy of req through base.
func (c carrier) send(base http.RoundTripper, req *http.Request, body io.ReadCloser) (*http.Response, error) {
	if c.proof != nil {
		return c.proof.send(base, req, body)
	}
	if c.form != nil {
		return base.RoundTrip(c.form.stamp(req, body, c.auth))
	}
	return base.RoundTrip(stamp(req, body, c.auth))
}

// failed reports whether the last copy could not be authorized. Nothing was
// sent then.
func (c carrier) failed() bool {
	return c.proof != nil && c.proof.failed
}

// proof is one request that a RequestAuthorizer authorizes. Each copy of it is
// authorized again, so that no proof of possession is sent twice (T12).
type proof struct {
	by   tokensource.RequestAuthorizer
	form *form // nil means the usual one

	// given is the token to send, if the source is not what authorizes: it embeds
	// an engine, and may have a Token method of its own.
	given *oauth2.Token

	// About the last copy:
	token  *oauth2.Token // what it carries
	failed bool          // it could not be authorized
	again  bool          // its response asks for the same request with a new proof
}

func (p *proof) send(base http.RoundTripper, req *http.Request, body io.ReadCloser) (*http.Response, error) {
	r := unstamped(req, body)
	if p.given != nil {
		r = r.WithContext(proving.With(r.Context(), p.given))
	}
	if p.form != nil {
		p.form.complete(r.Header)
	}
	tok, err := p.by.Authorize(r)
	if err == nil && tok == nil {
		err = ErrBadToken
	}
	if p.token, p.failed, p.again = tok, err != nil, false; p.failed {
		if body != nil {
			body.Close()
		}
		return nil, fmt.Errorf("transport: no access token: %w", err)
	}
	if p.form != nil {
		p.form.move(r.Header, tok)
	}
	resp, err := base.RoundTrip(r)
	if err == nil && resp != nil {
		p.again = p.by.Observe(r, resp)
	}
	return resp, err
}

// authorized sends req as the RequestAuthorizer says, renews a token that is
// rejected, and replays the request once with the new one.
func (c *core) authorized(req *http.Request, body io.ReadCloser, kept *keptBody) (*http.Response, error) {
	p := &proof{by: c.authorizer, form: c.form}
	if c.wraps {
		tok, err := c.src.Token(req.Context())
		if err == nil && tok == nil {
			err = ErrBadToken
		}
		if err != nil {
			if body != nil {
				body.Close()
			}
			err = fmt.Errorf("transport: no access token: %w", err)
			c.report(req, err)
			return nil, err
		}
		p.given = tok
	}
	resp, err := c.prove(req, body, kept, p)
	if err != nil || p.again || !c.refused(resp) {
		// A challenge that was not met is no rejection of the token (T12).
		if p.failed {
			c.report(req, err)
		}
		c.accepted(req, resp, p.token)
		return resp, err
	}
	sent := p.token
	fresh, resp, err := c.renew(req, resp, sent)
	if fresh == nil {
		return resp, err
	}
	return c.proveAgain(req, resp, sent, fresh, kept, p)
}

// proveAgain replays a request whose token was rejected in resp, and replaced
// by fresh.
func (c *core) proveAgain(req *http.Request, resp *http.Response, sent, fresh *oauth2.Token, kept *keptBody, p *proof) (*http.Response, error) {
	if p.given != nil {
		p.given = fresh
	}
	body, ok := reopenBody(req, kept)
	if !ok {
		return resp, nil
	}
	discard(resp)
	resp, err := c.prove(req, body, kept, p)
	if err == nil && !p.again {
		c.renewed(req, resp, sent, p.token)
	}
	return resp, err
}

// prove sends req, and once more if the response asks for it and the body can
// be sent again.
func (c *core) prove(req *http.Request, body io.ReadCloser, kept *keptBody, p *proof) (*http.Response, error) {
	resp, err := c.send(req, body, carrier{proof: p})
	if err != nil || !p.again {
		return resp, err
	}
	body, ok := reopenBody(req, kept)
	if !ok {
		return resp, nil
	}
	discard(resp)
	return c.send(req, body, carrier{proof: p})
}
