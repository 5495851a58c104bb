package clients

import (
	"context"
	"net/http"

	"github.com/coder/websocket"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// WebSocket opens a WebSocket with a token of src. The token travels in the
// request that opens it. If the server answers that with 401, the transport
// renews the token and asks again. Of the options of the library, this takes
// the http.Client only.
func WebSocket(ctx context.Context, src tokensource.Source, url string, o *transport.Options) (*websocket.Conn, error) {
	rt, err := transport.New(src, o)
	if err != nil {
		return nil, err
	}
	conn, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: &http.Client{Transport: rt}})
	if err != nil && resp != nil && resp.Body != nil {
		resp.Body.Close()
	}
	return conn, err
}
