package nativeapp_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// view is what one process sees of a store. The hook is called before each
// write.
type view struct {
	storage.Store
	before func(key string) error
	reads  func(key string) error // called before each read, if it is set
}

func (v *view) Get(ctx context.Context, key string) (storage.Record, error) {
	if v.reads != nil {
		if err := v.reads(key); err != nil {
			return storage.Record{}, err
		}
	}
	return v.Store.Get(ctx, key)
}

func (v *view) Put(ctx context.Context, key string, value []byte, old storage.Version) (storage.Version, error) {
	if err := v.before(key); err != nil {
		return 0, err
	}
	return v.Store.Put(ctx, key, value, old)
}

// event is something that happens once.
type event struct {
	once sync.Once
	done chan struct{}
}

func newEvent() *event { return &event{done: make(chan struct{})} }

func (e *event) happens() { e.once.Do(func() { close(e.done) }) }

func (e *event) wait() { <-e.done }

// run is a process in which the user logs in.
type run struct {
	app      *nativeapp.App
	view     *view
	known    *event // what the login waits for before it adds the account
	listed   *event // the login has added the account, and is about to write the grant
	writes   *event // what it waits for then
	finished *event
	fails    bool           // the write of the grant
	changes  map[int]func() // what happens before a write of the accounts, counted from 1
	lists    int
	written  bool // a grant was about to be written
	err      error
}

// process makes a process over the shared store.
func (w *world) process(shared storage.Store) *run {
	w.Helper()
	p := &run{known: newEvent(), listed: newEvent(), writes: newEvent(), finished: newEvent()}
	p.view = &view{Store: shared, before: p.before}
	keeper, err := grant.New(w.client(), p.view, &grant.Options{DueInterval: -1, InsecurePlainStore: true})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = keeper.Close() })
	p.app, err = nativeapp.New(keeper, &nativeapp.Options{Identify: func(context.Context, *oauth2.Token) (provider.Identity, error) {
		p.known.wait()
		return provider.Identity{Subject: user}, nil
	}})
	if err != nil {
		w.Fatal(err)
	}
	return p
}

func (p *run) before(key string) error {
	switch {
	case strings.HasPrefix(key, "nativeapp.accounts."):
		p.lists++
		if meanwhile := p.changes[p.lists]; meanwhile != nil {
			meanwhile()
		}
	case strings.HasPrefix(key, "grant."):
		p.listed.happens()
		p.writes.wait()
		p.written = true
		if p.fails {
			return storage.ErrTooLarge
		}
	}
	return nil
}

// begin logs the user in.
func (p *run) begin(ctx context.Context) {
	go func() {
		defer p.finished.happens()
		_, p.err = p.app.Device(ctx, silent, nil)
		p.listed.happens()
	}()
}

// finish lets the login go on, and waits for its end.
func (p *run) finish() {
	p.writes.happens()
	p.finished.wait()
}

// Two processes log one user in at once. Both have listed the account when the
// login of one or of both fails for good. An account is left if, and only if,
// there is a grant.
func TestTwoLoginsOfOneUserAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		fails [2]bool
		order func(first, second *run)
	}{
		"the first fails, and then the second goes on": {[2]bool{true, false}, func(first, second *run) {
			first.writes.happens()
			first.finished.wait()
			second.writes.happens()
		}},
		"the first fails, and the second finishes before the second change of the first": {[2]bool{true, false}, func(first, second *run) {
			first.changes = map[int]func(){2: second.finish}
			first.writes.happens()
		}},
		"the first fails, and the second finishes before the third change of the first": {[2]bool{true, false}, func(first, second *run) {
			first.changes = map[int]func(){3: second.finish}
			first.writes.happens()
		}},
		"the second finishes, and then the first fails": {[2]bool{true, false}, func(first, second *run) {
			second.finish()
			first.writes.happens()
		}},
		"the second fails, and then the first goes on": {[2]bool{false, true}, func(first, second *run) {
			second.finish()
			first.writes.happens()
		}},
		"the first fails, and then the second too": {[2]bool{true, true}, func(first, second *run) {
			first.writes.happens()
			first.finished.wait()
			second.writes.happens()
		}},
		"the second fails, and then the first too": {[2]bool{true, true}, func(first, second *run) {
			second.finish()
			first.writes.happens()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.registered()
				shared := storage.NewMemory()
				first, second := w.process(shared), w.process(shared)
				first.fails, second.fails = tt.fails[0], tt.fails[1]
				first.begin(t.Context())
				first.known.happens()
				first.listed.wait()
				second.begin(t.Context())
				second.known.happens()
				second.listed.wait()
				tt.order(first, second)
				first.finished.wait()
				second.finish()
				for i, p := range []*run{first, second} {
					if failed := p.err != nil; failed != tt.fails[i] {
						t.Errorf("login %d = %v, want a failure: %t", i, p.err, tt.fails[i])
					}
				}
				later := w.process(shared).app
				if tt.fails[0] && tt.fails[1] {
					wantAccounts(w, "afterwards", later, "", "")
					return
				}
				wantAccounts(w, "afterwards", later, user, user, user)
			})
		})
	}
}

// A user has logged out, and the server has not confirmed it. The next login of
// the user fails. The user is logged out as before, and the logout is repeated.
func TestALoginThatFailsAfterALogoutThatWasNotConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.registered()
		shared := storage.NewMemory()
		first, second := w.process(shared), w.process(shared)
		first.known.happens()
		first.begin(t.Context())
		first.finish()
		w.fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: 503}, -1)
		if err := first.app.Logout(t.Context()); err == nil {
			t.Fatal("Logout() while the server fails = nil, want an error")
		}
		w.fake.ClearFaults()
		second.fails = true
		second.known.happens()
		second.begin(t.Context())
		second.finish()
		if second.err == nil {
			t.Error("Device() with a store that takes no grant = nil, want an error")
		}
		later := w.process(shared)
		wantAccounts(w, "after the login that failed", later.app, "", "")
		later.writes.happens()
		if err := later.app.Logout(t.Context()); err != nil {
			t.Errorf("Logout() again = %v, want none", err)
		}
		for _, g := range w.fake.Grants() {
			if g.Ended == "" || g.LiveRefresh > 0 {
				t.Error("the server honours a grant of a user who has logged out")
			}
		}
	})
}

// The store fails for a day after it has taken the grant. The tokens are those
// of the grant, so they are not revoked.
func TestALoginWhoseListCannotBeReadAfterItsGrantWasStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.registered()
		shared := storage.NewMemory()
		p := w.process(shared)
		p.view.reads = func(key string) error {
			if strings.HasPrefix(key, "nativeapp.accounts.") && p.written {
				return errors.New("the disk is away")
			}
			return nil
		}
		p.known.happens()
		p.begin(t.Context())
		p.finish()
		if p.err != nil {
			t.Errorf("Device() = %v, want a login", p.err)
		}
		for _, g := range w.fake.Grants() {
			if g.Ended != "" || g.LiveRefresh == 0 {
				t.Errorf("the grant at the server has ended: %q", g.Ended)
			}
		}
		wantAccounts(w, "in the next run", w.process(shared).app, user, user, user)
	})
}

// A login has failed, and has marked the account that it is about to remove,
// when another login of the user begins. The first process goes on later, or
// dies. An account is left if, and only if, there is a grant.
func TestALoginAfterAnotherOneHasMarkedItsAccount(t *testing.T) {
	for name, tt := range map[string]struct{ dies, fails bool }{
		"the first goes on, and the second fails":    {false, true},
		"the first goes on, and the second succeeds": {false, false},
		"the first dies, and the second fails":       {true, true},
		"the first dies, and the second succeeds":    {true, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.registered()
				shared := storage.NewMemory()
				first, second := w.process(shared), w.process(shared)
				first.fails, second.fails = true, tt.fails
				another := func() {
					second.begin(t.Context())
					second.known.happens()
					second.finish()
				}
				first.view.before = func(key string) error {
					err := first.before(key)
					if tt.dies && first.lists == 3 {
						return errors.New("this process is dead")
					}
					return err
				}
				if !tt.dies {
					first.changes = map[int]func(){3: another}
				}
				first.begin(t.Context())
				first.known.happens()
				first.finish()
				if tt.dies {
					another()
				}
				if failed := second.err != nil; failed != tt.fails {
					t.Errorf("the second login = %v, want a failure: %t", second.err, tt.fails)
				}
				later := w.process(shared).app
				if tt.fails {
					wantAccounts(w, "afterwards", later, "", "")
					return
				}
				wantAccounts(w, "afterwards", later, user, user, user)
			})
		})
	}
}
