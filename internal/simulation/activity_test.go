package simulation_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// user is one user: calls, logins and logouts.
type user struct {
	run    *run
	id     string
	chance chance
	ttl    time.Duration
}

// live goes on until the run ends.
func (u *user) live() {
	time.Sleep(u.chance.of("first").between(time.Millisecond, 5*time.Second))
	u.login(u.chance.of("first login"))
	profile := u.run.profile
	nextLogin, nextLogout := u.after("login", 0, profile.logins), u.after("logout", 0, profile.logouts)
	for n := 1; u.run.running(); n++ {
		c := u.chance.of("call").nth(n)
		time.Sleep(c.of("pause").between(10*time.Second, 2*time.Minute))
		switch now := time.Now(); {
		case now.After(nextLogin):
			nextLogin = u.after("login", n, profile.logins)
			u.login(c.of("login"))
		case now.After(nextLogout) && u.run.faulting():
			nextLogout = u.after("logout", n, profile.logouts)
			u.logout(c.of("logout"))
		default:
			u.burst(c)
		}
	}
}

// after returns the time of the next event of a kind.
func (u *user) after(kind string, n int, mean time.Duration) time.Time {
	if mean == 0 {
		return u.run.start.Add(1000 * time.Hour)
	}
	return time.Now().Add(u.chance.of("next", kind).nth(n).between(mean/4, mean*7/4))
}

// burst calls the API: mostly once, at times from several processes at once.
func (u *user) burst(c chance) {
	calls := 1
	if c.of("burst").hit(0.15) {
		calls += c.of("calls").below(7)
	}
	var wg sync.WaitGroup
	for i := range calls {
		one := c.of("one", itoa(i))
		wg.Go(func() {
			time.Sleep(one.between(0, time.Millisecond))
			p := u.run.any(one.of("process"))
			for u.call(p, one); one.of("more").hit(0.3); u.call(p, one) {
				one = one.of("next")
				time.Sleep(one.of("soon").between(10*time.Millisecond, 4*time.Second))
			}
		})
	}
	wg.Wait()
}

// call asks a process for a token and uses it, as package transport does.
func (u *user) call(p *process, c chance) {
	deadline := c.of("deadline").between(time.Millisecond, 40*time.Second)
	if c.of("patient").hit(0.7) {
		deadline = 60 * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	asked := u.run.judge.asks(u, p, nil)
	if c.of("early").hit(u.run.profile.early) && u.run.faulting() {
		u.run.fake.ExpireAccess(u.id)
		u.run.note(nil, u.id, "the access token ends early")
	}
	var tok, renewed *oauth2.Token
	var err error
	if !p.do(func() { tok, err = p.keeper.Source(u.id).Token(ctx) }) {
		return
	}
	u.run.judge.answered(asked, tok, err, deadline)
	if err != nil {
		u.mend(err, c)
		return
	}
	time.Sleep(c.of("api").between(time.Millisecond, 30*time.Millisecond))
	if u.run.fake.Token(tok.AccessToken).Dead == "" {
		return
	}
	asked = u.run.judge.asks(u, p, tok)
	if !p.do(func() { renewed, err = p.keeper.Source(u.id).Renew(ctx, tok) }) {
		return
	}
	u.run.judge.answered(asked, renewed, err, deadline)
	if err != nil {
		u.mend(err, c)
	}
}

// mend does what a user does who is told to log in.
func (u *user) mend(err error, c chance) {
	if errors.Is(err, tokensource.ErrReauthorize) && u.run.judge.mayLogin(u, c) {
		time.Sleep(c.of("mend").between(time.Second, 30*time.Second))
		u.login(c.of("mend login"))
	}
}

// login authorizes at the server and has a process save the tokens.
func (u *user) login(c chance) {
	u.loginOnce(c)
	if c.of("double").hit(u.run.profile.double) && u.run.faulting() {
		var wg sync.WaitGroup
		for i := range 2 {
			one := c.of("twin", itoa(i))
			wg.Go(func() {
				time.Sleep(one.between(0, 300*time.Millisecond))
				u.loginOnce(one)
			})
		}
		wg.Wait()
	}
}

func (u *user) loginOnce(c chance) {
	p := u.run.any(c.of("login process"))
	if !p.is("runs") {
		return
	}
	tok, err := u.authorize()
	if err != nil {
		u.run.t.Error(err)
		return
	}
	exchanged := time.Now()
	login := u.run.judge.exchanged(u, p, tok.AccessToken, tok.RefreshToken)
	time.Sleep(c.of("save").between(20*time.Millisecond, 500*time.Millisecond))
	wall, _ := p.now()
	tok.Expiry, tok.ExpiresIn = wall.Add(u.ttl-time.Since(exchanged)), int64(u.ttl/time.Second)
	if !p.do(func() { _, err = p.keeper.Save(context.Background(), u.id, tok) }) {
		err = errCrashed
	}
	u.run.judge.saved(u, login, err)
}

// authorize returns the tokens of a new login. Where tokens are bound to keys,
// it is a whole login with a key of its own.
func (u *user) authorize() (*oauth2.Token, error) {
	fake, keys := u.run.fake, u.run.keys
	if keys == nil {
		access, refresh, err := fake.IssueToken(u.id, registration().ClientID, scopes...)
		return &oauth2.Token{AccessToken: access, RefreshToken: refresh, TokenType: "bearer"}, err
	}
	ctx := context.Background()
	client, err := oauth.New(fake.Provider(""), registration(), &oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}, Proofs: keys})
	if err != nil {
		return nil, err
	}
	key, err := keys.NewKey(ctx)
	if err != nil {
		return nil, err
	}
	bound, verifier := client.WithProver(key), oauth2.GenerateVerifier()
	target, err := bound.Authorize(ctx, "a-state-of-this-run", verifier, nil)
	if err != nil {
		return nil, err
	}
	callback, err := fake.Authorize(ctx, u.id, target)
	if err != nil {
		return nil, err
	}
	back, err := url.Parse(callback)
	if err != nil {
		return nil, err
	}
	return bound.Exchange(ctx, back.Query().Get("code"), verifier)
}

// logout has a process end the grant.
func (u *user) logout(c chance) {
	p := u.run.any(c.of("logout process"))
	if !p.is("runs") {
		return
	}
	out := u.run.judge.logsOut(u, p)
	var err error
	if !p.do(func() { err = p.keeper.Logout(context.Background(), u.id) }) {
		err = errCrashed
	}
	u.run.judge.loggedOut(u, out, err)
}
