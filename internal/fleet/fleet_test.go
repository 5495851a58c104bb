//go:build linux

package fleet_test

import (
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/servertest"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/jose/josetest"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// fleet is a fake of X, a store, and the processes that share them.
type fleet struct {
	*testing.T
	fake   *xapi.Server
	db     *servertest.Server // nil if the store has no server
	setup  setup
	engine *engine // of the test itself: it saves and inspects grants
}

// newFleet returns a fleet without processes, on an empty store of a kind.
func newFleet(t *testing.T, kind string) *fleet {
	t.Helper()
	return openFleet(t, kind, &oauthtest.Options{}, "")
}

// newBoundFleet returns a fleet whose tokens are bound to keys (DPoP). The keys
// stand in the grants, so the store is sealed.
func newBoundFleet(t *testing.T, kind string) *fleet {
	t.Helper()
	return openFleet(t, kind, &oauthtest.Options{Proofs: josetest.Proofs{}}, base64.StdEncoding.EncodeToString(seal.NewKey()))
}

func openFleet(t *testing.T, kind string, o *oauthtest.Options, keys string) *fleet {
	t.Helper()
	o.RecordLimit = 100_000
	f := &fleet{T: t, fake: xapi.New(t, o)}
	f.fake.Set(func(k *xapi.Knobs) { k.API.Limit = -1 })
	server := httptest.NewServer(f.fake)
	t.Cleanup(server.Close)
	f.setup = setup{Server: server.URL, Keys: keys}
	f.setup.Store, f.db = newStore(t, kind)
	var err error
	if f.engine, err = f.setup.open(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.engine.close(); err != nil {
			t.Error(err)
		}
		if err := f.fake.Audit(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// start starts n processes.
func (f *fleet) start(n int) []*worker {
	f.Helper()
	return f.startAs(f.setup, n)
}

// successors starts n processes that are to take over from others. On a busy
// machine their calls may fail for a moment: see worker.final.
func (f *fleet) successors(n int) []*worker {
	f.Helper()
	s := f.setup
	s.Hasty = true
	return f.startAs(s, n)
}

func (f *fleet) startAs(s setup, n int) []*worker {
	f.Helper()
	list := make([]*worker, n)
	for i := range list {
		list[i] = startWorker(f.T, s)
	}
	return list
}

// users returns n identifiers of users.
func users(first, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(1_000_000 + first + i)
	}
	return list
}

// login has users authorize. The fleet believes that their access tokens live
// for d.
func (f *fleet) login(d time.Duration, subjects ...string) {
	f.Helper()
	for _, subject := range subjects {
		if err := f.fake.AddUser(oauthtest.User{ID: subject, Username: "user" + subject}); err != nil {
			f.Fatal(err)
		}
		tok, err := f.issue(subject)
		if err != nil {
			f.Fatal(err)
		}
		tok.Expiry, tok.ExpiresIn = time.Now().Add(d), 0
		if f.setup.Floor != "" {
			err = (&floor{dir: f.setup.Floor}).save(tok)
		} else {
			_, err = f.engine.grants.Save(f.Context(), subject, tok)
		}
		if err != nil {
			f.Fatal(err)
		}
	}
}

// issue returns the tokens of a new login. Where they are bound to keys, it is
// a whole login with a key of its own.
func (f *fleet) issue(subject string) (*oauth2.Token, error) {
	if f.setup.Keys == "" {
		access, refresh, err := f.fake.IssueToken(subject, "", scopes...)
		return &oauth2.Token{AccessToken: access, RefreshToken: refresh}, err
	}
	client := f.engine.grants.Client()
	key, err := client.Proofs().NewKey(f.Context())
	if err != nil {
		return nil, err
	}
	bound, verifier := client.WithProver(key), oauth2.GenerateVerifier()
	target, err := bound.Authorize(f.Context(), "a-state-of-this-test", verifier, nil)
	if err != nil {
		return nil, err
	}
	callback, err := f.fake.Authorize(f.Context(), subject, target)
	if err != nil {
		return nil, err
	}
	back, err := url.Parse(callback)
	if err != nil {
		return nil, err
	}
	return bound.Exchange(f.Context(), back.Query().Get("code"), verifier)
}

// loginExpired has users authorize and lets their access tokens expire. Half of
// the tokens expire before the fleet expects it, as revoked ones do.
func (f *fleet) loginExpired(subjects []string) {
	f.Helper()
	for i, subject := range subjects {
		life := 2 * time.Hour
		if i%2 == 0 {
			life = -time.Second
		}
		f.login(life, subject)
	}
	f.fake.ExpireAccess("")
}

// refreshes counts the refresh requests that brought a token of a user.
func (f *fleet) refreshes() map[string]int {
	n := map[string]int{}
	for _, r := range f.fake.Requests(oauthtest.Match{GrantType: "refresh_token"}) {
		n[r.UserID]++
	}
	return n
}

// ended returns why the grants of users ended at the server, by user.
func (f *fleet) ended() map[string]oauthtest.Reason {
	m := map[string]oauthtest.Reason{}
	for _, g := range f.fake.Grants() {
		if g.Ended != "" {
			m[g.UserID] = g.Ended
		}
	}
	return m
}

// wantWorks checks that a call of a user worked.
func (f *fleet) wantWorks(when, user string, m message) {
	f.Helper()
	if m.Kind != worked {
		f.Errorf("user %s %s: call = %s, want 200", user, when, m)
	}
}

// each calls do for all of list, n at a time.
func each[T any](n int, list []T, do func(T)) {
	var wg sync.WaitGroup
	turns := make(chan struct{}, n)
	for _, v := range list {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			do(v)
		})
	}
	wg.Wait()
}

// together calls do for all workers at once, and returns their answers.
func together(workers []*worker, do func(*worker) message) []message {
	answers := make([]message, len(workers))
	var wg sync.WaitGroup
	for i, w := range workers {
		wg.Go(func() { answers[i] = do(w) })
	}
	wg.Wait()
	return answers
}
