package transport_test

import (
	"context"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/transport"
)

// swap is a context whose subject changes from request to request without a
// new request.
type swap struct{ context.Context }

// bare hides that a store can watch, so that the engine gets no notifications.
type bare struct{ storage.Store }

// newCrowd returns an engine with n subjects logged in, and their contexts.
// Subject i has a token that ends in i.
func newCrowd(t *testing.T, n, length int) (*grant.Keeper, []context.Context) {
	t.Helper()
	p := &provider.Provider{
		Name: "crowd", AuthorizationURL: "https://login.example/authorize", TokenURL: "https://login.example/token", APIOrigins: []string{api},
	}
	client, err := oauth.New(p, oauth.Registration{ClientID: "crowd", RedirectURL: "https://app.example/callback"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := grant.New(client, bare{storage.NewMemory()}, &grant.Options{Recheck: time.Hour, InsecurePlainStore: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	contexts := make([]context.Context, n)
	for i := range contexts {
		subject := strconv.Itoa(i)
		text := strings.Repeat("x", length-len(subject)) + subject
		tok := &oauth2.Token{AccessToken: text, RefreshToken: "r", TokenType: "Bearer", Expiry: time.Now().Add(2 * time.Hour)}
		if _, err := g.Save(t.Context(), subject, tok); err != nil {
			t.Fatal(err)
		}
		contexts[i] = g.WithSubject(t.Context(), subject) //nolint:fatcontext // one each, none inside another
	}
	return g, contexts
}

// turns sends each request for the next of many subjects, whose contexts it
// puts into the request's.
type turns struct {
	http.RoundTripper
	swap     *swap
	contexts []context.Context
	next     int
}

func (r *turns) RoundTrip(req *http.Request) (*http.Response, error) {
	r.swap.Context = r.contexts[r.next%len(r.contexts)]
	r.next++
	return r.RoundTripper.RoundTrip(req)
}

// However many subjects share a transport, and however long their tokens are:
// three allocations and 720 bytes a request.
func TestT7_ThreeAllocationsAmongManySubjects(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	for _, test := range []struct{ subjects, length int }{{100_000, 43}, {2000, 1000}} {
		g, contexts := newCrowd(t, test.subjects, test.length)
		base := nowhere{len("Bearer ") + test.length}
		s := &swap{t.Context()}
		req := costRequest(t, nil).WithContext(s)
		_, bytes := measure(t, manyRuns, nowhere{}, req)
		for name, rt := range map[string]http.RoundTripper{
			"all in turn": &turns{newTransport(t, g, base, transport.Options{}), s, contexts, 0},
			"one":         newTransport(t, g.Source("0"), base, transport.Options{}),
		} {
			gotAllocs, gotBytes := measure(t, 10*len(contexts)/9, rt, req)
			if gotAllocs != 4 || gotBytes-bytes != 720 { // one is the base's
				t.Errorf("%d subjects with tokens of %d bytes, %s: %v allocations and %d B over the base a request, want 4 and 720",
					test.subjects, test.length, name, gotAllocs, gotBytes-bytes)
			}
		}
	}
}

// Each subject's requests carry its own token: with so many of them, none of
// another.
func TestT7_EverySubjectItsOwnToken(t *testing.T) {
	const subjects, length = 5000, 43
	g, contexts := newCrowd(t, subjects, length)
	var sent string
	base := baseFunc(func(req *http.Request) (*http.Response, error) {
		sent = req.Header.Get("Authorization")
		return response(req, http.StatusOK, nil, ""), nil
	})
	rt := newTransport(t, g, base, transport.Options{})
	for i, ctx := range contexts {
		resp, err := rt.RoundTrip(costRequest(t, nil).WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		subject := strconv.Itoa(i)
		if want := "Bearer " + strings.Repeat("x", length-len(subject)) + subject; sent != want {
			t.Fatalf("subject %d was sent with %q, want %q", i, sent, want)
		}
	}
}

// override supplies tokens of its own, though it embeds an engine.
type override struct{ *grant.Keeper }

func (override) Token(context.Context) (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: "own"}, nil
}

// A source that wraps the engine is asked for its own tokens.
func TestAWrappedEngineKeepsItsToken(t *testing.T) {
	g, contexts := newCrowd(t, 1, 43)
	var sent string
	base := baseFunc(func(req *http.Request) (*http.Response, error) {
		sent = req.Header.Get("Authorization")
		return response(req, http.StatusOK, nil, ""), nil
	})
	rt := newTransport(t, override{g}, base, transport.Options{})
	roundTrip(t, rt, costRequest(t, nil).WithContext(contexts[0]))
	if sent != "Bearer own" {
		t.Errorf("sent %q, want the wrapper's token", sent)
	}
}

// A source that wraps the engine sends its own tokens in the header, and with
// the scheme, that the facts name.
func TestAWrappedEngineSendsItsTokenAsTheFactsSay(t *testing.T) {
	g, contexts := newCrowd(t, 1, 43)
	for _, tt := range []struct {
		facts tokensource.APIFacts
		want  http.Header
	}{
		{tokensource.APIFacts{TokenHeader: "X-Token"}, http.Header{"X-Token": {"own"}}},
		{tokensource.APIFacts{TokenHeader: "X-Token", TokenScheme: "Token"}, http.Header{"X-Token": {"Token own"}}},
		{tokensource.APIFacts{TokenScheme: "Zoho-oauthtoken"}, http.Header{"Authorization": {"Zoho-oauthtoken own"}}},
		{tokensource.APIFacts{Headers: map[string]string{"Client-Id": "a"}}, http.Header{"Authorization": {"Bearer own"}, "Client-Id": {"a"}}},
	} {
		base := &script{answers: []answer{ok200}}
		req := newRequest(t, "GET", api, nil).WithContext(contexts[0])
		req.Header = http.Header{"x-token": {"mine"}, "AUTHORIZATION": {"mine"}}
		if tt.facts.TokenHeader == "" {
			delete(req.Header, "x-token")
		}
		roundTrip(t, newTransport(t, override{g}, base, transport.Options{API: &tt.facts, Origins: []string{api}}), req)
		if got := base.sent[0].header; !reflect.DeepEqual(got, tt.want) {
			t.Errorf("facts %+v: sent with %v, want %v", tt.facts, got, tt.want)
		}
	}
}
