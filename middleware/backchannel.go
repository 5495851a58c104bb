package middleware

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/provider"
)

const opBackChannelLogout = "back-channel logout"

// BackChannelLogout receives the logout tokens of the authorization server
// ([OpenID Connect Back-Channel Logout]). A user who has logged out there, in
// this app or in another one, is then logged out here.
//
// The sessions end that began with the session at the server, or all sessions
// of the user if the logout token names no session. If no session of the user
// is left, the grant ends too, unless it has the scope offline_access: the
// server ends such a grant itself, and one with offline_access is meant to
// outlive the session (section 2.7).
//
// It answers POST only, with 200, or with 400 if the logout token is refused or
// was used before, or if the store failed. Without
// Options.BackChannelLogoutPath the answer is 404.
//
// [OpenID Connect Back-Channel Logout]: https://openid.net/specs/openid-connect-backchannel-1_0.html
func (l *Login) BackChannelLogout() http.Handler {
	in := l.inner()
	if in.site.backChannel == "" {
		return http.NotFoundHandler()
	}
	return in.route(opBackChannelLogout, in.backChannelLogout, http.MethodPost)
}

// errLogoutToken means that a logout token is refused.
var errLogoutToken = errors.New("middleware: the logout token is refused")

// backChannelLogout answers with 400 whatever fails (section 2.8). The reader
// of the answer is a server, so that no error page is of use.
func (l *login) backChannelLogout(w http.ResponseWriter, r *http.Request) error {
	err := l.receiveLogout(w, r)
	if err == nil {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	l.report(correlate(r, ""), tokensource.Event{Kind: EventRefused, Err: err})
	code := "invalid_request"
	if !errors.Is(err, errLogoutToken) || errors.Is(err, tokensource.ErrTemporary) {
		code = "temporarily_unavailable"
	}
	writeJSON(w, http.StatusBadRequest, map[string]string{"error": code})
	return nil
}

// receiveLogout verifies a logout token and does what it says.
func (l *login) receiveLogout(w http.ResponseWriter, r *http.Request) error {
	// Like any logout, it is finished when the client leaves.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), workTime)
	defer cancel()
	ctx = withVisitor(ctx, r)
	if !parseForm(w, r) || len(r.PostForm["logout_token"]) != 1 {
		return &Error{Op: opBackChannelLogout, Kind: errLogoutToken, Cause: "the request has no logout token, or more than one"}
	}
	token, err := l.client.IDTokens().VerifyLogoutToken(ctx, r.PostForm.Get("logout_token"))
	if err != nil {
		return &Error{Op: opBackChannelLogout, Kind: errLogoutToken, Err: err}
	}
	id := "logout " + token.ID
	switch used, _, err := l.used.isUsed(ctx, id, ""); {
	case err != nil:
		return &Error{Op: opBackChannelLogout, Kind: ErrLogoutFailed, Err: err}
	case used:
		return &Error{Op: opBackChannelLogout, Kind: errLogoutToken, Cause: "it was used before"}
	}
	if err := l.endAtServer(ctx, token); err != nil {
		return &Error{Op: opBackChannelLogout, Kind: ErrLogoutFailed, Err: err}
	}
	// Another request with the same token may have been faster. It did the same.
	if err := l.used.consume(ctx, id, "", token.Expires); err != nil && !errors.Is(err, ErrFlowUsed) {
		return &Error{Op: opBackChannelLogout, Kind: ErrLogoutFailed, Err: err}
	}
	return nil
}

// endAtServer ends what a logout token is for. It can be repeated.
func (l *login) endAtServer(ctx context.Context, token provider.LogoutToken) error {
	subjects, err := l.subjectsOf(ctx, token)
	if err != nil {
		return err
	}
	for _, subject := range subjects {
		if err := l.endSubjectAtServer(ctx, subject, token.Session); err != nil {
			return err
		}
	}
	return nil
}

// endSubjectAtServer ends the sessions of a subject that began with a session
// at the server, or all of them, and then the grant if it ends with them.
func (l *login) endSubjectAtServer(ctx context.Context, subject, sid string) error {
	before, err := l.factsOf(ctx, subject, true)
	if err != nil {
		return err
	}
	if err := l.endSessions(ctx, subject, reasonAtServer, func(s storedSession) bool { return sid == "" || s.AtServer == sid }); err != nil {
		return err
	}
	if before.record != nil && slices.ContainsFunc(before.record.List, func(s storedSession) bool {
		return sid != "" && s.AtServer != sid && l.lives(subject, s, before.epoch)
	}) {
		return nil
	}
	g, err := l.grants.Grant(ctx, subject)
	switch {
	case errors.Is(err, tokensource.ErrReauthorize):
		return nil
	case err != nil:
		return err
	case g.Dead != "" || offline(g.Scopes) || !l.began(g, before, sid):
		return nil
	}
	err = l.grants.Forget(ctx, subject) // it goes on revoking in the background
	l.tell(ctx, tokensource.Event{Kind: EventDisconnected, Subject: subject, Err: err, Reason: reasonAtServer})
	return err
}

// began reports whether the session at the server that ends is one of the
// logins of a grant.
func (l *login) began(g grant.Grant, before facts, sid string) bool {
	return sid == "" || before.epoch == g.Epoch && slices.ContainsFunc(before.list(), func(s storedSession) bool { return s.AtServer == sid })
}

func (f facts) list() []storedSession {
	if f.record == nil {
		return nil
	}
	return f.record.List
}

// noteSession stores which user a session at the server is of, if logout tokens
// are received: they need not name the user as the app does, or at all.
func (l *login) noteSession(ctx context.Context, k *kept, c ticket) error {
	if l.site.backChannel == "" {
		return nil
	}
	var names []string
	if k.sid != "" {
		names = append(names, sidName(k.sid))
	}
	if k.named != "" && k.named != k.user.Subject {
		names = append(names, subName(k.named))
	}
	for _, name := range names {
		if err := l.atServer.add(ctx, name, k.user.Subject, c.Expires.Add(time.Minute)); err != nil {
			return err
		}
	}
	return nil
}

func sidName(sid string) string { return "sid " + sid }
func subName(sub string) string { return "sub " + sub }

// subjectsOf returns the subjects that a logout token is for.
func (l *login) subjectsOf(ctx context.Context, token provider.LogoutToken) ([]string, error) {
	var subjects []string
	if token.Subject != "" && l.asks {
		subjects = append(subjects, token.Subject)
	}
	name := subName(token.Subject)
	if token.Subject == "" {
		name = sidName(token.Session)
	}
	noted, err := l.atServer.find(ctx, name)
	for _, subject := range noted {
		if !slices.Contains(subjects, subject) {
			subjects = append(subjects, subject)
		}
	}
	return subjects, err
}
