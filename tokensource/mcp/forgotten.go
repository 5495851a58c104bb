package mcp

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
)

// errForgotten means that the authorization endpoint does not know the client.
var errForgotten = errors.New("mcp: the authorization server does not know the client any more")

const (
	probeTime = 5 * time.Second
	sureTime  = time.Minute // after a login the server knows the client
	maxProbe  = 64 << 10
)

// refusesClient reports whether an authorization server refused the client, and
// not the grant or the user.
func refusesClient(err error) bool {
	if errors.Is(err, errForgotten) {
		return true
	}
	e, ok := errors.AsType[*tokensource.Error](err)
	if !ok || !errors.Is(e, tokensource.ErrClient) {
		return false
	}
	return e.Code == "invalid_client" || e.Code == "unauthorized_client" && (e.Status == http.StatusUnauthorized || e.Op == "authorize")
}

// replace registers the program again, after the server has refused the client
// of the connection. It does so once, whatever the number of processes. The old
// registration stays in the store for other grants.
func (c *connection) replace(ctx context.Context, cause error) error {
	if c.registrar == nil {
		return cause // somebody registered that client by hand
	}
	if _, err := c.registrar.Replace(ctx, c.found.Provider, c.ClientID); err != nil {
		return errors.Join(cause, err)
	}
	c.refused.Store(true)
	return nil
}

// used notes that a grant was made or refreshed with the registration, so that
// it is kept. A failure costs nothing now: the next note comes in time.
func (c *connection) used(ctx context.Context) {
	if c.registrar != nil {
		_ = c.registrar.Used(ctx, c.found.Provider, c.ClientID)
	}
}

// open opens the page of a login for the user. A server that has forgotten a
// registered client shows an error there and answers nothing, so that the login
// would wait for its end. The program asks the server first, unless the client
// is new or the user has just logged in.
func (c *connection) open(o *Options) func(context.Context, string) error {
	open := o.Open
	if open == nil {
		open = nativeapp.OpenBrowser
	}
	return func(ctx context.Context, page string) error {
		doubt := c.known.Load() && time.Since(time.Unix(c.loginAt.Load(), 0)) > sureTime
		if c.registrar != nil && doubt && c.forgotten(ctx, o, page) {
			return errForgotten
		}
		return open(ctx, page)
	}
}

// forgotten asks the authorization endpoint whether it knows the client, with a
// request like that of the browser. The state is another one, and no redirect
// is followed, so nothing comes of it. A request that was pushed is used up by
// one visit, and a push says itself whether the client is known.
func (c *connection) forgotten(ctx context.Context, o *Options, page string) bool {
	u, err := url.Parse(page)
	if err != nil || u.Query().Has("request_uri") {
		return false
	}
	query := u.Query()
	query.Set("state", rand.Text())
	u.RawQuery = query.Encode()
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return false
	}
	resp, err := o.guarded().RoundTrip(req)
	if err != nil {
		return false // the browser may reach it
	}
	defer resp.Body.Close()
	if resp.StatusCode < 400 || resp.StatusCode > 404 {
		return false
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxProbe))
	return disowns(body, c.ClientID)
}

// disowns reports whether an error page is about the client. Servers have the
// code invalid_client for it, or a description that names the client.
func disowns(body []byte, clientID string) bool {
	var e struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &e) != nil {
		return bytes.Contains(body, []byte("invalid_client"))
	}
	return slices.Contains([]string{"invalid_client", "unauthorized_client"}, e.Code) ||
		e.Code != "" && clientID != "" && strings.Contains(e.Description, clientID)
}
