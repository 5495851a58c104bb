package mcp

import (
	"context"
	"errors"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
)

// How old the knowledge of an authorization server may be.
const (
	foundAge  = 24 * time.Hour
	lookPause = time.Minute // between two looks after failures
)

// token returns the token of a connection, or nil if the user must log in. The
// SDK wants it so: the request goes out without a token.
func (h *Handler) token(ctx context.Context, c *connection) (*oauth2.Token, error) {
	if c.over.Load() {
		return nil, nil //nolint:nilnil // as above
	}
	tok, err := c.source.Token(ctx)
	if err == nil {
		return tok, nil
	}
	return nil, h.lost(ctx, c, err)
}

// lost returns nil if a request should go out without a token, because the
// connection has none any more, and err otherwise. The answer then says what to
// do.
func (h *Handler) lost(ctx context.Context, c *connection, err error) error {
	switch {
	case errors.Is(err, tokensource.ErrReauthorize):
		return nil
	case refusesClient(err):
		return h.share(ctx, "client "+c.ClientID, func(ctx context.Context) error {
			if c.refused.Load() {
				return nil
			}
			if err := c.replace(ctx, err); err != nil {
				return err
			}
			c.over.Store(true)
			return nil
		})
	case !errors.Is(err, tokensource.ErrClient) && !errors.Is(err, tokensource.ErrTemporary):
		return err
	}
	// A moved endpoint may explain the failure. Requests that fail at the same
	// time share one look.
	_ = h.share(ctx, "look", func(ctx context.Context) error {
		if c.over.Load() || !h.mayLook() {
			return nil
		}
		return h.look(ctx, c)
	})
	if c.over.Load() {
		return nil
	}
	return err
}

// mayLook reports whether the metadata may be read again after a failure.
func (h *Handler) mayLook() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if now.Sub(h.looked) < lookPause {
		return false
	}
	h.looked = now
	return true
}

// look finds out whether the authorization server is still as the connection
// knows it. Otherwise the connection is over.
func (h *Handler) look(ctx context.Context, c *connection) error {
	f, err := h.options.find(ctx, h.endpoint, nil, c.Issuer)
	if err != nil {
		return err
	}
	if !c.leadsTo(f) || !c.current(f) {
		c.over.Store(true)
	}
	return nil
}

// checkDaily looks at the authorization server in the background, if that was
// last done a day ago, and notes that its client is in use.
func (h *Handler) checkDaily(c *connection) {
	h.mu.Lock()
	due := time.Since(c.at) >= foundAge
	if due {
		c.at = time.Now()
	}
	h.mu.Unlock()
	if !due {
		return
	}
	h.flights.DoChan("daily", func() (any, error) {
		if !h.begin() {
			return nil, errClosed
		}
		defer h.running.Done()
		c.used(h.ctx)
		return nil, h.look(h.ctx, c)
	})
}
