package nativeapp

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/whois"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

const (
	settleTime   = time.Minute // bounds what follows the tokens
	settlePause  = time.Second // before the second try; it doubles
	longestPause = 10 * time.Second
	settleTries  = 6
)

// login is one login under way.
type login struct {
	*App
	client *oauth.Client // with the scopes and the key of this login
	scopes []string      // that were asked for
	params url.Values
	nonce  string                  // of the ID token; empty if none is expected
	demand provider.IDTokenRequest // what the parameters demand of the ID token, without the nonce
}

// begin prepares a login. If the client proves possession, the login has a key
// of its own (RFC 9449).
func (a *App) begin(ctx context.Context, redirectURL string, o *LoginOptions) (*login, error) {
	if o == nil {
		o = new(LoginOptions)
	}
	client, err := a.client.With(redirectURL, o.Scopes)
	if err != nil {
		return nil, err
	}
	if err := a.checkScopes(client.Scopes()); err != nil {
		return nil, err
	}
	if proofs := client.Proofs(); proofs != nil {
		key, err := proofs.NewKey(ctx)
		if err != nil {
			return nil, &tokensource.Error{Op: "key", Kind: tokensource.ErrTemporary, Err: err}
		}
		client = client.WithProver(key)
	}
	l := &login{App: a, client: client, scopes: client.Scopes(), params: url.Values{}}
	maps.Copy(l.params, o.Params)
	if client.IDTokens() != nil {
		if l.demand, err = whois.Request(client.Provider(), l.params); err != nil {
			return nil, fmt.Errorf("nativeapp: %w", err)
		}
	}
	return l, nil
}

// random returns 32 random bytes as text.
func random() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// finish finds out who the user is, and stores the grant. What was used up to
// get the tokens cannot be used again. So both are repeated for a while if they
// fail, and the work goes on when ctx ends (G21). If they cannot be done, the
// tokens are revoked. Then the grant is not stored, or the store does not say
// that it is.
func (l *login) finish(ctx context.Context, tok *oauth2.Token, asked time.Time) (provider.Identity, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	s := &settling{login: l, tok: tok, asked: asked, id: random()}
	var err error
	for try := range settleTries {
		if err = s.settle(ctx); err == nil {
			return s.user, nil
		}
		if !errors.Is(err, tokensource.ErrTemporary) || !sleep(ctx, pauseAfter(try, err)) {
			break
		}
	}
	ctx = context.WithoutCancel(ctx)
	if s.holds(ctx) {
		return s.user, nil
	}
	return provider.Identity{}, errors.Join(err, l.drop(ctx, tok), s.undo(ctx))
}

// pauseAfter returns the pause after a number of tries.
func pauseAfter(try int, err error) time.Duration {
	pause := min(settlePause<<try, longestPause)
	if e, ok := errors.AsType[*tokensource.Error](err); ok {
		pause = min(max(pause, e.RetryAfter), settleTime)
	}
	return pause
}

// settling is the end of a login, which can be repeated.
type settling struct {
	*login
	tok      *oauth2.Token
	asked    time.Time // when the tokens were asked for
	id       string    // of the login
	user     provider.Identity
	verified string // the subject that an ID token names
	repeated bool   // an earlier try may have stored the grant
	added    bool   // this login has added the account, and removes it if it fails
	ended    bool   // there was such an account, whose logout is to be repeated
}

func (s *settling) settle(ctx context.Context) error {
	if s.user.Subject == "" {
		if err := s.identify(ctx); err != nil {
			return err
		}
	}
	// The account comes first. If this process dies in between, an account without
	// a grant is left, and no grant that nobody knows of.
	added, ended := false, false
	err := s.change(ctx, func(l *accounts) error {
		a := l.of(s.user.Subject)
		ended = a != nil && a.Ended
		added = a == nil || ended || a.Leaving != "" // or taken over from a login that failed
		return l.add(s.user, s.options.Account)
	})
	if err != nil {
		return err
	}
	s.added, s.ended = s.added || added, s.ended || ended
	s.chosen.Store(nil)
	_, err = s.grants.SaveLogin(ctx, s.user.Subject, s.tok, &grant.LoginOptions{
		Scopes: s.scopes, ID: s.id, Repeated: s.repeated, Exchanged: s.asked, User: s.verified,
	})
	s.repeated = true
	if err != nil {
		return err
	}
	return s.confirm(ctx)
}

// holds reports whether the grant of the login is stored, also if the answer of
// the store was lost.
func (s *settling) holds(ctx context.Context) bool {
	if !s.repeated {
		return false
	}
	keeper := s.grants.ReadyFor(s.grants).(interface {
		Holds(ctx context.Context, subject, login string) (bool, error)
	})
	holds, err := keeper.Holds(ctx, s.user.Subject, s.id)
	return err == nil && holds
}

// confirm makes sure that the account stays, now that the grant is stored.
// Another login of the same user may have added it before, and failed.
func (s *settling) confirm(ctx context.Context) error {
	l, _, _, err := s.read(ctx)
	if err != nil {
		return err
	}
	if a := l.of(s.user.Subject); a != nil && a.Leaving == "" || a == nil && !s.holds(ctx) {
		return nil
	}
	return s.change(ctx, func(l *accounts) error { return l.add(s.user, s.options.Account) })
}

// undo removes the account that this login has added, if its grant could not be
// stored. Otherwise an account that nobody can use would be the default. An
// account whose logout is to be repeated becomes such a one again. If the store
// does not answer, the account stays: there may be a grant.
//
// Another login of the same user may be under way, which has found the account
// in the record. So undo marks the account before it looks for a grant. A login
// that stores a grant after that look finds the mark, or no account, in
// confirm.
func (s *settling) undo(ctx context.Context) error {
	if !s.added {
		return nil
	}
	err := s.change(ctx, func(l *accounts) error {
		if a := l.of(s.user.Subject); a != nil {
			a.Leaving = s.id
		}
		return nil
	})
	if err != nil {
		return err
	}
	g, err := s.grants.Grant(ctx, s.user.Subject)
	stands := err == nil && g.LoggedOut.IsZero() || errors.Is(err, tokensource.ErrTemporary)
	return s.change(ctx, func(l *accounts) error {
		switch a := l.of(s.user.Subject); {
		case a == nil || a.Leaving != s.id:
		case stands:
			a.Leaving = ""
		case s.ended:
			a.Leaving = ""
			l.end(s.user.Subject)
		default:
			l.remove(s.user.Subject)
		}
		return nil
	})
}

// identify finds out who the user is.
func (s *settling) identify(ctx context.Context) error {
	var err error
	switch o := s.options; {
	case o.Subject != "":
		s.user = provider.Identity{Subject: o.Subject}
	case o.Identify != nil:
		s.user, err = o.Identify(ctx, s.tok)
	default:
		var id provider.IDToken
		want := s.demand
		want.Nonce, want.At = s.nonce, s.asked
		id, err = whois.Ask(ctx, s.client, s.tok, want)
		s.user = id.User
		if s.client.IDTokens() != nil {
			s.verified = id.User.Subject
		}
	}
	if err == nil && s.user.Subject == "" {
		err = errors.New("no subject was named")
	}
	if err != nil {
		s.user = provider.Identity{}
		return fmt.Errorf("nativeapp: it could not be established who the user is: %w", err)
	}
	return nil
}

// drop revokes tokens that nobody will use. Where a revocation ends all grants
// of the user, they are left to expire.
func (l *login) drop(ctx context.Context, tok *oauth2.Token) error {
	p := l.client.Provider()
	if p.RevokesAll || p.RevocationURL == "" {
		return nil
	}
	var failed []error
	for _, t := range []struct{ token, hint string }{
		{tok.RefreshToken, oauth.HintRefreshToken}, {tok.AccessToken, oauth.HintAccessToken},
	} {
		if t.token != "" {
			failed = append(failed, l.client.Revoke(ctx, t.token, t.hint))
		}
	}
	if slices.IndexFunc(failed, func(err error) bool { return err != nil }) < 0 {
		return nil
	}
	return fmt.Errorf("nativeapp: the tokens of the login could not be revoked: %w", errors.Join(failed...))
}

// granted returns the failure of a request for tokens. Tokens that came and
// cannot be used are revoked.
func (l *login) failed(ctx context.Context, err error) error {
	if tok, ok := oauth.Unusable(err); ok {
		return errors.Join(err, l.drop(context.WithoutCancel(ctx), tok))
	}
	return err
}

// sleep waits for d, and reports whether ctx lives.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
