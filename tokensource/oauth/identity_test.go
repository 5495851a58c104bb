package oauth_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/internal/wire"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/tokensource/provider"
)

func TestIdentity(t *testing.T) {
	w := newWorld(t)
	access, _, err := w.Fake.IssueToken(w.User, w.Client.ClientID(), testworld.Scopes...)
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.Client.Identity(t.Context(), &oauth2.Token{AccessToken: access})
	user := oauthtest.DefaultUser()
	if want := (provider.Identity{Subject: user.ID, Username: user.Username, Name: user.Name, Picture: got.Picture}); err != nil || !reflect.DeepEqual(got, want) || !strings.HasPrefix(got.Picture, "https://pbs.twimg.com/") {
		t.Errorf("Identity() = %+v, %v, want %+v", got, err, want)
	}
	r := w.only()
	if r.Method != http.MethodGet || r.Raw().URL.String() != "https://api.x.com/2/users/me?user.fields=profile_image_url" {
		t.Errorf("Identity() sent %s %s", r.Method, r.Raw().URL.String())
	}
	h := r.Raw().Header
	if h.Get("Authorization") != "Bearer "+access || h.Get("User-Agent") != "authtrip" || h.Get("Cookie") != "" || h.Get("Referer") != "" {
		t.Errorf("Identity() sent the wrong headers")
	}
}

func TestIdentityRefusesBeforeItAsks(t *testing.T) {
	w := newWorld(t)
	for name, tok := range map[string]*oauth2.Token{"nil": nil, "empty": {}, "refresh token only": {RefreshToken: "r"}} {
		if _, err := w.Client.Identity(t.Context(), tok); err == nil || !strings.Contains(err.Error(), "needs a token") {
			t.Errorf("Identity(%s) = %v, want an error", name, err)
		}
	}
	_, err := w.at(generic()).Identity(t.Context(), &oauth2.Token{AccessToken: "a"})
	testworld.WantIs(t, err, errors.ErrUnsupported)
	if err == nil || !strings.Contains(err.Error(), "IdentityURL") {
		t.Errorf("Identity() without an endpoint = %v, want the name of the setting", err)
	}
	if n := len(w.Fake.Requests()); n != 0 {
		t.Errorf("requests = %d, want none", n)
	}
}

func TestIdentityRefusals(t *testing.T) {
	tests := []struct {
		name  string
		fault oauthtest.Fault
		kind  error
		want  string
	}{
		{"401", wire.JSON(401, `{"title":"Unauthorized"}`), tokensource.ErrReauthorize, "refused"},
		{"403", wire.JSON(403, `{"title":"Forbidden"}`), tokensource.ErrClient, "needs users.read and tweet.read"},
		{"402 of credits", wire.JSON(402, `{"title":"Payment Required","type":"https://api.x.com/2/problems/credits-depleted"}`), tokensource.ErrClient, "HTTP 402: credits-depleted: the app's developer account has no credits left: add credits at https://console.x.com"},
		{"403 of the spend cap", wire.JSON(403, `{"title":"Forbidden","type":"https://api.x.com/2/problems/spend-cap-reached"}`), tokensource.ErrClient, "raise the cap at https://console.x.com"},
		{"403 of enrolment", wire.JSON(403, `{"reason":"user-not-enrolled","type":"https://api.x.com/2/problems/client-forbidden"}`), tokensource.ErrClient, "HTTP 403: user-not-enrolled: the developer account"},
		{"402 with an error of RFC 6749", wire.JSON(402, `{"error":"made_up","error_description":"made up"}`), tokensource.ErrClient, "HTTP 402: credits-depleted: the app"},
		{"404", oauthtest.Fault{Status: 404}, tokensource.ErrClient, "HTTP 404"},
		{"429", oauthtest.Fault{Status: 429}, tokensource.ErrTemporary, "HTTP 429"},
		{"500", oauthtest.Fault{Status: 500, Body: xapi.HTMLPage}, tokensource.ErrTemporary, "HTTP 500"},
		{"503", oauthtest.Fault{Status: 503}, tokensource.ErrTemporary, "HTTP 503"},
		{"302", oauthtest.Fault{Status: 302, Header: http.Header{"Location": {"https://elsewhere.test/"}}}, tokensource.ErrClient, "HTTP 302"},
		{"307", oauthtest.Fault{Status: 307, Header: http.Header{"Location": {"/2/echo"}}}, tokensource.ErrClient, "HTTP 307"},
		{"a page", oauthtest.Fault{Status: 200, Body: xapi.HTMLPage}, tokensource.ErrTemporary, "documented JSON"},
		{"no user", wire.JSON(200, `{"data":{}}`), tokensource.ErrTemporary, "named no user"},
		{"an ID that is no string", wire.JSON(200, `{"data":{"id":7}}`), tokensource.ErrTemporary, "documented JSON"},
		{"too much", wire.JSON(200, `{"data":{"id":"7"}}`+strings.Repeat(" ", 1<<20)), tokensource.ErrTemporary, "larger than 1 MiB"},
		{"cut short", oauthtest.Fault{Truncate: 9}, tokensource.ErrTemporary, "unexpected EOF"},
		{"dropped", oauthtest.Fault{Drop: true}, tokensource.ErrTemporary, "EOF"},
	}
	for _, tt := range tests {
		w := newWorld(t)
		access, _, err := w.Fake.IssueToken(w.User, w.Client.ClientID(), testworld.Scopes...)
		if err != nil {
			t.Fatal(err)
		}
		w.Fake.Inject(oauthtest.Match{}, tt.fault, 1)
		got, err := w.Client.Identity(t.Context(), &oauth2.Token{AccessToken: access})
		e, ok := errors.AsType[*tokensource.Error](err)
		if !ok || e.Kind != tt.kind || e.Op != "identity" || !strings.Contains(err.Error(), tt.want) || got.Subject != "" {
			t.Errorf("Identity() with %s = %v, want %v with %q", tt.name, err, tt.kind, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), access) {
			t.Errorf("Identity() with %s = %v: it tells the token", tt.name, err)
		}
		w.only()
	}
}

func TestIdentityOfATokenThatLacksAScope(t *testing.T) {
	w := newWorld(t)
	access, _, err := w.Fake.IssueToken(w.User, w.Client.ClientID(), "users.read")
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Client.Identity(t.Context(), &oauth2.Token{AccessToken: access})
	testworld.WantIs(t, err, tokensource.ErrClient)
}

func TestIdentityWithoutASubject(t *testing.T) {
	w, s := newWorld(t), confidential()
	s.p.ParseIdentity = func([]byte) (provider.Identity, error) { return provider.Identity{Name: "somebody"}, nil }
	w.Fake.Inject(oauthtest.Match{}, wire.JSON(200, `{}`), 1)
	got, err := w.at(s).Identity(t.Context(), &oauth2.Token{AccessToken: "a"})
	testworld.WantIs(t, err, tokensource.ErrTemporary)
	if got.Subject != "" {
		t.Errorf("Identity() = %+v: a user without a subject", got)
	}
}

func TestIdentityGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{Hang: true}, 1)
		began := time.Now()
		_, err := w.Client.Identity(t.Context(), &oauth2.Token{AccessToken: "a"})
		testworld.WantIs(t, err, tokensource.ErrTemporary)
		testworld.WantIs(t, err, context.DeadlineExceeded)
		if got := time.Since(began); got != 20*time.Second {
			t.Errorf("gave up after %v, want 20s", got)
		}
	})
}

// The facts of the provider hold for this answer too.
func TestIdentityAnswersByTheProvidersFacts(t *testing.T) {
	const user = `{"data":{"id":"7"}}`
	limit := http.Header{"Retry-After": {"30"}}
	tests := []struct {
		name  string
		fault oauthtest.Fault
		kind  error // nil: the user
		want  string
	}{
		{"201", wire.JSON(201, user), nil, ""},
		{"a byte order mark", wire.JSON(200, "\ufeff"+user), nil, ""},
		{"403 of a rejected token", oauthtest.Fault{Status: 403}, tokensource.ErrReauthorize, "refused"},
		{"401 where 403 rejects", oauthtest.Fault{Status: 401}, tokensource.ErrClient, "HTTP 401"},
		{"403 of a rate limit", oauthtest.Fault{Status: 403, Header: limit}, tokensource.ErrTemporary, "retry after 30s"},
		{"403 of a limit that ends in seconds", oauthtest.Fault{Status: 403, Header: http.Header{"X-Left": {"0"}, "X-Reset": {"6.5"}}}, tokensource.ErrTemporary, "retry after 7s"},
		{"429 of a limit", oauthtest.Fault{Status: 429, Header: http.Header{"X-Left": {"0"}, "X-Reset": {"8"}}}, tokensource.ErrTemporary, "retry after 8s"},
		{"429 without a header", oauthtest.Fault{Status: 429}, tokensource.ErrTemporary, "HTTP 429"},
		{"403 of a limit that is not used up", oauthtest.Fault{Status: 403, Header: http.Header{"X-Left": {"3"}, "X-Reset": {"8"}}}, tokensource.ErrReauthorize, "refused"},
		{"403 of a limit without an end", oauthtest.Fault{Status: 403, Header: http.Header{"X-Left": {"0"}}}, tokensource.ErrReauthorize, "refused"},
		{"a refusal with 200", wire.JSON(200, `{"ok":false,"error":"token_revoked"}`), tokensource.ErrReauthorize, "token_revoked"},
		{"a refusal with a hint", wire.JSON(402, `{"title":"CreditsDepleted"}`), tokensource.ErrClient, "buy credits"},
		{"a hint alone", wire.JSON(503, `{"title":"CreditsDepleted"}`), tokensource.ErrTemporary, "buy credits"},
	}
	for _, tt := range tests {
		w, s := newWorld(t), confidential()
		s.p.API = tokensource.APIFacts{RejectedStatuses: []int{403}, LimitStatuses: []int{403}, LimitHeaders: []tokensource.LimitHeaders{
			{Remaining: "X-Left", Reset: "X-Reset"},
		}}
		s.p.Classify = func(a provider.Answer) provider.Verdict {
			switch {
			case a.Op == "identity" && a.Code() == "token_revoked":
				return provider.Verdict{Fixer: provider.UserCanFix, Code: a.Code()}
			case a.Member("title") == "CreditsDepleted" && a.Status == 402:
				return provider.Verdict{Fixer: provider.OperatorFixes, Hint: "buy credits"}
			case a.Member("title") == "CreditsDepleted":
				return provider.Verdict{Hint: "buy credits"}
			}
			return provider.Verdict{}
		}
		w.Fake.Inject(oauthtest.Match{}, tt.fault, 1)
		got, err := w.at(s).Identity(t.Context(), &oauth2.Token{AccessToken: "an-access-t0ken"})
		if tt.kind == nil {
			if err != nil || got.Subject != "7" {
				t.Errorf("%s: Identity() = %q, %v, want the user", tt.name, got.Subject, err)
			}
			continue
		}
		testworld.WantIs(t, err, tt.kind)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Identity() = %v, want %q", tt.name, err, tt.want)
		}
	}
}
