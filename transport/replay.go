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

// A response that is dropped is read this far and this long, so that its connection can be used again.
const (
	maxDrain     = 64 << 10
	maxDrainTime = time.Second
)

// replay renews the token that resp refused and sends req once more. Whatever comes back then goes to the caller. If there
// is no newer token or no way to send the body again, resp does, with all of its body.
func (t *Transport) replay(req *http.Request, resp *http.Response, sent *oauth2.Token, kept *keptBody) (*http.Response, error) {
	hold(resp)
	fresh, err := t.renewer.Renew(req.Context(), sent)
	if errors.Is(err, tokensource.ErrJustRenewed) {
		return resp, nil
	}
	if err != nil {
		discard(resp)
		return nil, fmt.Errorf("transport: the server rejected the token, and there is no new one: %w", err)
	}
	auth, err := t.headers.value(fresh)
	if err != nil {
		discard(resp)
		return nil, err
	}
	if fresh.AccessToken == sent.AccessToken {
		return resp, nil
	}
	// Looked at only now: while the token was renewed, the base may have read the body to its end.
	body, ok := reopenBody(req, kept)
	if !ok {
		return resp, nil
	}
	discard(resp)
	return t.send(req, body, auth)
}

// discard drains the body of a response that nobody will read, within bounds, and closes it.
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
