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
// send the body again, resp does, with all of its body.
func (c *core) replay(req *http.Request, resp *http.Response, sent *oauth2.Token, kept *keptBody) (*http.Response, error) {
	fresh, resp, err := c.renew(req, resp, sent)
	if fresh == nil {
		return resp, err
	}
	auth, err := c.headers.value(fresh)
	if err != nil {
		discard(resp)
		return nil, err
	}
	// Looked at only now: while the token was renewed, the base may have read the
	// body to its end.
	body, ok := reopenBody(req, kept)
	if !ok {
		return resp, nil
	}
	discard(resp)
	return c.send(req, body, carrier{auth: auth})
}

// renew returns a token other than sent, which resp refused, and resp. Without
// such a token it returns what goes to the caller: resp with all of its body,
// or an error.
func (c *core) renew(req *http.Request, resp *http.Response, sent *oauth2.Token) (*oauth2.Token, *http.Response, error) {
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
