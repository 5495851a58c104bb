package mcp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/transport"
)

// connection is a client at one authorization server, for one MCP server.
type connection struct {
	memory
	keeper *grant.Keeper
	app    *nativeapp.App
	source *grant.Source
	tokens http.RoundTripper // sends the token
}

// memory is what the store remembers of the last login, beside the grant: where
// the grant is. It contains no secret.
type memory struct {
	Issuer   string   `json:"issuer"`
	ClientID string   `json:"client_id"`
	Resource string   `json:"resource"`
	Scopes   []string `json:"scopes,omitempty"`
}

// place returns the key of the memory.
func (h *Handler) place() string {
	sum := sha256.Sum256([]byte(h.endpoint + "\x00" + h.options.RedirectURL + "\x00" + h.options.Account))
	return "mcp." + hex.EncodeToString(sum[:16])
}

// remember stores where the grant is. A process that stored something else at
// the same time has logged in too, and the later login stays.
func (h *Handler) remember(ctx context.Context, m memory) error {
	value, err := json.Marshal(m)
	if err != nil {
		return err
	}
	for {
		rec, err := h.store.Get(ctx, h.place())
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return stored(err)
		}
		_, err = h.store.Put(ctx, h.place(), value, rec.Version)
		if !errors.Is(err, storage.ErrConflict) {
			return stored(err)
		}
	}
}

// recall returns where the grant is, and whether there is one.
func (h *Handler) recall(ctx context.Context) (memory, bool, error) {
	rec, err := h.store.Get(ctx, h.place())
	if errors.Is(err, storage.ErrNotFound) {
		return memory{}, false, nil
	}
	var m memory
	if err == nil {
		err = json.Unmarshal(rec.Value(), &m)
	}
	return m, err == nil, stored(err)
}

// stored returns the error of the store.
func stored(err error) error {
	if err == nil {
		return nil
	}
	return &tokensource.Error{Op: "store", Kind: tokensource.ErrTemporary, Err: err}
}

// connect returns the connection to the server that was found.
func (h *Handler) connect(ctx context.Context, f *Found, clientID string) (*connection, error) {
	client, err := h.options.client(ctx, f, h.store, clientID)
	if err != nil {
		return nil, err
	}
	keeper, err := grant.New(client, h.store, &grant.Options{
		OnEvent: h.options.OnEvent, InsecurePlainStore: h.options.InsecurePlainStore, WithoutRefresh: true,
	})
	if err != nil {
		return nil, err
	}
	subject := f.Resource
	if h.options.Account != "" {
		subject += " " + h.options.Account
	}
	c := &connection{
		keeper: keeper, source: keeper.Source(subject),
		memory: memory{Issuer: issuerOf(f.Provider), ClientID: client.ClientID(), Resource: f.Resource, Scopes: f.Scopes},
	}
	c.app, err = nativeapp.New(keeper, &nativeapp.Options{
		Subject: subject, Open: h.options.Open, Timeout: h.options.Timeout, AnyPort: h.anyPort,
	})
	if err == nil {
		c.tokens, err = transport.New(c.source, &transport.Options{Base: h.options.base()})
	}
	if err != nil {
		return nil, errors.Join(err, keeper.Close())
	}
	return c, nil
}

// restore returns the connection of an earlier login, of this or of another
// process, or nil. Its grant may be dead.
func (h *Handler) restore(ctx context.Context) (*connection, error) {
	m, ok, err := h.recall(ctx)
	if err != nil || !ok {
		return nil, err
	}
	f, err := Find(ctx, h.endpoint, nil, &h.options)
	if err != nil {
		return nil, fmt.Errorf("mcp: the authorization server of an earlier login: %w", err)
	}
	if issuerOf(f.Provider) != m.Issuer || f.Resource != m.Resource {
		return nil, nil //nolint:nilnil // the MCP server has another one now: log in there
	}
	f.Scopes = m.Scopes
	c, err := h.connect(ctx, f, m.ClientID)
	if errors.Is(err, ErrNoClient) {
		return nil, nil //nolint:nilnil // the client of that login is not known any more
	}
	return c, err
}

// same reports whether the connection leads to what was found.
func (c *connection) same(f *Found) bool {
	return c != nil && c.Issuer == issuerOf(f.Provider) && c.Resource == f.Resource
}

// login logs the user in with the scopes.
func (c *connection) login(ctx context.Context, scopes []string) error {
	_, err := c.app.Loopback(ctx, &nativeapp.LoginOptions{Scopes: scopes})
	return err
}

// token returns the token, or nil if the user must log in.
func (c *connection) token(ctx context.Context) (*oauth2.Token, error) {
	tok, err := c.source.Token(ctx)
	if errors.Is(err, tokensource.ErrReauthorize) {
		return nil, nil //nolint:nilnil // as the SDK wants it: the request goes out without a token
	}
	return tok, err
}

// union returns all of a, and what b has beside them.
func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, scope := range b {
		if !slices.Contains(out, scope) {
			out = append(out, scope)
		}
	}
	return out
}
