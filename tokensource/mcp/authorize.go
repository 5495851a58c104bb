package mcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

const (
	maxSteps   = 2 // logins for more scopes, for one operation
	stepWindow = 10 * time.Minute
	maxKept    = 1024 // operations whose logins are counted
)

// attempt is a request that failed.
type attempt struct {
	req      *http.Request
	resp     *http.Response
	rejected string // the access token that was sent, or empty
	renewed  bool   // the token was renewed already, in vain
	since    uint64 // the count of logins when the request was sent
}

// rejectedToken returns the token that a request carried.
func rejectedToken(req *http.Request) string {
	_, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	return token
}

// authorize makes the next try of a request worthwhile, or returns why it is
// not. All attempts that fail at the same time share one renewal or login.
func (h *Handler) authorize(ctx context.Context, a attempt) error {
	if a.req != nil && !h.covers(a.req.URL) {
		return errors.New("mcp: the request is not one to the MCP server of this Handler")
	}
	lacks, step := transport.InsufficientFrom(a.resp)
	switch {
	case a.resp.StatusCode == http.StatusForbidden && !step:
		return errors.New("mcp: the MCP server forbids the request, and names no scope that would allow it")
	case a.resp.StatusCode != http.StatusForbidden && a.resp.StatusCode != http.StatusUnauthorized:
		return fmt.Errorf("mcp: an answer with status %d needs no authorization", a.resp.StatusCode)
	case step:
		return h.share(ctx, "authorize", func(ctx context.Context) error { return h.stepUp(ctx, a, lacks.Scopes) })
	}
	return h.share(ctx, "authorize", func(ctx context.Context) error { return h.again(ctx, a) })
}

// again gets another token after a 401. The MCP server may have another
// authorization server by now, so its metadata are read first.
func (h *Handler) again(ctx context.Context, a attempt) error {
	c := h.current()
	if c != nil && h.count() == a.since && !a.renewed && a.rejected != "" {
		if tok, err := c.token(ctx); err == nil && tok != nil && tok.AccessToken != a.rejected {
			return nil // another request has renewed it
		}
	}
	if h.count() != a.since {
		return nil
	}
	f, err := Find(ctx, h.endpoint, a.resp, &h.options)
	if err != nil {
		return err
	}
	if !c.same(f) {
		if h.adopt(ctx, f) {
			return nil
		}
		return h.login(ctx, f)
	}
	if a.rejected == "" && !a.renewed {
		if tok, err := c.token(ctx); err == nil && tok != nil {
			return nil // the login ended after the request was sent
		}
	}
	if a.rejected != "" && !a.renewed {
		_, err := c.source.Renew(ctx, &oauth2.Token{AccessToken: a.rejected})
		if err == nil {
			return nil
		}
		if !errors.Is(err, tokensource.ErrReauthorize) && !errors.Is(err, tokensource.ErrJustRenewed) {
			return err
		}
	}
	f.Scopes = union(h.askedFor(ctx, c), f.Scopes)
	return h.login(ctx, f)
}

// stepUp logs the user in with more scopes (T11): all that were asked for
// before, and what the request needs.
func (h *Handler) stepUp(ctx context.Context, a attempt, scopes []string) error {
	if h.count() != a.since {
		return nil
	}
	c := h.current()
	if c == nil {
		return h.again(ctx, a)
	}
	if !h.mayStep(operation(a.req)) {
		return fmt.Errorf("%w: %s", ErrInsufficient, strings.Join(scopes, " "))
	}
	f, err := Find(ctx, h.endpoint, a.resp, &h.options)
	if err != nil {
		return err
	}
	if c.same(f) {
		f.Scopes = union(h.askedFor(ctx, c), f.Scopes)
	}
	return h.login(ctx, f)
}

// askedFor returns the scopes of the last login, of this or of another process.
// A login replaces the grant that all of them use.
func (h *Handler) askedFor(ctx context.Context, c *connection) []string {
	m, ok, err := h.recall(ctx)
	if err != nil || !ok || m.Issuer != c.Issuer || m.ClientID != c.ClientID || m.Resource != c.Resource {
		return c.Scopes
	}
	return union(c.Scopes, m.Scopes)
}

// adopt uses the login of another process at the server that was found, and
// reports whether there is one with a token.
func (h *Handler) adopt(ctx context.Context, f *Found) bool {
	m, ok, err := h.recall(ctx)
	if err != nil || !ok || m.Issuer != issuerOf(f.Provider) || m.Resource != f.Resource {
		return false
	}
	stored := *f
	stored.Scopes = m.Scopes
	c, err := h.connect(ctx, &stored, m.ClientID)
	if err != nil {
		return false // the login that follows finds out why
	}
	if tok, err := c.token(ctx); err != nil || tok == nil {
		_ = c.keeper.Close()
		return false
	}
	h.mu.Lock()
	h.logins++
	h.mu.Unlock()
	h.use(c)
	return true
}

// operation names what a request does, for the count of logins.
func operation(req *http.Request) string {
	if req == nil {
		return ""
	}
	return req.Method + " " + req.Header.Get("Mcp-Method") + " " + req.Header.Get("Mcp-Name")
}

// mayStep counts a login for more scopes, and reports whether it is allowed.
func (h *Handler) mayStep(operation string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if len(h.steps) > maxKept {
		clear(h.steps)
	}
	var recent []time.Time
	for _, at := range h.steps[operation] {
		if now.Sub(at) < stepWindow {
			recent = append(recent, at)
		}
	}
	if len(recent) >= maxSteps {
		return false
	}
	h.steps[operation] = append(recent, now)
	return true
}

// login logs the user in at the server that was found.
func (h *Handler) login(ctx context.Context, f *Found) error {
	c := h.current()
	fresh := !c.same(f)
	if fresh {
		var err error
		if c, err = h.connect(ctx, f, ""); err != nil {
			return err
		}
	}
	err := c.login(ctx, f.Scopes)
	if err == nil {
		m := c.memory
		m.Scopes = f.Scopes
		err = h.remember(ctx, m)
	}
	if err != nil {
		if fresh {
			err = errors.Join(err, c.keeper.Close())
		}
		return err
	}
	h.mu.Lock()
	c.Scopes = f.Scopes
	h.logins++
	h.mu.Unlock()
	h.use(c)
	return nil
}
