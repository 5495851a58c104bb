package mcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// attempt is a request that failed.
type attempt struct {
	req      *http.Request
	resp     *http.Response
	rejected string // the access token that was sent, or empty
	renewed  bool   // the token was rejected, and renewed already if that is possible
	ended    bool   // the token was rejected, and the grant has no other
	told     bool   // accepted tokens are counted
	since    uint64 // the count of logins when the request was sent
}

// rejectedToken returns the token that a request carried.
func rejectedToken(req *http.Request) string {
	_, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	return token
}

// authorize makes the next try of a request worthwhile, or returns why it is
// not. Attempts that fail at the same time for the same reason share one
// renewal or login. Others wait for it, and look again.
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
		return h.share(ctx, "authorize "+lacks.Error(), func(ctx context.Context) error {
			return h.alone(ctx, func() error { return h.stepUp(ctx, a, lacks) })
		})
	}
	if !a.renewed && a.rejected != "" {
		h.refused()
	}
	return h.share(ctx, "authorize", func(ctx context.Context) error {
		return h.alone(ctx, func() error { return h.again(ctx, a) })
	})
}

// alone runs f while nothing else changes the connection.
func (h *Handler) alone(ctx context.Context, f func() error) error {
	if !h.one.Enter(ctx) {
		return context.Cause(ctx)
	}
	defer h.one.Leave()
	return f()
}

// again gets another token after a 401. The MCP server may have another
// authorization server by now, so its metadata are read first.
func (h *Handler) again(ctx context.Context, a attempt) error {
	if h.count() != a.since {
		return nil
	}
	c := h.current()
	if c != nil && !a.renewed && a.rejected != "" {
		if tok, err := h.token(ctx, c); err == nil && tok != nil && tok.AccessToken != a.rejected {
			return nil // another request has renewed it
		}
	}
	f, err := h.options.find(ctx, h.endpoint, a.resp, h.issuer(ctx))
	if err != nil {
		return err
	}
	if !c.leadsTo(f) {
		return h.login(ctx, f, wanted{told: a.told})
	}
	if c, err = h.upToDate(ctx, c, f); err != nil {
		return err
	}
	cause, err := h.renew(ctx, c, a)
	if cause == nil || err != nil {
		return err
	}
	missing := beyond(challenged(a.resp), h.askedFor(ctx, c))
	f.Scopes = union(h.askedFor(ctx, c), f.Scopes)
	switch {
	case errors.Is(cause, tokensource.ErrReauthorize), c.refused.Load():
		return h.login(ctx, f, wanted{told: a.told})
	case len(missing) > 0 && h.mayStep(ctx, operation(a.req)):
		return h.login(ctx, f, wanted{step: true})
	case h.hopeless():
		return h.login(ctx, f, wanted{told: true})
	}
	return fmt.Errorf("%w: %w", ErrRejected, cause)
}

// issuer returns the authorization server of the last login, or "".
func (h *Handler) issuer(ctx context.Context) string {
	if c := h.current(); c != nil {
		return c.Issuer
	}
	m, _, _ := h.recall(ctx) // a store that fails does so again in what follows
	return m.Issuer
}

// upToDate returns the connection with the endpoints of now. The login stays.
func (h *Handler) upToDate(ctx context.Context, c *connection, f *Found) (*connection, error) {
	if c.current(f) {
		c.over.Store(false)
		return c, nil
	}
	now, err := h.reconnect(ctx, f, c.memory)
	if err != nil {
		return nil, err
	}
	h.use(now)
	return now, nil
}

// renew gets another token of the grant. The cause says why there is none, and
// that another login is to be considered.
func (h *Handler) renew(ctx context.Context, c *connection, a attempt) (cause, err error) {
	switch {
	case a.renewed:
		return tokensource.ErrJustRenewed, nil
	case a.ended:
		return tokensource.ErrReauthorize, nil
	case a.rejected == "":
		tok, err := h.token(ctx, c)
		if err != nil || tok != nil {
			return nil, err // the login ended after the request was sent
		}
		return tokensource.ErrReauthorize, nil
	}
	_, err = c.source.Renew(ctx, &oauth2.Token{AccessToken: a.rejected})
	switch {
	case err == nil:
		return nil, nil
	case errors.Is(err, tokensource.ErrJustRenewed):
		return err, nil
	case h.lost(ctx, c, err) == nil:
		return tokensource.ErrReauthorize, nil
	}
	return nil, err
}

// stepUp logs the user in with more scopes, or more strongly (T11): with all
// that was asked for before, and what the request needs.
func (h *Handler) stepUp(ctx context.Context, a attempt, lacks *transport.InsufficientError) error {
	c := h.current()
	if c == nil {
		return h.again(ctx, a)
	}
	stronger := len(lacks.ACRValues) > 0 || lacks.MaxAge != nil
	if h.count() != a.since && (stronger || len(beyond(lacks.Scopes, c.Scopes)) == 0) {
		return nil // another request has logged in for it
	}
	if !h.mayStep(ctx, operation(a.req)) {
		return fmt.Errorf("%w: %w", ErrInsufficient, lacks)
	}
	f, err := h.options.find(ctx, h.endpoint, a.resp, c.Issuer)
	if err != nil {
		return err
	}
	if c.leadsTo(f) {
		f.Scopes = union(h.askedFor(ctx, c), union(f.Scopes, lacks.Scopes))
	}
	want := wanted{step: true, stronger: stronger, params: url.Values{}}
	if len(lacks.ACRValues) > 0 {
		want.params.Set("acr_values", strings.Join(lacks.ACRValues, " "))
	}
	if lacks.MaxAge != nil {
		want.params.Set("max_age", strconv.FormatInt(int64(*lacks.MaxAge/time.Second), 10))
	}
	return h.login(ctx, f, want)
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

// operation names what a request does, for the count of logins.
func operation(req *http.Request) string {
	if req == nil {
		return ""
	}
	return req.Method + " " + req.Header.Get("Mcp-Method") + " " + req.Header.Get("Mcp-Name")
}

// union returns all of a, and what b has beside them.
func union(a, b []string) []string { return slices.Concat(a, beyond(b, a)) }

// beyond returns what list has beside known.
func beyond(list, known []string) (more []string) {
	for _, s := range list {
		if !slices.Contains(known, s) && !slices.Contains(more, s) {
			more = append(more, s)
		}
	}
	return more
}
