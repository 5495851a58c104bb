package derived_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/derived"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// keys are what the fake's confidential app authenticates with on its own
// behalf.
func keys() derived.AppCredentials {
	key, secret := xapi.APIKeys(oauthtest.ConfidentialApp())
	return derived.AppCredentials{ID: key, Credential: oauth.Secret(secret)}
}

func (w world) app(a derived.AppCredentials) *derived.Source {
	w.Helper()
	s, err := derived.NewAppSource(provider.X(), a, &w.Options)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// invalidate ends the app's token at X.
func (w world) invalidate(tok *oauth2.Token) {
	w.Helper()
	body := strings.NewReader("access_token=" + strings.ReplaceAll(tok.AccessToken, "%", "%25"))
	req, err := http.NewRequestWithContext(w.Context(), http.MethodPost, "https://api.x.com"+xapi.PathInvalidate, body)
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	key, secret := xapi.APIKeys(oauthtest.ConfidentialApp())
	req.SetBasicAuth(key, secret)
	resp, err := w.Fake.Transport().RoundTrip(req)
	if err != nil {
		w.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		w.Fatalf("invalidation answered %d", resp.StatusCode)
	}
}

func (w world) appCalls() int { return w.Fake.TokenCalls("client_credentials") }

func TestAppSourceAsksOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Latency = time.Second })
		s := w.app(keys())
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if tok, err := s.Token(t.Context()); err != nil || !tok.Expiry.IsZero() {
					t.Errorf("Token() = %v, want one without expiry", err)
				}
			})
		}
		wg.Wait()
		if n := w.appCalls(); n != 1 {
			t.Errorf("requests = %d, want 1", n)
		}
		time.Sleep(1000 * time.Hour)
		tok, err := s.Token(t.Context())
		if err != nil || !w.Works(tok) || w.appCalls() != 1 {
			t.Errorf("Token() = %v with %d requests: a token without expiry is kept", err, w.appCalls())
		}
		r := w.Fake.Requests()[0]
		wire.WantParams(t, "client credentials", r.Raw().PostForm, map[string]string{"grant_type": "client_credentials"})
		wire.WantBackChannel(t, "client credentials", r.Raw().Header, wire.Basic(xapi.APIKeys(oauthtest.ConfidentialApp())))
		if r.Raw().URL.String() != "https://api.x.com/oauth2/token" {
			t.Errorf("the request went to %s", r.Raw().URL.String())
		}
	})
}

func TestAppSourceRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := w.app(keys())
		first, err := s.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Renew(t.Context(), first)
		testworld.WantIs(t, err, tokensource.ErrJustRenewed)
		w.invalidate(first)
		time.Sleep(10 * time.Second)
		second, err := s.Renew(t.Context(), first)
		if err != nil || second.AccessToken == first.AccessToken || !w.Works(second) {
			t.Fatalf("Renew() after an invalidation = %v, want another token", err)
		}
		calls := w.appCalls()
		if got, err := s.Renew(t.Context(), first); err != nil || got != second || w.appCalls() != calls {
			t.Errorf("Renew() of the old token = %v with %d more requests, want the new one at no cost", err, w.appCalls()-calls)
		}
		if got, err := s.Token(t.Context()); err != nil || got != second {
			t.Errorf("Token() = %v, want the renewed one", err)
		}
		if _, err := s.Renew(t.Context(), nil); err == nil {
			t.Error("Renew(nil) = nil, want an error")
		}
	})
}

// An API that rejects every token of the app, new ones or always the same one,
// is asked about in vain for a day.
func TestAppSourceRenewalsThatDoNotHelpAreSpacedOut(t *testing.T) {
	for name, answers := range map[string]bool{"always the same token": false, "new tokens": true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			s := w.app(keys())
			ready := s.ReadyFor(s)
			start, calls := time.Now(), 0
			if answers {
				w.Fake.Set(func(k *xapi.Knobs) {
					k.Fault = func(context.Context, oauthtest.Request) oauthtest.Fault {
						calls++
						return wire.JSON(200, fmt.Sprintf(`{"access_token":"a%d"}`, calls))
					}
				})
			}
			for time.Since(start) < 24*time.Hour {
				tok, header, err := ready.Authorization(t.Context())
				if err != nil || header != "Bearer "+tok.AccessToken {
					t.Fatalf("%s: Authorization() = %q, %v", name, header, err)
				}
				if next, err := s.Renew(t.Context(), tok); err == nil && next.AccessToken == tok.AccessToken {
					t.Fatalf("%s: Renew() returned the rejected token", name)
				}
				time.Sleep(15 * time.Second)
			}
			if n := w.appCalls(); n < 24*6 || n > 24*6+12 {
				t.Errorf("%s: %d requests in a day, want one in ten minutes", name, n)
			}
			// The API accepts a token. So the next rejection is looked into at once.
			time.Sleep(11 * time.Minute)
			tok, _, _ := ready.Authorization(t.Context())
			next, err := s.Renew(t.Context(), tok)
			if err == nil {
				tok = next
			}
			ready.Accepted(t.Context(), tok, true)
			before := w.appCalls()
			time.Sleep(10 * time.Second)
			_, _ = s.Renew(t.Context(), tok)
			if n := w.appCalls() - before; n != 1 {
				t.Errorf("%s: %d requests after a token was accepted, want 1", name, n)
			}
		})
	}
}

// Another source that embeds an AppSource may supply other tokens.
func TestAppSourceIsReadyForItselfOnly(t *testing.T) {
	w := newWorld(t)
	s := w.app(keys())
	if s.ReadyFor(&struct{ *derived.Source }{s}) != nil {
		t.Error("ReadyFor() of another source is not nil")
	}
	if s.ReadyFor(s) == nil {
		t.Error("ReadyFor() of itself is nil")
	}
}

func TestAppSourceDescribesTheAPI(t *testing.T) {
	w := newWorld(t)
	p := provider.X()
	p.API.RejectedStatuses = []int{401, 403}
	s, err := derived.NewAppSource(p, keys(), &w.Options)
	if err != nil {
		t.Fatal(err)
	}
	s.APIFacts().RejectedStatuses[0] = 400 // the caller's copy
	if got := s.APIFacts(); got.RejectedStatuses[0] != 401 || len(got.LimitHeaders) != 3 {
		t.Errorf("APIFacts() = %+v, want those of the provider", got)
	}
}

func TestAppSourceReplacesWhatExpires(t *testing.T) {
	tests := []struct {
		expiresIn string
		after     time.Duration
		calls     int
	}{
		{"3600", 58 * time.Minute, 1}, {"3600", 59 * time.Minute, 2}, {"3600", 2 * time.Hour, 2},
		{"100", 89 * time.Second, 1}, {"100", 90 * time.Second, 2},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			answer := `{"access_token":"a","token_type":"Bearer","refresh_token":"r","scope":"s","expires_in":` + tt.expiresIn + `}`
			w.Fake.Inject(oauthtest.Match{GrantType: "client_credentials"}, wire.JSON(200, answer), -1)
			s := w.app(keys())
			tok, err := s.Token(t.Context())
			if err != nil || tok.RefreshToken != "" {
				t.Errorf("Token() = %v, want one without a refresh token (RFC 6749 section 4.4.3)", err)
			}
			time.Sleep(tt.after)
			_, err = s.Token(t.Context())
			synctest.Wait() // what is ahead of expiry goes on behind the caller's back
			if err != nil || w.appCalls() != tt.calls {
				t.Errorf("after %v of %s seconds: %v, %d requests, want %d", tt.after, tt.expiresIn, err, w.appCalls(), tt.calls)
			}
		})
	}
}

func TestAppSourceFailures(t *testing.T) {
	wrong := keys()
	wrong.Credential = oauth.Secret("wr0ng")
	client := derived.AppCredentials{ID: oauthtest.ConfidentialApp().ClientID, Credential: oauth.Secret(oauthtest.ConfidentialApp().Secret())}
	tests := []struct {
		name  string
		keys  derived.AppCredentials
		fault oauthtest.Fault
		kind  error
	}{
		{"wrong secret", wrong, oauthtest.Fault{}, tokensource.ErrClient},
		{"the OAuth 2.0 client's secret", client, oauthtest.Fault{}, tokensource.ErrClient},
		{"503", keys(), oauthtest.Fault{Status: 503}, tokensource.ErrTemporary},
		{"an edge's page", keys(), oauthtest.Fault{Status: 403, Body: xapi.HTMLPage}, tokensource.ErrTemporary},
		{"dropped", keys(), oauthtest.Fault{Drop: true}, tokensource.ErrTemporary},
		{"another token_type", keys(), wire.JSON(200, `{"access_token":"a","token_type":"mac"}`), tokensource.ErrClient},
		{"invalid_grant", keys(), wire.JSON(400, `{"error":"invalid_grant"}`), tokensource.ErrClient},
		{"HTML with 200", keys(), oauthtest.Fault{Status: 200, Body: xapi.HTMLPage}, tokensource.ErrTemporary},
		{"redirect", keys(), oauthtest.Fault{Status: 307, Header: http.Header{"Location": {"https://elsewhere.test/"}}}, tokensource.ErrClient},
	}
	for _, tt := range tests {
		w := newWorld(t)
		s := w.app(tt.keys)
		w.Fake.Inject(oauthtest.Match{}, tt.fault, 1)
		_, err := s.Token(t.Context())
		testworld.WantIs(t, err, tt.kind)
		if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.Op != "client_credentials" {
			t.Errorf("%s: %v, want an *Error of client_credentials", tt.name, err)
		}
		w.only()
	}
	w := newWorld(t)
	s := w.app(keys())
	w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: 503}, 1)
	_, err := s.Token(t.Context())
	testworld.WantIs(t, err, tokensource.ErrTemporary)
	if _, err := s.Token(t.Context()); err != nil {
		t.Errorf("Token() after a failure = %v: a failure is not kept", err)
	}
}

func TestAppSourceInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		match := oauthtest.Match{GrantType: "client_credentials"}
		w.Fake.Inject(match, wire.JSON(200, `{"access_token":"a","token_type":"Bearer","expires_in":3600}`), 1)
		w.Fake.Inject(match, oauthtest.Fault{Hang: true}, -1)
		s := w.app(keys())
		if _, err := s.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour - 30*time.Second)
		for range 29 {
			start := time.Now()
			if tok, err := s.Token(t.Context()); err != nil || tok.AccessToken != "a" || time.Since(start) != 0 {
				t.Fatalf("Token() = %v after %v, want the old one at once: it is good", err, time.Since(start))
			}
			time.Sleep(time.Second)
		}
		w.Fake.ClearFaults()
		w.Fake.Inject(match, oauthtest.Fault{Status: 503}, -1)
		time.Sleep(time.Minute)
		before, start := w.appCalls(), time.Now()
		for time.Since(start) < 10*time.Minute {
			_, err := s.Token(t.Context())
			testworld.WantIs(t, err, tokensource.ErrTemporary)
			time.Sleep(time.Second)
		}
		if n := w.appCalls() - before; n > 30 {
			t.Errorf("an outage of ten minutes met %d requests", n)
		}
		w.Fake.ClearFaults()
		time.Sleep(2 * time.Minute)
		if _, err := s.Token(t.Context()); err != nil {
			t.Errorf("Token() after the outage = %v, want a token", err)
		}
	})
}

func TestAppSourceWaitersLeaveAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Set(func(k *xapi.Knobs) { k.Latency = 10 * time.Second })
		s, left := w.app(keys()), errors.New("the user has left")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, left)
		defer cancel()
		_, err := s.Token(ctx)
		testworld.WantIs(t, err, left)
		if _, err := s.Token(t.Context()); err != nil || w.appCalls() != 1 {
			t.Errorf("Token() = %v with %d requests, want the token that the first caller asked for", err, w.appCalls())
		}
	})
}

func TestNewAppSource(t *testing.T) {
	tests := []struct {
		name string
		p    *provider.Provider
		a    derived.AppCredentials
		want string
	}{
		{"no provider", nil, keys(), "provider.X()"},
		{"no ID", provider.X(), derived.AppCredentials{Credential: oauth.Secret("s3cret")}, "API key"},
		{"no secret", provider.X(), derived.AppCredentials{ID: "id"}, "API key"},
		{"line break", provider.X(), derived.AppCredentials{ID: "id", Credential: oauth.Secret("s3cret\n")}, "line break"},
		{"space behind the ID", provider.X(), derived.AppCredentials{ID: "id ", Credential: oauth.Secret("s3cret")}, "spaces"},
		{"bad scope", provider.X(), derived.AppCredentials{ID: "id", Credential: oauth.Secret("s3cret"), Scopes: []string{"a b"}}, "string of its own"},
	}
	for _, tt := range tests {
		if _, err := derived.NewAppSource(tt.p, tt.a, nil); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("NewAppSource(%s) = %v, want an error with %q", tt.name, err, tt.want)
		}
	}
	if _, err := derived.NewAppSource(provider.X(), keys(), &oauth.Options{Timeout: -1}); err == nil {
		t.Error("NewAppSource(negative timeout) = nil, want an error")
	}
}

func TestAppSourceOfAnyOtherServer(t *testing.T) {
	w := newWorld(t)
	p := &provider.Provider{
		Name: "generic", AuthorizationURL: "https://x.com/i/oauth2/authorize",
		TokenURL: "https://api.x.com/2/oauth2/token", APIOrigins: []string{"https://api.example"},
	}
	source, err := derived.NewAppSource(p, derived.AppCredentials{ID: "a+id", Credential: oauth.Secret("s3cret"), Scopes: []string{"b", "a"}}, &w.Options)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = source.Token(t.Context()) // the request is what counts
	r := w.only()
	wire.WantParams(t, "client credentials", r.Raw().PostForm, map[string]string{"grant_type": "client_credentials", "scope": "b a"})
	if r.Path != xapi.PathToken || r.Raw().Header.Get("Authorization") != wire.Basic("a%2Bid", "s3cret") {
		t.Errorf("the request went to %s, want the token endpoint with Basic", r.Path)
	}
	if got := source.APIOrigins(nil); len(got) != 1 || got[0] != "https://api.example" {
		t.Errorf("APIOrigins(nil) = %q", got)
	}
}

// The app's token fails at a server that repeats whatever it was sent.
func TestAppSourceErrorsShowNoSecret(t *testing.T) {
	_, secret := xapi.APIKeys(oauthtest.ConfidentialApp())
	var errs []error
	for _, fault := range wire.Echoes(secret) {
		w := newWorld(t)
		w.Fake.Inject(oauthtest.Match{}, fault, -1)
		_, err := w.app(keys()).Token(t.Context())
		errs = append(errs, err)
	}
	exposure.Check(t, "client_credentials", errs, secret)
}
