package middleware

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"

	"github.com/authtrip/authtrip/internal/connecting"
	"github.com/authtrip/authtrip/tokensource"
)

// A Login with hooks makes connections for package connect. It has no session
// of its own: the app knows its users.

// connects reports whether l makes connections.
func (l *login) connects() bool { return l.hooks != nil }

// account returns the user of the app who sent r.
func (l *login) account(r *http.Request, op string) (string, error) {
	account, err := l.hooks.Account(r)
	switch {
	case errors.Is(err, tokensource.ErrClient):
		return "", &Error{Op: op, Kind: tokensource.ErrClient, Err: err}
	case err != nil:
		return "", stopped(op, "the app cannot tell now who is logged in", err)
	case account == "":
		return "", &Error{Op: op, Kind: connecting.ErrNoAccount}
	}
	return account, nil
}

// bindAccount puts the user of the app into a new flow.
func (l *login) bindAccount(r *http.Request, f *flow) (err error) {
	if !l.connects() {
		return nil
	}
	if f.account, err = l.account(r, opAuthorize); err == nil {
		f.bound = accountMark(f.account)
	}
	return err
}

// sameAccount makes sure that r comes from the user of the app who began, and
// returns that user. Otherwise the account of one person at the authorization
// server could become a connection of another person.
func (l *login) sameAccount(r *http.Request, bound string) (string, error) {
	if !l.connects() {
		return "", nil
	}
	account, err := l.account(r, opCallback)
	if err == nil && accountMark(account) != bound {
		err = &Error{Op: opCallback, Kind: connecting.ErrChanged}
	}
	return account, err
}

// boundTo returns what stands for the user of the app who began a login.
func (l *login) boundTo(k *kept) string {
	if !l.connects() {
		return ""
	}
	return accountMark(k.account)
}

// accountMark stands for a user of the app in a sealed flow.
func accountMark(account string) string { return fingerprint("account", account)[:22] }

// isAccountMark reports whether a line of a flow is a mark or empty.
func isAccountMark(line string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(line)
	return err == nil && (len(raw) == 0 || len(raw) == 16)
}

// signedIn reports whether the sender of r is logged in: here, or at the app.
// It returns errNoSession, or another error if that cannot be told now.
func (l *login) signedIn(r *http.Request) error {
	if !l.connects() {
		_, err := l.current(r)
		return err
	}
	_, err := l.account(r, opCallback)
	if errors.Is(err, connecting.ErrNoAccount) {
		return errNoSession
	}
	return err
}

// claimConnection lists the connection of a login before its grant is stored.
// So no grant is stored that no user of the app can end.
func (l *login) claimConnection(ctx context.Context, k *kept) error {
	err := l.hooks.Claim(ctx, k.claim())
	switch {
	case err == nil:
		k.claimed = true
		return nil
	case errors.Is(err, connecting.ErrElsewhere):
		return &Error{Op: opCallback, Kind: connecting.ErrElsewhere}
	case errors.Is(err, connecting.ErrTooMany):
		return &Error{Op: opCallback, Kind: connecting.ErrTooMany}
	}
	return failed("the connection could not be listed", err)
}

// confirmConnection notes that the grant of a login is stored.
func (l *login) confirmConnection(ctx context.Context, k *kept) error {
	if err := l.hooks.Confirm(ctx, k.claim()); err != nil {
		return failed("the connection could not be listed", err)
	}
	k.confirmed = true
	l.tell(ctx, tokensource.Event{Kind: connecting.EventConnected, Subject: k.user.Subject, Account: k.account})
	return nil
}

// undo takes a connection from the list whose grant cannot be stored. It may be
// listed as soon as the app has accepted the user, also if claimConnection has
// failed.
func (l *login) undo(ctx context.Context, k *kept) {
	if !l.connects() || !k.accepted {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTime)
	defer cancel()
	if l.hooks.Undo(ctx, k.claim()) == nil { // otherwise it is shown without a grant
		k.claimed = false
	}
}

func (k *kept) claim() connecting.Claim {
	return connecting.Claim{Account: k.account, Login: k.id, User: k.user}
}

// connection is the parameter that names a connection.
const connection = "connection"

// maxConnectionID bounds that parameter.
const maxConnectionID = 64

// disconnectOne ends one connection of the user of the app who sent r.
func (l *login) disconnectOne() http.Handler {
	return l.route(opDisconnect, func(w http.ResponseWriter, r *http.Request) error {
		id, err := l.namedConnection(w, r)
		if err != nil {
			return err
		}
		again := l.site.disconnect + "?" + connection + "=" + id
		if !l.sameOrigin(r, opDisconnect) {
			return &Error{Op: opDisconnect, Kind: ErrCrossOrigin, Retry: again}
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), workTime)
		defer cancel()
		ctx = withVisitor(ctx, r)
		account, err := l.account(r.WithContext(ctx), opDisconnect)
		if err != nil {
			return err
		}
		if err := l.hooks.End(ctx, account, id); err != nil {
			return l.notDisconnected(err, again)
		}
		l.cookies.drop(w, r, l.cookies.form())
		seeOther(w, l.options.AfterLogout)
		return nil
	}, http.MethodPost)
}

func (l *login) notDisconnected(err error, again string) error {
	e := &Error{Op: opDisconnect, Kind: ErrLogoutFailed, Retry: again, Err: err}
	switch {
	case errors.Is(err, connecting.ErrNotListed):
		e.Kind, e.Retry = connecting.ErrNotListed, ""
	case errors.Is(err, ErrUnreadable):
		e.Kind = ErrUnreadable
	case errors.Is(err, tokensource.ErrClient):
		e.Kind = tokensource.ErrClient
	}
	return e
}

// namedConnection returns the connection that r names in its query or in its
// form. Anything but the form of an ID is refused before it gets anywhere.
func (l *login) namedConnection(w http.ResponseWriter, r *http.Request) (string, error) {
	refused := &Error{Op: opDisconnect, Kind: connecting.ErrNotListed}
	values, ok := readQuery(r.URL.RawQuery, connection)
	if !ok || !parseForm(w, r) {
		return "", refused
	}
	list := append(values[connection], r.PostForm[connection]...)
	if len(list) != 1 || !isConnectionID(list[0]) {
		return "", refused
	}
	return list[0], nil
}

// disconnectPath is the local URL to post to for the connection that the query
// of r names, or "" if it names none.
func (l *login) disconnectPath(r *http.Request) string {
	values, _ := readQuery(r.URL.RawQuery, connection)
	if list := values[connection]; len(list) == 1 && isConnectionID(list[0]) {
		return l.site.disconnect + "?" + connection + "=" + list[0]
	}
	return ""
}

func isConnectionID(id string) bool {
	_, err := base64.RawURLEncoding.DecodeString(id)
	return err == nil && id != "" && len(id) <= maxConnectionID
}

// machine is what package connect may do with a Login.
type machine struct{ *login }

func (m machine) Abandon(ctx context.Context, account, subject string) error {
	return m.forgetKept(ctx, func(k *kept) bool {
		return k.account == account && (subject == "" || k.user.Subject == subject)
	})
}

func (m machine) Tell(ctx context.Context, e tokensource.Event) { m.tell(ctx, e) }

// acting returns the subject that the context of r names: the connection that
// a login is to give more scopes. It returns errNoSession if there is none.
func (l *login) acting(r *http.Request) (string, error) {
	subject, ok := l.grants.Subject(r.Context())
	if !ok {
		return "", errNoSession
	}
	return subject, nil
}
