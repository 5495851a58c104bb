package middleware

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// A Session is one browser in which a user is logged in (M9).
type Session struct {
	// ID is the public name of the session. It cannot be used to act as the user.
	ID string

	// User is who the user is, as the authorization server said at the last login.
	User provider.Identity

	// Began is the time of the login. Seen is when the session was used, up to
	// five minutes too early. Expires is when it ends, whether it is used or not.
	Began, Seen, Expires time.Time

	// Device describes the browser by its User-Agent, such as "Firefox on Linux".
	// The browser can say anything: printable ASCII, at most 60 bytes. Empty
	// means that it said nothing that is known.
	Device string
}

func (s storedSession) public(user provider.Identity) Session {
	return Session{
		ID: s.Name, User: user, Device: s.Device,
		Began: time.Unix(s.Began, 0).UTC(), Seen: time.Unix(s.Seen, 0).UTC(), Expires: time.Unix(s.Expires, 0).UTC(),
	}
}

// Session returns the session that r belongs to, and whether there is one. It
// says who the user is, without a call to the authorization server (M10).
// Behind Require it costs nothing. Elsewhere it checks the session, and after a
// failed check it returns false.
func (l *Login) Session(r *http.Request) (Session, bool) {
	v, ok := l.inner().visitOf(r)
	if !ok {
		return Session{}, false
	}
	return v.session.public(v.user), true
}

// visitOf returns what Require has found out of r, or finds it out.
func (l *login) visitOf(r *http.Request) (visit, bool) {
	if v, ok := r.Context().Value(userKey{l}).(visit); ok {
		return v, true
	}
	v, err := l.current(r)
	return v, err == nil
}

// Sessions returns the sessions of a user, the latest first. It asks the store.
// The error matches tokensource.ErrTemporary or ErrUnreadable. A user who is
// not logged in has no sessions.
func (l *Login) Sessions(ctx context.Context, subject string) ([]Session, error) {
	in := l.inner()
	f, err := in.factsOf(ctx, subject, true)
	if err != nil || f.record == nil {
		return nil, err
	}
	var list []Session
	for _, s := range slices.Backward(f.record.List) { // a new session is the last one
		if in.lives(subject, s, f.epoch) {
			list = append(list, s.public(f.record.User))
		}
	}
	slices.SortStableFunc(list, func(a, b Session) int { return b.Began.Compare(a.Began) })
	return list, nil
}

// EndSession ends one session of a user, which id names (Session.ID). It
// returns nil if there is no such session. Other processes see it within
// the Recheck time of the Keeper, or at once if the store notifies of changes.
// The grant of the user lives on.
//
// The error matches tokensource.ErrTemporary or ErrUnreadable. The session may
// then have ended, or not.
func (l *Login) EndSession(ctx context.Context, subject, id string) error {
	return l.inner().endSessions(ctx, subject, reasonEnded, func(s storedSession) bool { return s.Name == id })
}

// EndSessions ends all sessions of a user, except those whose ids are given. It
// is EndSession for several sessions, such as after a change of the password:
//
//	s, ok := login.Session(r)
//	err := login.EndSessions(ctx, s.User.Subject, s.ID)
func (l *Login) EndSessions(ctx context.Context, subject string, except ...string) error {
	return l.inner().endSessions(ctx, subject, reasonEnded, func(s storedSession) bool { return !slices.Contains(except, s.Name) })
}

// endSessions ends the sessions for which ends returns true.
func (l *login) endSessions(ctx context.Context, subject, reason string, ends func(storedSession) bool) error {
	var names []string
	err := l.changeSessions(ctx, subject, func(r *sessionRecord) error {
		names = nil
		n := len(r.List)
		r.List = slices.DeleteFunc(r.List, func(s storedSession) bool {
			if !ends(s) {
				return false
			}
			names = append(names, s.Name)
			return true
		})
		if len(r.List) == n {
			return errUnchanged
		}
		return nil
	})
	for _, name := range names {
		l.ended(ctx, subject, name, reason, err)
	}
	return err
}

// ended notes and reports that a session was ended. With err it is perhaps
// still stored.
func (l *login) ended(ctx context.Context, subject, name, reason string, err error) {
	l.known.end(subject, name)
	l.tell(ctx, tokensource.Event{Kind: EventSessionEnded, Subject: subject, Session: name, Reason: reason, Err: err})
}

// startSession begins a session in the browser that w answers. It has a new ID
// at every login, also for the same user (A15). The session that the browser
// had before ends.
func (l *login) startSession(ctx context.Context, w http.ResponseWriter, r *http.Request, k *kept) error {
	ctx, user, epoch := withVisitor(ctx, r), k.user, k.epoch
	old, oldErr := l.claimed(r.WithContext(ctx))
	c := newTicket(user.Subject, l.options.SessionLifetime)
	now := time.Now().Unix()
	s := storedSession{
		Name: c.name(), Epoch: epoch, Device: device(r.UserAgent()), Began: now, Seen: now, Expires: c.Expires.Unix(),
		AtServer: k.sid,
	}
	if err := l.noteSession(ctx, k, c); err != nil {
		return err
	}
	var sealed error
	if s.Hint, sealed = l.sealHint(ctx, s.Name, k.hint); sealed != nil {
		return sealed
	}
	var gone map[string]string
	err := l.changeSessions(ctx, user.Subject, func(r *sessionRecord) error {
		if err := l.standsAs(ctx, user.Subject, epoch); err != nil {
			return err
		}
		before := slices.Clone(r.List)
		if oldErr == nil && old.Subject == user.Subject {
			r.List = slices.DeleteFunc(r.List, func(s storedSession) bool { return s.Name == old.name() })
		}
		r.setUser(user)
		r.add(s)
		gone = r.missing(before, old.name())
		return nil
	})
	if err != nil {
		return err
	}
	for name, reason := range gone {
		l.ended(ctx, user.Subject, name, reason, nil)
	}
	if err := l.setSession(ctx, w, r, c); err != nil {
		return err
	}
	if oldErr == nil && old.Subject != user.Subject { // the user before keeps the other sessions
		_ = l.endSessions(ctx, old.Subject, reasonReplaced, func(s storedSession) bool { return s.Name == old.name() })
	}
	l.report(r, tokensource.Event{Kind: EventLoginFinished, Subject: user.Subject, Session: s.Name})
	l.cookies.drop(w, r, l.cookies.logout()) // an attempt that failed is obsolete
	l.cookies.drop(w, r, l.cookies.disconnect())
	return nil
}

// errEnded means that the grant of a login has ended before its session began.
// Perhaps there is a newer one, whose sessions must stay.
var errEnded = &tokensource.Error{
	Op: "login", Kind: tokensource.ErrReauthorize, Err: errors.New("the grant of this login has ended meanwhile"),
}

// standsAs reports whether the grant of a subject has this epoch. Otherwise it
// returns errEnded, or the error of the store.
func (l *login) standsAs(ctx context.Context, subject, epoch string) error {
	switch g, err := l.keeping.Read(ctx, subject); {
	case errors.Is(err, tokensource.ErrReauthorize):
		return errEnded
	case err != nil:
		return unreadable(l.grantKey(ctx, subject), err)
	case g.Dead != "" || g.Epoch != epoch:
		return errEnded
	}
	return nil
}

// Forget erases what is stored of a user: the sessions, the logins that could
// not finish yet, and the grant, whose tokens are revoked at the authorization
// server. It is for the erasure of an account. It can be repeated, and returns
// nil if nothing is stored.
//
// The record of the grant names the user. It is deleted a day after its last
// token was revoked, and after eight days at the latest: see
// grant.Keeper.Forget.
//
// A login whose user is not known yet cannot be found. It ends within an hour.
//
// The error matches tokensource.ErrTemporary or ErrUnreadable. Something may be
// stored then: call Forget again.
func (l *Login) Forget(ctx context.Context, subject string) error {
	in := l.inner()
	return errors.Join(
		in.endSessions(ctx, subject, reasonForgotten, func(storedSession) bool { return true }),
		in.forgetKept(ctx, func(k *kept) bool { return k.user.Subject == subject }),
		in.grants.Forget(ctx, subject),
	)
}

// device describes a browser by its User-Agent header.
func device(agent string) string {
	browser := firstOf(agent, [][2]string{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser", "Samsung Internet"}, {"Firefox/", "Firefox"},
		{"FxiOS", "Firefox"}, {"CriOS", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"},
	})
	system := firstOf(agent, [][2]string{
		{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"},
		{"CrOS", "ChromeOS"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"},
	})
	switch {
	case browser != "" && system != "":
		return browser + " on " + system
	case browser != "" || system != "":
		return browser + system
	}
	return plainStart(agent)
}

// firstOf returns the name that stands beside the first mark found in agent.
func firstOf(agent string, marks [][2]string) string {
	for _, m := range marks {
		if strings.Contains(agent, m[0]) {
			return m[1]
		}
	}
	return ""
}

// plainStart returns the first word of the User-Agent of a program, such as
// "curl/8.5.0".
func plainStart(agent string) string {
	word, _, _ := strings.Cut(agent, " ")
	if len(word) > 60 || !visible(word) {
		return ""
	}
	return word
}
