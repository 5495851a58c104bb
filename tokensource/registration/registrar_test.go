package registration_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/exposure"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/tokensource/registration"
)

// Many goroutines of many processes register the app once.
func TestManyProcessesRegisterOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{hold: make(chan struct{})}
		store := sealed(t, storage.NewMemory())
		var wg sync.WaitGroup
		for range 4 {
			r := s.process(t, store, registration.Metadata{}, registration.Options{})
			for range 10 {
				wg.Go(func() {
					if got := id(t, r); got != "id-1" {
						t.Errorf("Current() = %s, want id-1", got)
					}
				})
			}
		}
		synctest.Wait()
		close(s.hold)
		wg.Wait()
		if s.requests() != 1 {
			t.Errorf("%d requests of 40 goroutines in 4 processes, want 1", s.requests())
		}
	})
}

// What the server was told, and what package oauth gets.
func TestRegistration(t *testing.T) {
	s := new(server)
	r := s.process(t, sealed(t, storage.NewMemory()), registration.Metadata{Name: "An app", Scopes: []string{"a", "b"}, Extra: map[string]any{"vendor": 1, "redirect_uris": "x"}},
		registration.Options{InitialToken: func(context.Context, *provider.Provider) (string, error) { return "canary-initial", nil }})
	got, err := r.Current(t.Context(), as())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"redirect_uris": []any{callback}, "client_name": "An app", "scope": "a b", "grant_types": []any{"authorization_code", "refresh_token"}, "response_types": []any{"code"},
		"application_type": "web", "token_endpoint_auth_method": "client_secret_basic", "vendor": 1.0,
	}
	if !reflect.DeepEqual(s.asked[0], want) {
		t.Errorf("the server was told %v\nwant %v", s.asked[0], want)
	}
	if h := s.headers[0]; h.Get("Authorization") != "Bearer canary-initial" || h.Get("Content-Type") != "application/json" {
		t.Errorf("the headers are %v", h)
	}
	if got.Registration.ClientID != "id-1" || got.Registration.RedirectURL != callback || got.Registration.Credential.IsZero() || !slices.Equal(got.Registration.Scopes, []string{"a", "b"}) {
		t.Errorf("Current() = %+v", got)
	}
	if _, err := oauth.New(got.Provider, got.Registration, nil); err != nil {
		t.Errorf("oauth.New() = %v", err)
	}
	exposure.Check(t, "a Registered", got, "canary-s3cret-1")
}

// The method with which the server has registered the client counts.
func TestMethodOfTheAnswer(t *testing.T) {
	key := oauth.AssertionFunc(func(context.Context) (string, error) { return "x", nil })
	for _, tt := range []struct {
		name, asked, answer string
		public              bool
		auth                provider.ClientAuth
		err                 error
	}{
		{name: "none", answer: `"token_endpoint_auth_method":"none"`, public: true},
		{name: "none, with a secret", answer: `"token_endpoint_auth_method":"none","client_secret":"s"`, public: true},
		{name: "post", answer: `"token_endpoint_auth_method":"client_secret_post","client_secret":"s"`, auth: provider.Post},
		{name: "basic", answer: `"token_endpoint_auth_method":"client_secret_basic","client_secret":"s"`},
		{name: "absent", answer: `"client_secret":"s"`},
		{name: "absent, none asked", asked: "none", answer: `"client_secret":"s"`, public: true},
		{name: "a key", asked: "private_key_jwt", answer: `"token_endpoint_auth_method":"private_key_jwt"`},
		{name: "basic without a secret", answer: `"token_endpoint_auth_method":"client_secret_basic"`, err: tokensource.ErrClient},
		{name: "a key that was not asked for", answer: `"token_endpoint_auth_method":"private_key_jwt"`, err: tokensource.ErrClient},
		{name: "another redirect URL", answer: `"client_secret":"s","redirect_uris":["https://evil.example"]`, err: tokensource.ErrClient},
		{name: "one more redirect URL", answer: `"client_secret":"s","redirect_uris":["https://x.example","` + callback + `"]`},
		{name: "a secret with a line break", answer: `"client_secret":"a\nb"`, err: tokensource.ErrClient},
	} {
		s := &server{answer: func(int) (int, string) { return 200, `{"client_id":"x",` + tt.answer + `}` }}
		r := s.process(t, sealed(t, storage.NewMemory()), registration.Metadata{TokenAuthMethod: tt.asked}, registration.Options{Credential: key})
		got, err := r.Current(t.Context(), as())
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: Current() = %v, want %v", tt.name, err, tt.err)
		}
		if err == nil && (got.Registration.Credential.IsZero() != tt.public || got.Provider.ClientAuth != tt.auth) {
			t.Errorf("%s: Current() = %+v with %v, want public %t and %v", tt.name, got.Registration, got.Provider.ClientAuth, tt.public, tt.auth)
		}
	}
}

func TestAnswersThatRegisterNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		want   error
		code   string
	}{
		"invalid_redirect_uri":         {400, `{"error":"invalid_redirect_uri","error_description":"no"}`, tokensource.ErrClient, "invalid_redirect_uri"},
		"invalid_client_metadata":      {400, `{"error":"invalid_client_metadata"}`, tokensource.ErrClient, "invalid_client_metadata"},
		"401":                          {401, ``, tokensource.ErrClient, ""},
		"403":                          {403, `<html>`, tokensource.ErrClient, ""},
		"404":                          {404, ``, tokensource.ErrClient, ""},
		"302":                          {302, `{"client_id":"x"}`, tokensource.ErrClient, ""},
		"429":                          {429, ``, tokensource.ErrTemporary, ""},
		"503":                          {503, `{"client_id":"x"}`, tokensource.ErrTemporary, ""},
		"a portal":                     {200, `<html>`, tokensource.ErrTemporary, ""},
		"no client_id":                 {201, `{"client_secret":"canary-s3cret"}`, tokensource.ErrTemporary, ""},
		"cut short":                    {201, `{"client_id":"x","client_secret":"canary-s3cret`, tokensource.ErrTemporary, ""},
		"a client_id with line breaks": {201, `{"client_id":"a\nb"}`, tokensource.ErrClient, ""},
		"a token that is sent back":    {400, `{"error":"x","error_description":"canary-initial is bad"}`, tokensource.ErrClient, "x"},
	} {
		s := &server{answer: func(int) (int, string) { return tt.status, tt.body }}
		r := s.process(t, sealed(t, storage.NewMemory()), registration.Metadata{},
			registration.Options{InitialToken: func(context.Context, *provider.Provider) (string, error) { return "canary-initial", nil }})
		_, err := r.Current(t.Context(), as())
		facts, ok := errors.AsType[*tokensource.Error](err)
		if !errors.Is(err, tt.want) || !ok || facts.Code != tt.code || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: Current() = %v, want %v with the code %q and no secret", name, err, tt.want, tt.code)
		}
		if _, again := r.Current(t.Context(), as()); !errors.Is(again, tt.want) || s.requests() != 1 {
			t.Errorf("%s: %d requests at once, want 1", name, s.requests())
		}
	}
}

func TestServerThatCannotRegister(t *testing.T) {
	s := new(server)
	r := s.process(t, sealed(t, storage.NewMemory()), registration.Metadata{}, registration.Options{})
	p := as()
	p.RegistrationURL = ""
	if _, err := r.Current(t.Context(), p); !errors.Is(err, errors.ErrUnsupported) || !errors.Is(err, tokensource.ErrClient) {
		t.Errorf("Current() without a RegistrationURL = %v, want ErrUnsupported", err)
	}
	if _, err := r.Replace(t.Context(), as(), ""); err == nil {
		t.Error("Replace of an empty client ID = nil, want an error")
	}
}

// After a failure the next attempt waits for a moment, and then succeeds.
func TestServerThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{err: errors.New("refused by canary")}
		store := sealed(t, storage.NewMemory())
		r := s.process(t, store, registration.Metadata{}, registration.Options{})
		if _, err := r.Current(t.Context(), as()); !errors.Is(err, tokensource.ErrTemporary) || strings.Contains(err.Error(), "canary") {
			t.Errorf("Current() = %v, want ErrTemporary without text of the connection", err)
		}
		s.err = nil
		if got := id(t, s.process(t, store, registration.Metadata{}, registration.Options{})); got != "id-2" {
			t.Errorf("another process: Current() = %s, want id-2", got)
		}
		time.Sleep(10 * time.Second)
		if got := id(t, r); got != "id-2" {
			t.Errorf("Current() = %s after a pause, want id-2", got)
		}
	})
}

// A process crashes between the answer and the write. Another one registers the
// app after the announcement has ended.
func TestCrashBetweenAnswerAndWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		below := storage.NewMemory()
		crashed := s.process(t, sealed(t, &stopping{Store: below, after: 2}), registration.Metadata{}, registration.Options{})
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, err := crashed.Current(ctx, as()); err == nil {
			t.Error("Current() of a process that crashed = nil, want an error")
		}
		begun := time.Now()
		if got := id(t, s.process(t, sealed(t, below), registration.Metadata{}, registration.Options{})); got != "id-2" {
			t.Errorf("Current() = %s, want id-2", got)
		}
		if waited := time.Since(begun); waited < 30*time.Second || waited > time.Minute {
			t.Errorf("the second process waited %v, want until the announcement had ended", waited)
		}
		time.Sleep(5 * time.Minute) // for the work of the first
	})
}

// stopping is a store whose writes fail after a number of them: as those of a
// process that has crashed never happen. The name keys count.
type stopping struct {
	storage.Store
	after int
	mu    sync.Mutex // guards after
}

func (s *stopping) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.after == 0 {
		return 0, errors.New("this process is no more")
	}
	s.after--
	return s.Store.Put(ctx, key, value, old)
}

// Old and new versions of an app run at once: each has its registration, and
// they do not replace each other's.
func TestTwoVersionsOfAnApp(t *testing.T) {
	s := new(server)
	store := sealed(t, storage.NewMemory())
	old := s.process(t, store, registration.Metadata{Name: "v1"}, registration.Options{})
	now := s.process(t, store, registration.Metadata{Name: "v2"}, registration.Options{})
	for range 5 {
		if a, b := id(t, old), id(t, now); a != "id-1" || b != "id-2" {
			t.Errorf("Current() = %s and %s, want id-1 and id-2", a, b)
		}
	}
	all, err := now.All(t.Context(), as())
	if err != nil || len(all) != 2 || !all[0].Old || all[1].Old || all[0].Registration.ClientID != "id-1" {
		t.Errorf("All() = %+v, %v, want id-1 as an old one, and id-2", all, err)
	}
	if err := now.Forget(t.Context(), as(), "id-1"); err != nil {
		t.Fatal(err)
	}
	if all, err := now.All(t.Context(), as()); err != nil || len(all) != 1 {
		t.Errorf("All() after Forget = %+v, %v, want one", all, err)
	}
}

// Each authorization server and each set of redirect URLs has a registration of
// its own.
func TestRegistrationsAreSeparate(t *testing.T) {
	s := new(server)
	store := sealed(t, storage.NewMemory())
	r := s.process(t, store, registration.Metadata{}, registration.Options{})
	other := as()
	other.Issuer = "https://as.example/tenant"
	seen := []string{id(t, r)}
	for _, next := range []func() (*registration.Registered, error){
		func() (*registration.Registered, error) { return r.Current(t.Context(), other) },
		func() (*registration.Registered, error) {
			m := registration.Metadata{RedirectURLs: []string{"https://app.example/other"}}
			return s.process(t, store, m, registration.Options{}).Current(t.Context(), as())
		},
	} {
		got, err := next()
		if err != nil || slices.Contains(seen, got.Registration.ClientID) {
			t.Fatalf("Current() = %+v, %v, want a new registration", got, err)
		}
		seen = append(seen, got.Registration.ClientID)
	}
	m := registration.Metadata{RedirectURLs: []string{"https://a.example/cb", "https://b.example/cb"}}
	n := registration.Metadata{RedirectURLs: []string{"https://b.example/cb", "https://a.example/cb"}}
	first, err := s.process(t, store, m, registration.Options{}).All(t.Context(), as())
	if err != nil || len(first) != 0 {
		t.Errorf("All() before any registration = %v, %v", first, err)
	}
	id(t, s.process(t, store, m, registration.Options{}))
	if all, err := s.process(t, store, n, registration.Options{}).All(t.Context(), as()); err != nil || len(all) != 1 {
		t.Errorf("All() with the redirect URLs in another order = %v, %v, want the same record", all, err)
	}
}

// A secret that ends is replaced before that.
func TestSecretThatExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: func(n int) (int, string) {
			return 201, fmt.Sprintf(`{"client_id":"id-%d","client_secret":"s","client_secret_expires_at":%d}`, n, time.Now().Add(24*time.Hour).Unix())
		}}
		r := s.process(t, sealed(t, storage.NewMemory()), registration.Metadata{}, registration.Options{})
		for _, tt := range []struct {
			after time.Duration
			want  string
		}{{0, "id-1"}, {22 * time.Hour, "id-1"}, {90 * time.Minute, "id-2"}, {time.Hour, "id-2"}} {
			time.Sleep(tt.after)
			if got := id(t, r); got != tt.want {
				t.Errorf("Current() %v later = %s, want %s", tt.after, got, tt.want)
			}
		}
		all, err := r.All(t.Context(), as())
		if err != nil || len(all) != 2 || !all[0].Old || all[0].Expires.IsZero() {
			t.Errorf("All() = %+v, %v, want the old one too", all, err)
		}
	})
}

// A client that the server refuses is replaced once, by whichever process comes
// first. A server that goes on refusing gets few new clients.
func TestClientThatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(server)
		store := sealed(t, storage.NewMemory())
		p, q := s.process(t, store, registration.Metadata{}, registration.Options{}), s.process(t, store, registration.Metadata{}, registration.Options{})
		id(t, p)
		time.Sleep(time.Hour)
		for _, r := range []*registration.Registrar{p, q} {
			if got, err := r.Replace(t.Context(), as(), "id-1"); err != nil || got.Registration.ClientID != "id-2" {
				t.Errorf("Replace(id-1) = %+v, %v, want id-2", got, err)
			}
		}
		refused := "id-2"
		for range 6 * 24 { // a day
			got, err := p.Replace(t.Context(), as(), refused)
			if err == nil {
				refused = got.Registration.ClientID
			} else if facts, _ := errors.AsType[*tokensource.Error](err); !errors.Is(err, tokensource.ErrClient) || facts.RetryAfter <= 0 {
				t.Fatalf("Replace(%s) = %v, want ErrClient with RetryAfter", refused, err)
			}
			time.Sleep(10 * time.Minute)
		}
		if n := s.requests(); n < 5 || n > 12 {
			t.Errorf("%d registrations of a server that refuses each, in a day, want about 8", n)
		}
	})
}

// The record has room for a bounded number of registrations.
func TestRecordIsBounded(t *testing.T) {
	s := new(server)
	store := sealed(t, storage.NewMemory())
	var last *registration.Registrar
	for i := range 20 {
		last = s.process(t, store, registration.Metadata{Name: fmt.Sprint("v", i)}, registration.Options{})
		id(t, last)
	}
	all, err := last.All(t.Context(), as())
	if err != nil || len(all) != 16 || all[15].Registration.ClientID != "id-20" {
		t.Errorf("All() has %d, %v, want the last 16", len(all), err)
	}
}

func TestStoreThatFails(t *testing.T) {
	s := new(server)
	r := s.process(t, sealed(t, &stopping{Store: storage.NewMemory(), after: 1}), registration.Metadata{}, registration.Options{})
	if _, err := r.Current(t.Context(), as()); !errors.Is(err, tokensource.ErrTemporary) || s.requests() != 0 {
		t.Errorf("Current() = %v after %d requests, want ErrTemporary before any", err, s.requests())
	}
}

// A record of a newer version is kept as it is.
func TestRecordOfANewerVersion(t *testing.T) {
	s := new(server)
	memory := storage.NewMemory()
	r := s.process(t, memory, registration.Metadata{}, registration.Options{})
	id(t, r)
	for key, err := range memory.Keys(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(key, "client.") {
			continue
		}
		got, err := memory.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := memory.Put(t.Context(), key, []byte(`{"v":2}`), got.Version); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Current(t.Context(), as()); !errors.Is(err, registration.ErrUnreadable) || s.requests() != 1 {
		t.Errorf("Current() = %v, want ErrUnreadable and no request", err)
	}
}

func TestNewRefuses(t *testing.T) {
	m := registration.Metadata{RedirectURLs: []string{callback}}
	type plain struct{ storage.Store }
	if _, err := registration.New(plain{storage.NewMemory()}, m, nil); !errors.Is(err, storage.ErrPlain) {
		t.Errorf("New with a store that is not sealed = %v, want ErrPlain", err)
	}
	if _, err := registration.New(plain{storage.NewMemory()}, m, &registration.Options{InsecurePlainStore: true}); err != nil {
		t.Errorf("New with InsecurePlainStore = %v", err)
	}
	if _, err := registration.New(nil, m, nil); err == nil {
		t.Error("New without a store = nil, want an error")
	}
	if _, err := registration.New(storage.NewMemory(), registration.Metadata{}, nil); err == nil {
		t.Error("New without redirect URLs = nil, want an error")
	}
}
