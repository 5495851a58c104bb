package mcp

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/authtrip/authtrip/internal/gate"
	"github.com/authtrip/authtrip/internal/timed"
	"github.com/authtrip/authtrip/storage"
)

// A Handler authorizes a command at one MCP server. [New] makes one. It is safe
// for concurrent use. It implements auth.OAuthHandler of the Go SDK.
type Handler struct {
	endpoint string
	at       *url.URL
	store    *timed.Store
	options  Options
	anyPort  bool
	flights  singleflight.Group
	one      gate.Gate       // of logins and renewals that change the connection
	ctx      context.Context //nolint:containedctx // ends with Close, and bounds the shared work
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu     sync.Mutex // guards what follows; never held across I/O
	closed bool
	now    *connection
	old    []*connection // closed later, because requests may use them
	logins uint64        // counts the logins and renewals that have succeeded
	looked time.Time     // when a failure last led to a look at the metadata
	bounds bounds
}

const (
	storeTimeout = 5 * time.Second // of one operation of the store
	maxOld       = 4               // connections that are not closed yet
)

var _ auth.OAuthHandler = (*Handler)(nil)

// New returns a Handler for the MCP server at endpoint. The store keeps grants
// and registrations; other processes may share it. Nil options mean all
// defaults. Close the Handler when it is no longer needed.
func New(endpoint string, store storage.Store, o *Options) (*Handler, error) {
	o = o.prepared()
	at, err := checkEndpoint(endpoint, o)
	if err != nil {
		return nil, err
	}
	if store == nil {
		return nil, errors.New("mcp: nil store: storage.NewMemory makes one that lasts as long as the program")
	}
	h := &Handler{
		endpoint: endpoint, at: at, options: *o, bounds: newBounds(), one: make(gate.Gate, 1),
		store: &timed.Store{Store: store, Timeout: storeTimeout},
	}
	if h.options.RedirectURL == "" {
		h.options.RedirectURL, h.anyPort = "http://127.0.0.1/callback", true
	}
	if err := checkRedirect(h.options.RedirectURL, true); err != nil {
		return nil, err
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h, nil
}

// checkEndpoint returns the endpoint of an MCP server, which is https.
func checkEndpoint(endpoint string, o *Options) (*url.URL, error) {
	if _, err := originOf(endpoint); err != nil {
		return nil, err
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, errors.New("mcp: the endpoint of the MCP server is not a URL")
	}
	if u.Scheme != "https" && !o.InsecureLoopback {
		return nil, errors.New("mcp: the endpoint of the MCP server is not https: Options.InsecureLoopback allows http on loopback, for tests")
	}
	return u, nil
}

// TokenSource returns the source of tokens for the MCP server, or nil if nobody
// has logged in yet. A token that needs a new login is no error of the source:
// it returns a nil token, so that the request is answered with 401 and the SDK
// calls [Handler.Authorize].
func (h *Handler) TokenSource(ctx context.Context) (oauth2.TokenSource, error) {
	c, err := h.connection(ctx)
	if err != nil || c == nil {
		return nil, err
	}
	return tokenSource(func() (*oauth2.Token, error) {
		tok, err := h.token(ctx, c)
		if tok != nil {
			h.handedOut()
		}
		return tok, err
	}), nil
}

type tokenSource func() (*oauth2.Token, error)

func (f tokenSource) Token() (*oauth2.Token, error) { return f() }

// Authorize is called by the SDK after an answer with status 401 or 403. It
// renews the token, or logs the user in, and returns nil if the request should
// be sent once more. It closes the body of resp. Calls at the same time share
// one login.
func (h *Handler) Authorize(ctx context.Context, req *http.Request, resp *http.Response) error {
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	return h.authorize(ctx, attempt{
		req: req, resp: resp, rejected: rejectedToken(req), since: h.count(),
	})
}

// Close ends logins that are under way, and what keeps the grants alive. The
// grants stay in the store. It may be called more than once.
func (h *Handler) Close() error {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.cancel()
	h.running.Wait()
	h.mu.Lock()
	all := h.old
	if h.now != nil {
		all = append(all, h.now)
	}
	h.now, h.old = nil, nil
	h.mu.Unlock()
	var failed []error
	for _, c := range all {
		failed = append(failed, c.keeper.Close())
	}
	h.options.idle()
	return errors.Join(failed...)
}

// connection returns the connection of now, or that of an earlier login in the
// store, or nil.
func (h *Handler) connection(ctx context.Context) (*connection, error) {
	if c := h.current(); c != nil {
		h.checkDaily(c)
		return c, nil
	}
	err := h.share(ctx, "restore", func(ctx context.Context) error {
		if h.current() != nil {
			return nil
		}
		c, err := h.restore(ctx)
		if err != nil || c == nil {
			return err
		}
		if !h.useFirst(c) {
			return c.keeper.Close() // a login was faster
		}
		return nil
	})
	return h.current(), err
}

func (h *Handler) current() *connection {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *Handler) count() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.logins
}

// use makes c the connection of now. Of those before it, a few are kept open
// for requests that are under way.
func (h *Handler) use(c *connection) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now != nil && h.now != c {
		h.old = append(h.old, h.now)
	}
	h.now = c
	for len(h.old) > maxOld && !h.closed {
		last := h.old[0]
		h.old = h.old[1:]
		h.running.Go(func() { _ = last.keeper.Close() }) // a program cannot do anything about a failure
	}
}

// useFirst makes c the connection of now if there is none.
func (h *Handler) useFirst(c *connection) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now != nil {
		return false
	}
	h.now = c
	return true
}

var errClosed = errors.New("mcp: the Handler is closed")

// begin counts work that Close waits for, and reports whether it may begin.
func (h *Handler) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.running.Add(1)
	return true
}

// share runs f once for all callers with the same key. It ends with the
// Handler, and each caller waits on its own context.
func (h *Handler) share(ctx context.Context, key string, f func(context.Context) error) error {
	done := h.flights.DoChan(key, func() (any, error) {
		if !h.begin() {
			return nil, errClosed
		}
		defer h.running.Done()
		return nil, f(h.ctx)
	})
	select {
	case r := <-done:
		return r.Err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
