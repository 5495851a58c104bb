package mcp

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"time"
)

// wanted says what a login is for.
type wanted struct {
	step     bool // for more scopes, or for a stronger login
	stronger bool // another process cannot have done that
	told     bool // it is known whether the server accepted the last token
	params   url.Values
}

// login logs the user in at the server that was found, or uses a login of
// another process there.
func (h *Handler) login(ctx context.Context, f *Found, w wanted) error {
	seen := ""
	c := h.current()
	if c != nil {
		seen = c.Login
	}
	if w.stronger {
		if m, ok, err := h.recall(ctx); err == nil && ok {
			seen = m.Login
		}
	}
	claimed, err := h.turn(ctx, f, seen, w.step)
	if err != nil || claimed == nil {
		return err
	}
	defer claimed.release(ctx)
	if err := h.mayLogin(placeOf(f), w.step, w.told); err != nil {
		return err
	}
	fresh := !c.leadsTo(f) || !c.current(f)
	if fresh {
		if c, err = h.connect(ctx, f, ""); err != nil {
			return err
		}
	}
	err = c.login(ctx, f.Scopes, w.params)
	if refusesClient(err) {
		c, fresh, err = h.loginAnew(ctx, c, f, w, fresh, err)
	}
	if err == nil {
		err = h.loggedIn(ctx, c, f)
	}
	if err != nil && fresh && c != nil {
		err = errors.Join(err, c.keeper.Close())
	}
	return err
}

// loginAnew logs the user in after the server has refused the client: with
// another registration. It returns the connection in use then, and whether that
// is a new one.
func (h *Handler) loginAnew(ctx context.Context, c *connection, f *Found, w wanted, fresh bool, cause error) (*connection, bool, error) {
	if err := c.replace(ctx, cause); err != nil {
		return c, fresh, err
	}
	if fresh {
		_ = c.keeper.Close() // it holds no grant
	}
	c, err := h.connect(ctx, f, "")
	if err != nil {
		return nil, false, err
	}
	return c, true, c.login(ctx, f.Scopes, w.params)
}

// loggedIn makes a login the one that this and other processes use.
func (h *Handler) loggedIn(ctx context.Context, c *connection, f *Found) error {
	m := c.memory
	m.Login, m.Scopes = rand.Text(), f.Scopes
	if err := h.remember(ctx, m); err != nil {
		return err
	}
	c.memory = m
	h.mu.Lock()
	h.logins++
	h.bounds.loggedIn(placeOf(f), time.Now())
	h.mu.Unlock()
	h.use(c)
	return nil
}

// placeOf names where a login is, for the count of logins.
func placeOf(f *Found) string { return issuerOf(f.Provider) + " " + f.Provider.TokenURL }

// adopt uses the login of another process at the server that was found, and
// reports whether there is one with a token. The login seen is known, and
// useless. If an adoption fails, its login is seen too.
func (h *Handler) adopt(ctx context.Context, f *Found, seen *string, step bool) bool {
	m, ok, err := h.recall(ctx)
	if err != nil || !ok || m.Login == *seen || !m.same(f) || step && len(beyond(f.Scopes, m.Scopes)) > 0 {
		return false
	}
	*seen = m.Login
	c, err := h.reconnect(ctx, f, m)
	if err != nil {
		return false // the login that follows finds out why
	}
	if tok, err := c.source.Token(ctx); err != nil || tok == nil {
		_ = c.keeper.Close()
		return false
	}
	h.mu.Lock()
	h.logins++
	h.mu.Unlock()
	h.use(c)
	return true
}
