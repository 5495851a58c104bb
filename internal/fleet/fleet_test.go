//go:build unix

package fleet_test

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/servertest"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// fleet is a fake X, a store, and the processes that share them.
type fleet struct {
	*testing.T
	fake   *xapi.Server
	db     *servertest.Server // nil if the store has none
	setup  setup
	engine *engine // of the test itself: it saves grants and makes no calls
}

// newFleet returns a fleet without processes, on an empty store of a kind.
func newFleet(t *testing.T, kind string) *fleet {
	t.Helper()
	f := &fleet{T: t}
	f.fake = xapi.New(t, &oauthtest.Options{RecordLimit: 100_000})
	f.fake.Set(func(k *xapi.Knobs) { k.API.Limit = -1 })
	server := httptest.NewServer(f.fake)
	t.Cleanup(server.Close)
	f.setup = setup{Server: server.URL, Timeout: 10 * time.Second}
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

// lease is the life of an intent.
func (f *fleet) lease() time.Duration { return f.setup.Timeout + 10*time.Second }

// users returns n identifiers.
func users(first, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(1_000_000 + first + i)
	}
	return list
}

// login has users authorize. The tokens are good for d as far as the fleet knows.
func (f *fleet) login(d time.Duration, subjects ...string) {
	f.Helper()
	each(8, subjects, func(subject string) {
		err := f.fake.AddUser(oauthtest.User{ID: subject, Username: "user" + subject})
		if err != nil {
			f.Error(err)
			return
		}
		access, refresh, err := f.fake.IssueToken(subject, "", scopes...)
		if err != nil {
			f.Error(err)
			return
		}
		tok := &oauth2.Token{AccessToken: access, RefreshToken: refresh, Expiry: time.Now().Add(d)}
		if f.setup.Floor != "" {
			err = (&floor{dir: f.setup.Floor}).save(tok)
		} else {
			_, err = f.engine.grants.Save(f.Context(), subject, tok)
		}
		if err != nil {
			f.Error(err)
		}
	})
	if f.Failed() {
		f.FailNow()
	}
}

// start starts n processes.
func (f *fleet) start(n int) []*worker {
	f.Helper()
	list := make([]*worker, n)
	for i := range list {
		list[i] = startWorker(f.T, f.setup)
	}
	return list
}

// tokenRequests returns the requests that carried a refresh token, by subject. A process that wakes too late may still send
// the head of a request: that one has no form.
func (f *fleet) tokenRequests() map[string][]oauthtest.Request {
	m := map[string][]oauthtest.Request{}
	for _, r := range f.fake.Requests(oauthtest.Match{Op: "token"}) {
		if r.GrantType == "refresh_token" {
			subject := r.Raw().Header.Get(subjectHeader)
			m[subject] = append(m[subject], r)
		}
	}
	return m
}

// ended returns why the grants of users ended at the server, by user.
func (f *fleet) ended() map[string]string {
	m := map[string]string{}
	for _, g := range f.fake.Grants() {
		if g.Ended != "" {
			m[g.UserID] = string(g.Ended)
		}
	}
	return m
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

// staggered calls do for all of list, beginning with another one every 20 ms: of those that begin at once, all leases end at
// once.
func staggered[T any](list []T, do func(T)) {
	var wg sync.WaitGroup
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for _, v := range list {
		wg.Go(func() { do(v) })
		<-ticker.C
	}
	wg.Wait()
}

// callAll has all processes call for subject at once.
func callAll(workers []*worker, subject string) []message {
	return together(workers, func(w *worker) message { return w.call(subject) })
}

// together does the same with all processes at once.
func together(workers []*worker, do func(*worker) message) []message {
	answers := make([]message, len(workers))
	var wg sync.WaitGroup
	for i, w := range workers {
		wg.Go(func() { answers[i] = do(w) })
	}
	wg.Wait()
	return answers
}

// final has w call for subject until the outcome is one that lasts: a store or a server that is too busy is no outcome.
func final(w *worker, subject string) message {
	m := w.call(subject)
	for limit := time.Now().Add(patience); m.Kind == temporary && time.Now().Before(limit); m = w.call(subject) {
		<-time.After(250 * time.Millisecond)
	}
	return m
}

// percentile returns the value below which p percent of list are.
func percentile(list []time.Duration, p int) time.Duration {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)*p/100, len(sorted)-1)].Round(10 * time.Microsecond)
}
