package derived_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/derived"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

const (
	exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
	bearerGrant   = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

// plain is a server of RFC 6749, and a confidential app there.
type plain struct {
	*testing.T
	fake    *oauthtest.Server
	options oauth.Options
}

func newPlain(t *testing.T) *plain {
	t.Helper()
	fake := oauthtest.New(t, nil)
	return &plain{t, fake, oauth.Options{HTTPClient: &http.Client{Transport: fake.Transport()}}}
}

func (w *plain) app() derived.AppCredentials {
	app := oauthtest.ConfidentialApp()
	return derived.AppCredentials{ID: app.ClientID, Credential: oauth.Secret(app.Secret())}
}

// users returns a Keeper in which users have logged in.
func (w *plain) users(names ...string) *grant.Keeper {
	w.Helper()
	app := oauthtest.ConfidentialApp()
	client, err := oauth.New(w.fake.Provider(""), oauth.Registration{
		ClientID: app.ClientID, Credential: oauth.Secret(app.Secret()), RedirectURL: app.RedirectURLs[0],
	}, &w.options)
	if err != nil {
		w.Fatal(err)
	}
	k, err := grant.New(client, storage.NewMemory(), &grant.Options{DueInterval: -1})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = k.Close() })
	for _, name := range names {
		if err := w.fake.AddUser(oauthtest.User{ID: name, Username: name, Name: name}); err != nil {
			w.Fatal(err)
		}
		access, refresh, err := w.fake.IssueToken(name, app.ClientID)
		if err != nil {
			w.Fatal(err)
		}
		tok := &oauth2.Token{AccessToken: access, RefreshToken: refresh, Expiry: time.Now().Add(time.Hour), ExpiresIn: 3600}
		if _, err := k.Save(w.Context(), name, tok); err != nil {
			w.Fatal(err)
		}
	}
	return k
}

func (w *plain) exchange(a derived.AppCredentials, x derived.Exchange) *derived.Source {
	w.Helper()
	s, err := derived.NewExchangeSource(w.fake.Provider(""), a, x, &w.options)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

func (w *plain) token(s *derived.Source, ctx context.Context) *oauth2.Token {
	w.Helper()
	tok, err := s.Token(ctx)
	if err != nil {
		w.Fatalf("Token() = %v, want a token", err)
	}
	return tok
}

// want compares the number of requests that have reached the server.
func (w *plain) want(what string, exchanges, refreshes int) {
	w.Helper()
	if e, r := w.fake.TokenCalls(exchangeGrant), w.fake.TokenCalls("refresh_token"); e != exchanges || r != refreshes {
		w.Errorf("%s: %d exchanges and %d refreshes, want %d and %d", what, e, r, exchanges, refreshes)
	}
}

func TestExchangeIsKeptForEachUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPlain(t)
		w.fake.Set(func(k *oauthtest.Knobs) { k.Latency = time.Second })
		k := w.users("ann", "bob")
		s := w.exchange(w.app(), derived.Exchange{Subject: derived.Traded{Source: k}})
		seen := map[string]string{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i := range 200 {
			name := []string{"ann", "bob"}[i%2]
			wg.Go(func() {
				tok, err := s.Token(k.WithSubject(t.Context(), name))
				mu.Lock()
				defer mu.Unlock()
				if err != nil || seen[name] != "" && seen[name] != tok.AccessToken {
					t.Errorf("Token(%s) = %v, want the one token of this user", name, err)
					return
				}
				seen[name] = tok.AccessToken
			})
		}
		wg.Wait()
		if seen["ann"] == seen["bob"] {
			t.Error("two users have the same token")
		}
		w.want("200 calls for two users", 2, 0)
		_, err := s.Token(t.Context())
		testworld.WantIs(t, err, tokensource.ErrNoSubject)
		if err := k.Logout(t.Context(), "ann"); err != nil {
			t.Fatal(err)
		}
		_, err = s.Token(k.WithSubject(t.Context(), "ann"))
		testworld.WantIs(t, err, tokensource.ErrNoGrant)
	})
}

func TestExchangeRequest(t *testing.T) {
	w := newPlain(t)
	a := w.app()
	a.Scopes, a.Resources, a.Params = []string{"b", "a"}, []string{"https://one.example", "https://two.example"}, url.Values{"audience": {"billing"}}
	actor, err := tokensource.Static("the-token-of-the-actor")
	if err != nil {
		t.Fatal(err)
	}
	w.fake.Set(func(k *oauthtest.Knobs) {
		k.Token.Believe = func(s string) bool { return strings.HasPrefix(s, "the-token-of-") }
	})
	s := w.exchange(a, derived.Exchange{
		Subject: derived.Traded{Assertion: func(context.Context) (string, error) { return "the-token-of-a-workload", nil }},
		Actor:   derived.Traded{Source: actor}, RequestedType: derived.TypeAccessToken,
	})
	if tok := w.token(s, t.Context()); tok.RefreshToken != "" {
		t.Error("the token has a refresh token")
	}
	r := w.fake.Requests()[0].Raw()
	want := url.Values{
		"grant_type": {exchangeGrant}, "scope": {"b a"}, "resource": {"https://one.example", "https://two.example"}, "audience": {"billing"},
		"subject_token": {"the-token-of-a-workload"}, "subject_token_type": {derived.TypeJWT},
		"actor_token": {"the-token-of-the-actor"}, "actor_token_type": {derived.TypeAccessToken}, "requested_token_type": {derived.TypeAccessToken},
	}
	if got := r.PostForm.Encode(); got != want.Encode() {
		t.Errorf("the request has %s, want %s", got, want.Encode())
	}
}

// A rejected token costs one refresh of the grant and one exchange, for any
// number of callers.
func TestARejectionRenewsTheParentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPlain(t)
		w.fake.Set(func(k *oauthtest.Knobs) { k.Latency = time.Second })
		k := w.users("ann")
		s := w.exchange(w.app(), derived.Exchange{Subject: derived.Traded{Source: k}})
		ctx := k.WithSubject(t.Context(), "ann")
		first := w.token(s, ctx)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				tok, err := s.Renew(ctx, first)
				if err != nil || tok.AccessToken == first.AccessToken {
					t.Errorf("Renew() = %v, want another token", err)
				}
			})
		}
		for range 3 { // others ask while the renewal is under way
			time.Sleep(700 * time.Millisecond)
			wg.Go(func() { _, _ = s.Token(ctx) })
		}
		wg.Wait()
		w.want("100 rejections of one token", 2, 1)
		if tok := w.token(s, ctx); tok.AccessToken == first.AccessToken {
			t.Error("Token() returned the rejected token")
		}
		w.want("and the next call", 2, 1)
	})
}

// An API that rejects every token is asked about in vain for a day (G9).
func TestExchangesThatDoNotHelpAreSpacedOut(t *testing.T) {
	for name, parent := range map[string]func(*plain) tokensource.Source{
		"a grant":                    func(w *plain) tokensource.Source { return w.users("ann").Source("ann") },
		"a token that never changes": func(w *plain) tokensource.Source { return w.static() },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newPlain(t)
			s := w.exchange(w.app(), derived.Exchange{Subject: derived.Traded{Source: parent(w)}})
			for start := time.Now(); time.Since(start) < 24*time.Hour; time.Sleep(15 * time.Second) {
				tok := w.token(s, t.Context())
				if next, err := s.Renew(t.Context(), tok); err == nil && next.AccessToken == tok.AccessToken {
					t.Fatalf("%s: Renew() returned the rejected token", name)
				}
			}
			if n := w.fake.TokenCalls(exchangeGrant); n > 24*8 {
				t.Errorf("%s: %d exchanges in a day, want about one in ten minutes", name, n)
			}
			if n := w.fake.TokenCalls("refresh_token"); n > 24*8 {
				t.Errorf("%s: %d refreshes in a day, want about one in ten minutes", name, n)
			}
		})
	}
}

// static is a source of a token that the server knows and that lives long.
func (w *plain) static() tokensource.Source {
	w.Helper()
	w.fake.Set(func(k *oauthtest.Knobs) { k.Token.Believe = func(s string) bool { return s == "the-long-lived-token" } })
	src, err := tokensource.Static("the-long-lived-token")
	if err != nil {
		w.Fatal(err)
	}
	return src
}

func TestExchangeOfADeadSubjectToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPlain(t)
		k := w.users("ann", "bob")
		s := w.exchange(w.app(), derived.Exchange{Subject: derived.Traded{Source: k}})
		w.fake.ExpireAccess("ann") // the server ended it, and nobody knows
		w.token(s, k.WithSubject(t.Context(), "ann"))
		w.want("a subject token that the server refuses", 2, 1)
		refused := wire.JSON(400, `{"error":"invalid_request"}`)
		w.fake.Inject(oauthtest.Match{GrantType: exchangeGrant, UserID: ""}, refused, -1)
		bob := k.WithSubject(t.Context(), "bob")
		for range 600 {
			_, err := s.Token(bob)
			if err == nil {
				t.Fatal("Token() = nil, want the refusal")
			}
			time.Sleep(time.Second)
		}
		if n := w.fake.TokenCalls(exchangeGrant); n > 30 {
			t.Errorf("%d exchanges in ten minutes of refusals", n)
		}
		w.fake.ClearFaults()
		time.Sleep(time.Hour)
		w.token(s, bob)
	})
}

func TestExchangeReplacesWhatExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPlain(t)
		s := w.exchange(w.app(), derived.Exchange{Subject: derived.Traded{Source: w.static()}})
		first := w.token(s, t.Context())
		time.Sleep(58 * time.Minute)
		w.token(s, t.Context())
		w.want("after 58 minutes of an hour", 1, 0)
		time.Sleep(90 * time.Second)
		if tok := w.token(s, t.Context()); tok != first {
			t.Error("Token() waited, though the old token was good")
		}
		synctest.Wait()
		w.want("30 seconds before the end", 2, 0)
		if tok := w.token(s, t.Context()); tok == first {
			t.Error("Token() is the old one after the new one had come")
		}
	})
}

// The tokens of many users need bounded memory (G10).
func TestExchangeKeepsABoundedNumberOfUsers(t *testing.T) {
	w := newPlain(t)
	w.fake.Set(func(k *oauthtest.Knobs) { k.Token.Believe = func(string) bool { return true } })
	s := w.exchange(w.app(), derived.Exchange{Subject: derived.Traded{Source: numbered{}}})
	const users = derived.MostHeld + 10
	for i := range users {
		w.token(s, context.WithValue(t.Context(), number{}, i))
	}
	w.token(s, context.WithValue(t.Context(), number{}, users-1))
	w.want("the user of the last call", users, 0)
	w.token(s, context.WithValue(t.Context(), number{}, 0))
	w.want("the user that was seen first", users+1, 0)
}

type number struct{}

// numbered is a source with a user for each number.
type numbered struct{}

func (numbered) Token(ctx context.Context) (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: "user-" + strconv.Itoa(ctx.Value(number{}).(int))}, nil
}

func TestExchangeOfAnIDToken(t *testing.T) {
	w := newPlain(t)
	w.fake.Set(func(k *oauthtest.Knobs) { k.Token.Believe = func(s string) bool { return s == "the-id-token" } })
	for name, tt := range map[string]struct {
		extra map[string]any
		fine  bool
	}{"there": {map[string]any{"id_token": "the-id-token"}, true}, "missing": {nil, false}} {
		tok := (&oauth2.Token{AccessToken: "a-" + name}).WithExtra(tt.extra)
		parent, err := tokensource.FromOAuth2(oauth2.StaticTokenSource(tok))
		if err != nil {
			t.Fatal(err)
		}
		s := w.exchange(w.app(), derived.Exchange{Subject: derived.Traded{Source: parent, Type: derived.TypeIDToken}})
		if _, err := s.Token(t.Context()); (err == nil) != tt.fine {
			t.Errorf("ID token %s: Token() = %v", name, err)
		}
	}
}

func TestExchangeIssuesAnotherType(t *testing.T) {
	for name, tt := range map[string]struct {
		answer string
		fine   bool
	}{
		"an access token":            {`"issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer"`, true},
		"a JWT":                      {`"issued_token_type":"urn:ietf:params:oauth:token-type:jwt","token_type":"Bearer"`, true},
		"no type is named":           {`"token_type":"Bearer"`, true},
		"a refresh token":            {`"issued_token_type":"urn:ietf:params:oauth:token-type:refresh_token","token_type":"N_A"`, false},
		"an ID token":                {`"issued_token_type":"urn:ietf:params:oauth:token-type:id_token","token_type":"Bearer"`, false},
		"one that is not for an API": {`"token_type":"N_A"`, false},
	} {
		w := newPlain(t)
		w.fake.Inject(oauthtest.Match{GrantType: exchangeGrant}, wire.JSON(200, `{"access_token":"issued-token","refresh_token":"not-used-r",`+tt.answer+`}`), 1)
		tok, err := w.exchange(w.app(), derived.Exchange{Subject: derived.Traded{Source: w.static()}}).Token(t.Context())
		if (err == nil) != tt.fine || err == nil && tok.RefreshToken != "" {
			t.Errorf("%s: Token() = %v, want usable: %t, without a refresh token", name, err, tt.fine)
		}
		if err != nil {
			testworld.WantIs(t, err, tokensource.ErrClient)
		}
	}
}

func TestAssertionSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "token")
		w := newPlain(t)
		var seen []string
		w.fake.Set(func(k *oauthtest.Knobs) {
			k.Token.Believe = func(s string) bool { seen = append(seen, s); return strings.HasPrefix(s, "workload-") }
		})
		write := func(text string) {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("workload-one\n")
		s, err := derived.NewAssertionSource(w.fake.Provider(""), derived.AppCredentials{Scopes: []string{"a"}}, derived.AssertionFile(file), &w.options)
		if err != nil {
			t.Fatal(err)
		}
		w.token(s, t.Context())
		r := w.fake.Requests()[0].Raw()
		wire.WantParams(t, "JWT bearer", r.PostForm, map[string]string{"grant_type": bearerGrant, "assertion": "workload-one", "scope": "a"})
		if r.Header.Get("Authorization") != "" {
			t.Error("a request without a client authenticates one")
		}
		write("workload-two")
		time.Sleep(2 * time.Hour)
		w.token(s, t.Context())
		if strings.Join(seen, " ") != "workload-one workload-two" {
			t.Errorf("the server saw %q, want the file as it was at each request", seen)
		}
		for name, tt := range map[string]struct {
			text string
			want error
		}{
			"empty":                        {"\n", tokensource.ErrTemporary},
			"two":                          {"a b", tokensource.ErrTemporary},
			"refused":                      {"somebody-else", tokensource.ErrClient},
			"too long behind a line break": {"\nworkload-" + strings.Repeat("a", 70<<10), tokensource.ErrTemporary},
			"too long":                     {strings.Repeat("a", 70<<10), tokensource.ErrTemporary},
		} {
			time.Sleep(2 * time.Hour)
			write(tt.text)
			_, err := s.Token(t.Context())
			if !errors.Is(err, tt.want) || strings.Contains(err.Error(), "somebody") {
				t.Errorf("an assertion that is %s: Token() = %v, want %v", name, err, tt.want)
			}
		}
	})
}

// identity is a chain of an identity provider and the server of an API.
func (w *plain) identity(idp *plain, subject derived.Traded) *derived.Source {
	w.Helper()
	s, err := derived.NewIdentitySource(w.fake.Provider(""), w.app(), derived.IdentityAssertion{
		Provider: idp.fake.Provider(""), App: idp.app(), Options: &idp.options, Subject: subject, Resource: "https://api.example",
	}, &w.options)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

func TestIdentitySource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, idp := newPlain(t), newPlain(t)
		w.fake.Set(func(k *oauthtest.Knobs) {
			k.Token.Believe = func(s string) bool { return idp.fake.Token(s).Dead == "" }
		})
		idp.fake.Set(func(k *oauthtest.Knobs) {
			k.Token.Believe = func(s string) bool { return s == "an-id-token" }
			k.Token.AccessTTL = 5 * time.Minute // of the assertion
		})
		s := w.identity(idp, derived.Traded{Assertion: func(context.Context) (string, error) { return "an-id-token", nil }})
		first := w.token(s, t.Context())
		time.Sleep(30 * time.Minute)
		if w.token(s, t.Context()) != first {
			t.Error("the token is not kept, because the assertion has expired")
		}
		r := idp.fake.Requests()[0].Raw().PostForm
		for name, want := range map[string]string{
			"audience": "https://auth.example", "resource": "https://api.example", "subject_token_type": derived.TypeIDToken,
			"requested_token_type": "urn:ietf:params:oauth:token-type:id-jag",
		} {
			if r.Get(name) != want {
				t.Errorf("the exchange has %s=%q, want %q", name, r.Get(name), want)
			}
		}
		if e, b := idp.fake.TokenCalls(exchangeGrant), w.fake.TokenCalls(bearerGrant); e != 1 || b != 1 {
			t.Errorf("%d exchanges and %d assertions, want one of each", e, b)
		}
		if next, err := s.Renew(t.Context(), first); err != nil || next.AccessToken == first.AccessToken {
			t.Errorf("Renew() = %v, want another token", err)
		}
		if e, b := idp.fake.TokenCalls(exchangeGrant), w.fake.TokenCalls(bearerGrant); e != 2 || b != 2 {
			t.Errorf("after a rejection: %d exchanges and %d assertions, want two of each", e, b)
		}
	})
}

func TestConstructorsRefuseWhatCannotWork(t *testing.T) {
	w := newPlain(t)
	src, text := w.static(), func(context.Context) (string, error) { return "a", nil }
	p, a := w.fake.Provider(""), w.app()
	withParam := a
	withParam.Params = url.Values{"subject_token": {"x"}}
	for name, f := range map[string]func() error{
		"no subject": func() error { _, err := derived.NewExchangeSource(p, a, derived.Exchange{}, nil); return err },
		"two subjects": func() error {
			_, err := derived.NewExchangeSource(p, a, derived.Exchange{Subject: derived.Traded{Source: src, Assertion: text}}, nil)
			return err
		},
		"no assertion":         func() error { _, err := derived.NewAssertionSource(p, a, nil, nil); return err },
		"no identity provider": func() error { _, err := derived.NewIdentitySource(p, a, derived.IdentityAssertion{}, nil); return err },
		"no provider": func() error {
			_, err := derived.NewIdentitySource(nil, a, derived.IdentityAssertion{Provider: p}, nil)
			return err
		},
		"a reserved parameter": func() error {
			_, err := derived.NewExchangeSource(p, withParam, derived.Exchange{Subject: derived.Traded{Source: src}}, nil)
			return err
		},
		"no ID at the API side": func() error {
			_, err := derived.NewIdentitySource(p, derived.AppCredentials{}, derived.IdentityAssertion{Provider: p, Subject: derived.Traded{Source: src}}, nil)
			return err
		},
	} {
		if f() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The server repeats whatever it was sent.
func TestDerivedErrorsShowNoSecret(t *testing.T) {
	const secret = "the-assertion-that-nobody-may-see"
	var errs []error
	for _, fault := range wire.Echoes(secret) {
		w := newPlain(t)
		w.fake.Inject(oauthtest.Match{}, fault, -1)
		text := func(context.Context) (string, error) { return secret, nil }
		_, err := w.exchange(w.app(), derived.Exchange{Subject: derived.Traded{Assertion: text}}).Token(t.Context())
		s, bad := derived.NewAssertionSource(w.fake.Provider(""), w.app(), text, &w.options)
		if bad != nil {
			t.Fatal(bad)
		}
		_, err2 := s.Token(t.Context())
		errs = append(errs, err, err2)
		w.fake.ClearFaults()
	}
	exposure.Check(t, "derived", errs, secret)
}
