package oauth

import (
	"context"
	"errors"
	"net/url"

	"github.com/authtrip/authtrip/internal/ascii"
	"github.com/authtrip/authtrip/tokensource"
)

const opPush = "push"

// maxRequestURI bounds the request_uri of an answer, in bytes. It becomes part
// of a redirect, and servers make it about 100 bytes long.
const maxRequestURI = 2 << 10

var errNotPushed = errors.New("the answer to a pushed authorization request must have a request_uri and a positive expires_in (RFC 9126 section 2.2)")

// push sends the parameters of an authorization request to the server ([RFC
// 9126]). It returns what the browser carries in their place: who asks, and
// what was pushed. The answer should be 201. Some servers send 200, and any 2xx
// with a request_uri counts (G14).
//
// [RFC 9126]: https://www.rfc-editor.org/rfc/rfc9126
func (c *Client) push(ctx context.Context, asked url.Values) (url.Values, error) {
	if ctx.Err() != nil {
		return nil, &tokensource.Error{Op: opPush, Kind: tokensource.ErrTemporary, Err: ended(ctx)}
	}
	a, err := c.post(ctx, call{op: opPush, endpoint: c.at.push, form: asked})
	if err != nil {
		return nil, err
	}
	object := read(a.body)
	if !a.success() || hasError(object) {
		return nil, c.failure(opPush, a)
	}
	uri, bad := credential(object, "request_uri", ascii.Visible)
	raw, _ := object.Raw("expires_in")
	_, lives := lifetime(raw)
	if bad != nil || uri == "" || len(uri) > maxRequestURI || !lives {
		return nil, &tokensource.Error{Op: opPush, Kind: tokensource.ErrTemporary, Status: a.status, Err: errNotPushed}
	}
	return url.Values{"client_id": {c.registration.ClientID}, "request_uri": {uri}}, nil
}
