package connect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/authtrip/authtrip/internal/connecting"
	"github.com/authtrip/authtrip/middleware"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
)

// Provider is a provider whose accounts can be connected. It is safe for
// concurrent use. [Accounts.Add] makes one.
type Provider struct {
	login *middleware.Login
	part  func() *part // in a closure, so that printing a Provider shows no Keeper
}

// Mount registers the routes on mux: the paths of the redirect URLs, and beside
// the first one connect and disconnect, or what the options say. See
// [middleware.Login.Mount].
func (p *Provider) Mount(mux middleware.Mux) { p.login.Mount(mux) }

// Handler returns one handler for all routes, for a part of any router. See
// [middleware.Login.Handler].
func (p *Provider) Handler() http.Handler { return p.login.Handler() }

// Connect begins a connection for the user of the app who sends the request. It
// answers POST and GET. The parameter return_to is the local path where the
// browser goes afterwards.
//
// Another site must not begin a connection: the browser could be logged in
// there as somebody else. So a request that does not come from this site, or
// does not say where it comes from, gets a page with a button
// ([middleware.ErrCrossOrigin]). A form that posts works in every browser.
func (p *Provider) Connect() http.Handler { return p.login.Authorize() }

// Callback receives the answer of the authorization server. Before any request
// it checks that the user of the app is the one who began (ErrAccountChanged,
// ErrNoAccount). The rest is as in [middleware.Login.Callback].
func (p *Provider) Callback() http.Handler { return p.login.Callback() }

// Disconnect ends the connection whose ID is in the parameter "connection". It
// answers a POST from the same site ([middleware.ErrCrossOrigin]), and ends
// only connections of the user of the app who sends it (ErrNoConnection). A GET
// gets a page with a button. See [Accounts.End].
func (p *Provider) Disconnect() http.Handler { return p.login.Disconnect() }

// Begin answers r with the beginning of a connection, and with what o asks for.
// It is for handlers of the app. If the context of r names a connection
// ([Connection.Context]), o.MoreScopes are asked for beside the scopes that it
// has. Nil options mean all defaults. See [middleware.Login.Begin].
func (p *Provider) Begin(w http.ResponseWriter, r *http.Request, o *middleware.BeginOptions) {
	p.login.Begin(w, r, o)
}

// part is one provider, as package middleware sees it.
type part struct {
	accounts *Accounts
	grants   *grant.Keeper
	name     string
	owner    tokensource.Owner
	machine  connecting.Machine // set before the first request
}

// Attach sets the machine.
func (p *part) Attach(m connecting.Machine) { p.machine = m }

const maxName = 255 // bytes

// Account returns the user of the app who sent r.
func (p *part) Account(r *http.Request) (string, error) {
	account, err := p.accounts.account(r)
	if err == nil && account != "" {
		err = checkAccount(account)
	}
	return account, err
}

// checkAccount refuses a name that a record cannot hold as it is.
func checkAccount(account string) error {
	if !isName(account) {
		return &tokensource.Error{
			Op: "connect", Kind: tokensource.ErrClient, Err: errors.New("connect: a user of the app is named by 1 to 255 bytes of UTF-8 without a zero byte"),
		}
	}
	return nil
}

// isName reports whether s can name a user or an app.
func isName(s string) bool {
	return s != "" && len(s) <= maxName && utf8.ValidString(s) && !strings.Contains(s, "\x00")
}

// Accept asks the app.
func (p *part) Accept(ctx context.Context, c connecting.Claim) error {
	if p.accounts.options.OnConnect == nil {
		return nil
	}
	return p.accounts.options.OnConnect(ctx, c.Account, p.connection(p.newEntry(c)))
}

// End ends a connection of an account.
func (p *part) End(ctx context.Context, account, id string) error {
	return p.accounts.End(ctx, account, id)
}

// errBusy means that something else happens to a connection. It ends soon.
func errBusy(what string) error {
	return &tokensource.Error{Op: "connect", Kind: tokensource.ErrTemporary, Err: fmt.Errorf("connect: this account is being %s", what)}
}
