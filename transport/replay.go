package transport

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
)

// A response that is dropped is read this far and this long, so that its
// connection can be used again.
const (
	maxDrain     = 64 << 10
	maxDrainTime = time.Second
)

// replay renews the token that resp refused and sends req once more. Whatever
// comes back then goes to the caller. If there is no newer token or no way to
// send the body again, the caller gets resp, with all of its body.
func (c *core) replay(req *http.Request, resp *http.Response, sent *oauth2.Token, kept *keptBody) (*http.Response, error) {
	fresh, resp, err := c.renew(req, resp, sent)
	if fresh == nil {
		return resp, err
	}
	auth, err := c.headers.value(fresh)
	if err != nil && c.authorizer != nil {
		return c.proveAgain(req, resp, sent, fresh, kept, &proof{by: c.authorizer, form: c.form}) // the new one is bound to a key
	}
	if err != nil {
		discard(resp)
		return nil, err
	}
	// The body is looked at only now: while the token was renewed, the base may
	// have read it to its end.
	body, ok := reopenBody(req, kept)
	if !ok {
		return resp, nil
	}
	discard(resp)
	resp, err = c.send(req, body, carrier{auth: auth, form: c.form})
	if err == nil {
		c.renewed(req, resp, sent, fresh)
	}
	return resp, err
}

// renew returns a token other than sent, which resp refused, and resp. Without
// such a token it returns what goes to the caller: resp with all of its body,
// or an error.
func (c *core) renew(req *http.Request, resp *http.Response, sent *oauth2.Token) (*oauth2.Token, *http.Response, error) {
	if !c.mayHelp(req, sent) {
		return nil, resp, nil
	}
	hold(resp)
	fresh, err := c.renewer.Renew(req.Context(), sent)
	switch {
	case errors.Is(err, tokensource.ErrJustRenewed):
		return nil, resp, nil
	case err != nil:
		err = fmt.Errorf("transport: the server rejected the token, and there is no new one: %w", err)
	case fresh == nil:
		err = ErrBadToken
	case fresh.AccessToken == sent.AccessToken:
		return nil, resp, nil
	default:
		return fresh, resp, nil
	}
	discard(resp)
	return nil, nil, err
}

// mayHelp reports whether a renewal of sent, which was rejected, may help. It
// may not if this resource rejected sent when it was new. Meanwhile the source
// may have another token.
func (c *core) mayHelp(req *http.Request, sent *oauth2.Token) bool {
	if !c.futile.paused(req, sent) {
		return true
	}
	now, err := c.src.Token(req.Context())
	return err == nil && now != nil && now.AccessToken != sent.AccessToken
}

// accepted tells the source that tok, with which req was sent, was accepted. An
// error of the API says nothing about the token.
func (c *core) accepted(req *http.Request, resp *http.Response, tok *oauth2.Token) {
	if resp == nil || resp.StatusCode >= 400 || tok == nil {
		return
	}
	if !c.futile.none() {
		c.futile.accepted(req, tok)
	}
	if c.ready != nil {
		c.ready.Accepted(req.Context(), tok, false)
	}
}

// renewed notes whether the renewal that replaced sent by fresh has helped,
// which resp, the response to the replay, says.
func (c *core) renewed(req *http.Request, resp *http.Response, sent, fresh *oauth2.Token) {
	if c.refused(resp) {
		c.futile.renewed(req, sent, fresh, false)
		return
	}
	if resp == nil || resp.StatusCode >= 400 {
		return
	}
	c.futile.renewed(req, sent, fresh, true)
	if c.ready != nil {
		c.ready.Accepted(req.Context(), fresh, true)
	}
}

// discard drains the body of a response that nobody will read, within bounds,
// and closes it.
func discard(resp *http.Response) {
	body := resp.Body
	if body == nil {
		return
	}
	if resp.ContentLength == 0 { // there is nothing to drain
		body.Close()
		return
	}
	late := time.AfterFunc(maxDrainTime, func() { body.Close() })
	_, _ = io.CopyN(io.Discard, body, maxDrain)
	late.Stop()
	body.Close()
}
