package tokensource_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

func TestGrantsRefusesWrongSubjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.process(nil)
		_, err := g.Token(t.Context())
		wantIs(t, err, tokensource.ErrNoSubject)
		_, err = g.Renew(t.Context(), &oauth2.Token{AccessToken: "t"})
		wantIs(t, err, tokensource.ErrNoSubject)
		for _, subject := range []string{"", "a\x00b", strings.Repeat("x", 513)} {
			_, tokenErr := g.Source(subject).Token(t.Context())
			_, renewErr := g.Source(subject).Renew(t.Context(), &oauth2.Token{AccessToken: "t"})
			_, saveErr := g.Save(t.Context(), subject, &oauth2.Token{AccessToken: "t"})
			_, grantErr := g.Grant(t.Context(), subject)
			for op, err := range map[string]error{
				"Token": tokenErr, "Renew": renewErr, "Save": saveErr, "Grant": grantErr, "Logout": g.Logout(t.Context(), subject),
			} {
				if err == nil {
					t.Errorf("%s of subject %.5q = nil, want an error", op, subject)
				}
			}
		}
		if _, err := g.Source("u").Renew(t.Context(), nil); err == nil {
			t.Error("Renew(nil) = nil, want an error")
		}
		if _, err := g.Save(t.Context(), "u", nil); err == nil {
			t.Error("Save(nil) = nil, want an error")
		}
	})
}

func TestGrantsOfAnUnknownSubject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.process(nil)
		_, err := g.Source("nobody").Token(t.Context())
		wantReason(t, err, tokensource.ReasonNoGrant)
		wantIs(t, err, tokensource.ErrNoGrant)
		_, err = g.Grant(t.Context(), "nobody")
		wantIs(t, err, tokensource.ErrNoGrant)
		if err := g.Logout(t.Context(), "nobody"); err != nil {
			t.Errorf("Logout() of nobody = %v, want nil", err)
		}
	})
}

func TestGrantFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.process(nil)
		w.login(g)
		first, err := g.Grant(t.Context(), w.user)
		if err != nil {
			t.Fatal(err)
		}
		if first.Subject != w.user || !first.Refreshable || first.Dead != "" || !first.Expiry.Equal(time.Now().Add(2*time.Hour)) {
			t.Errorf("Grant() = %+v", first)
		}
		if missing := first.Missing("users.read", "dm.read"); len(missing) != 1 || missing[0] != "dm.read" {
			t.Errorf("Missing() = %q, want dm.read", missing)
		}
		w.login(g)
		again, _ := g.Grant(t.Context(), w.user)
		if err := g.Logout(t.Context(), w.user); err != nil {
			t.Fatal(err)
		}
		w.login(g)
		after, _ := g.Grant(t.Context(), w.user)
		if again.Epoch != first.Epoch || after.Epoch == first.Epoch {
			t.Errorf("Epoch = %q, %q after another login, %q after a logout", first.Epoch, again.Epoch, after.Epoch)
		}
	})
}

func TestACrashedProcessIsNoticed(t *testing.T) {
	tests := []struct {
		name   string
		fault  oauthtest.Fault
		policy tokensource.InDoubtPolicy
		reason tokensource.Reason
	}{
		{"before the server redeemed", oauthtest.Fault{Hang: true}, tokensource.ResendOnce, ""},
		{"after the server redeemed", oauthtest.Fault{Hang: true, Commit: true}, tokensource.ResendOnce, tokensource.ReasonInDoubt},
		{"and nothing may be sent again", oauthtest.Fault{Hang: true}, tokensource.ResendNever, tokensource.ReasonInDoubt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.fake.Set(func(k *oauthtest.Knobs) { k.Token.AccessTTL = time.Minute })
				// The doomed process has a way to the store of its own, which is cut when it dies.
				own := &hookedStore{Store: w.store}
				doomed := w.processOn(own, &tokensource.GrantOptions{RefreshBefore: -1})
				survivor := w.process(&tokensource.GrantOptions{RefreshBefore: -1, InDoubt: tt.policy})
				w.login(doomed)
				time.Sleep(time.Minute)
				w.refreshFault(tt.fault, 1)
				go func() { _, _ = doomed.Source(w.user).Token(t.Context()) }()
				synctest.Wait()
				own.on(failing("get", "put"))
				start := time.Now()
				tok, err := survivor.Source(w.user).Token(t.Context())
				if waited := time.Since(start); waited > time.Minute {
					t.Errorf("the survivor waited %v", waited)
				}
				if tt.reason != "" {
					wantReason(t, err, tt.reason)
					return
				}
				if err != nil || !w.works(tok) {
					t.Errorf("Token() of the survivor = %v, want a token", err)
				}
				w.wantRefreshes(2)
			})
		})
	}
}

func TestClocksThatDisagree(t *testing.T) {
	tests := []struct {
		name   string
		behind time.Duration // of the holder's clock
		answer time.Duration // until the server answers the holder
	}{
		{"as much as is allowed for: the intent lives on", 35 * time.Second, 10 * time.Second},
		// The intent of a host whose clock is a quarter of an hour behind looks long ended. Watching it tells better.
		{"more than that", 15 * time.Minute, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				slow, other := w.process(nil), w.process(nil)
				rejected := w.login(slow)
				w.refreshFault(oauthtest.Fault{Delay: tt.answer}, 1)
				var wg sync.WaitGroup
				wg.Go(func() {
					if _, err := slow.Source(w.user).Renew(t.Context(), rejected); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
				tokensource.ShiftIntent(t, w.store.Store, w.client, w.user, -tt.behind)
				wg.Go(func() {
					if _, err := other.Source(w.user).Renew(t.Context(), rejected); err != nil {
						t.Error(err)
					}
				})
				wg.Wait()
				w.wantRefreshes(1)
			})
		})
	}
}

func TestReencryptionBesideARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.process(nil)
		rejected := w.login(g)
		w.refreshFault(oauthtest.Fault{Delay: time.Second}, 1)
		time.AfterFunc(time.Second/2, func() { rewriteAll(t, w.store.Store) })
		tok, err := g.Source(w.user).Renew(t.Context(), rejected)
		if err != nil || !w.works(tok) {
			t.Fatalf("Renew() beside a rewrite = %v, want a token", err)
		}
		if got := w.token(w.process(nil)); got.AccessToken != tok.AccessToken {
			t.Error("the new token was not stored over the rewritten record")
		}
	})
}

// rewriteAll gives every record a new version without changing it.
func rewriteAll(t *testing.T, s storage.Store) {
	for key, err := range s.(storage.Lister).Keys(context.Background()) {
		if err != nil {
			t.Error(err)
			return
		}
		r, err := s.Get(context.Background(), key)
		if err == nil {
			_, err = s.Put(context.Background(), key, r.Value, r.Version)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

func TestAStoreInTrouble(t *testing.T) {
	for name, fault := range map[string]func(context.Context, string) error{"fails": failing("get", "put", "delete"), "hangs": hanging} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				g := w.process(nil)
				tok := w.login(g)
				w.store.on(fault)
				// Who holds a valid token goes on, also when the store should be asked again.
				for range 10 {
					time.Sleep(20 * time.Second)
					if got := w.token(g); got.AccessToken != tok.AccessToken {
						t.Error("another token")
					}
				}
				if _, err := g.Grant(t.Context(), w.user); err != nil {
					t.Errorf("Grant() = %v, want what was last known", err)
				}
				_, err := g.Source("stranger").Token(t.Context())
				wantIs(t, err, tokensource.ErrTemporary)
				_, err = g.Source(w.user).Renew(t.Context(), tok)
				wantIs(t, err, tokensource.ErrTemporary)
				_, err = g.Save(t.Context(), w.user, tok)
				wantIs(t, err, tokensource.ErrTemporary)
				wantIs(t, g.Logout(t.Context(), w.user), tokensource.ErrTemporary)
				w.wantRefreshes(0)
				w.store.on(nil)
				if _, err := g.Source(w.user).Renew(t.Context(), tok); err != nil {
					t.Errorf("Renew() after the trouble = %v", err)
				}
			})
		})
	}
}

func TestGarbageInTheStoreIsRefusedAndLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.process(nil)
		w.login(g)
		good := onlyRecord(t, w.store.Store)
		later := append([]byte{2}, good.Value[1:]...)
		for name, value := range map[string][]byte{
			"empty": {}, "a later format": later, "cut": good.Value[:len(good.Value)/2], "longer": append(good.Value, 1), "noise": []byte("noise"),
		} {
			r := onlyRecord(t, w.store.Store)
			if _, err := w.store.Put(t.Context(), r.key, value, r.Version); err != nil {
				t.Fatal(err)
			}
			fresh := w.process(nil)
			_, err := fresh.Source(w.user).Token(t.Context())
			if err == nil || errors.Is(err, tokensource.ErrReauthorize) || errors.Is(err, tokensource.ErrTemporary) {
				t.Errorf("%s: Token() = %v, want an error that is neither temporary nor a reason to log in", name, err)
			}
			if now := onlyRecord(t, w.store.Store); string(now.Value) != string(value) {
				t.Errorf("%s: the record was overwritten", name)
			}
		}
	})
}

type keyed struct {
	storage.Record
	key string
}

func onlyRecord(t *testing.T, s storage.Store) keyed {
	t.Helper()
	var only keyed
	for key, err := range s.(storage.Lister).Keys(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		only = keyed{r, key}
	}
	return only
}

func TestARecordUnderAnothersKeyIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.process(nil)
		w.login(g)
		mine := onlyRecord(t, w.store.Store)
		store := storage.NewMemory()
		key := tokensource.KeyOf(w.client, "victim")
		if _, err := store.Put(t.Context(), key, mine.Value, 0); err != nil {
			t.Fatal(err)
		}
		if tok, err := w.processOn(store, nil).Source("victim").Token(t.Context()); err == nil {
			t.Errorf("Token() of a swapped record = %v, want an error", tok.AccessToken != "")
		}
	})
}

func TestLogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fake.Set(func(k *oauthtest.Knobs) { k.Revoke.RefreshOnlyItself = true })
		g := w.process(nil)
		w.login(g)
		// The server is down: the grant is out of use at once, and the revocation can be tried again.
		w.fake.Inject(oauthtest.Match{Path: oauthtest.PathRevoke}, oauthtest.Fault{Status: 503}, 2)
		wantIs(t, g.Logout(t.Context(), w.user), tokensource.ErrTemporary)
		_, err := g.Source(w.user).Token(t.Context())
		wantIs(t, err, tokensource.ErrNoGrant)
		_, err = w.process(nil).Grant(t.Context(), w.user)
		wantIs(t, err, tokensource.ErrNoGrant)
		if err := g.Logout(t.Context(), w.user); err != nil {
			t.Errorf("Logout() the second time = %v", err)
		}
		if n := storedKeys(t, w.store.Store); n != 0 {
			t.Errorf("%d records are left", n)
		}
		for _, grant := range w.fake.State().Grants {
			if grant.LiveAccess+grant.LiveRefresh > 0 {
				t.Errorf("tokens are alive after the logout: %+v", grant)
			}
		}
		var order []string
		for _, r := range w.fake.Requests() {
			if r.Path == oauthtest.PathRevoke && r.Status == 200 {
				order = append(order, r.RawForm().Get("token_type_hint"))
			}
		}
		if strings.Join(order, " ") != "refresh_token access_token" {
			t.Errorf("revoked in order %q, want the refresh token first", order)
		}
	})
}

func TestLogoutWithoutARevocationEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.fake.Provider("")
		p.RevocationURL = ""
		app := oauthtest.ConfidentialApp()
		client, err := tokensource.NewClient(p, tokensource.Registration{
			ClientID: app.ClientID, ClientSecret: app.Secret, RedirectURL: app.RedirectURLs[0], Scopes: scopes,
		}, &w.options)
		if err != nil {
			t.Fatal(err)
		}
		w.client = client
		g := w.process(nil)
		w.login(g)
		if err := g.Logout(t.Context(), w.user); err != nil {
			t.Errorf("Logout() = %v, want nil", err)
		}
		if n := storedKeys(t, w.store.Store); n != 0 {
			t.Errorf("%d records are left", n)
		}
	})
}

func TestAGrantWithoutARefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.process(nil)
		access, _, err := w.fake.IssueToken(w.user, w.client.ClientID(), "users.read", "tweet.read")
		if err != nil {
			t.Fatal(err)
		}
		tok := &oauth2.Token{AccessToken: access, Expiry: time.Now().Add(2 * time.Hour)}
		if _, err := g.Save(t.Context(), w.user, tok); err != nil {
			t.Fatal(err)
		}
		// A 401 may be a blip: the grant is not given up while its token may be good.
		_, err = g.Source(w.user).Renew(t.Context(), tok)
		wantReason(t, err, tokensource.ReasonNoRefreshToken)
		if !strings.Contains(err.Error(), "offline.access") {
			t.Errorf("error = %v, want one that names the scope", err)
		}
		if !w.works(w.token(g)) {
			t.Error("the token is no longer handed out")
		}
		time.Sleep(2 * time.Hour)
		_, err = g.Source(w.user).Token(t.Context())
		wantReason(t, err, tokensource.ReasonNoRefreshToken)
		if facts, err := g.Grant(t.Context(), w.user); err != nil || facts.Dead != tokensource.ReasonNoRefreshToken {
			t.Errorf("Grant() = %+v, %v", facts, err)
		}
		w.wantRefreshes(0)
	})
}

func TestServersThatDoNotRotate(t *testing.T) {
	for name, rotation := range map[string]oauthtest.Rotation{"the same token": oauthtest.RepeatSame, "no token": oauthtest.KeepSilent} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.fake.Set(func(k *oauthtest.Knobs) { k.Token.Rotation = rotation })
				g := w.process(nil)
				w.login(g)
				for range 3 {
					time.Sleep(2 * time.Hour)
					if !w.works(w.token(g)) {
						t.Error("a refresh failed")
					}
				}
				w.wantRefreshes(3)
			})
		})
	}
}

func TestATokenThatHasExpiredIsSavedAndRenewed(t *testing.T) { // as a program does that brings its old tokens along
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.process(nil)
		access, refresh, err := w.fake.IssueToken(w.user, w.client.ClientID(), scopes...)
		if err != nil {
			t.Fatal(err)
		}
		old := &oauth2.Token{AccessToken: access, RefreshToken: refresh, Expiry: time.Now().Add(-time.Hour)}
		if _, err := g.Save(t.Context(), w.user, old); err != nil {
			t.Fatal(err)
		}
		if tok := w.token(g); tok.AccessToken == access || !w.works(tok) {
			t.Error("Token() did not renew what had expired before it was saved")
		}
		w.wantRefreshes(1)
	})
}

func TestATokenThatLivesShorterThanTheMargin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fake.Set(func(k *oauthtest.Knobs) { k.Token.AccessTTL = 2 * time.Second })
		g := w.process(nil)
		w.login(g)
		for range 100 {
			w.token(g)
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if n := w.refreshes(); n < 4 || n > 6 {
			t.Errorf("ten seconds of two-second tokens took %d refreshes, want about 5", n)
		}
	})
}

// A program may bring tokens along from another library, expired ones too: their first use is a refresh.
func TestATokenThatHadExpiredWhenItWasSaved(t *testing.T) {
	for _, ago := range []time.Duration{0, time.Nanosecond, time.Millisecond, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			g := w.process(nil)
			_, refresh, err := w.fake.IssueToken(w.user, w.client.ClientID(), scopes...)
			if err != nil {
				t.Fatal(err)
			}
			tok := &oauth2.Token{AccessToken: "of-yesterday", RefreshToken: refresh, Expiry: time.Now().Add(-ago)}
			if _, err := g.Save(t.Context(), w.user, tok); err != nil {
				t.Fatalf("Save() of a token that expired %v ago = %v, want no error", ago, err)
			}
			if !w.works(w.token(g)) {
				t.Error("the token does not work")
			}
			w.wantRefreshes(1)
		})
	}
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.process(nil)
		tok := w.login(g)
		w.refreshFault(oauthtest.Fault{Delay: time.Second}, 1)
		done := make(chan error, 1)
		go func() {
			_, err := g.Source(w.user).Renew(t.Context(), tok)
			done <- err
		}()
		synctest.Wait()
		start := time.Now()
		for range 2 {
			if err := g.Close(); err != nil {
				t.Errorf("Close() = %v", err)
			}
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("Close() took %v, want it to wait for the refresh under way", waited)
		}
		if err := <-done; err != nil {
			t.Errorf("the refresh under way ended with %v", err)
		}
		_, err := g.Source("another").Token(t.Context())
		wantIs(t, err, tokensource.ErrClosed)
		_, err = g.Save(t.Context(), w.user, tok)
		wantIs(t, err, tokensource.ErrClosed)
		wantIs(t, g.Logout(t.Context(), w.user), tokensource.ErrClosed)
	})
}

func TestTheGrantedScopesAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fake.Set(func(k *oauthtest.Knobs) { k.Token.GrantedScopes = []string{"users.read", "offline.access"} })
		g := w.process(nil)
		code, verifier := w.flow()
		tok, err := w.client.Exchange(t.Context(), code, verifier)
		if err != nil {
			t.Fatal(err)
		}
		facts, err := g.Save(t.Context(), w.user, tok)
		if err != nil {
			t.Fatal(err)
		}
		if missing := facts.Missing(scopes...); len(missing) != 1 || missing[0] != "tweet.read" {
			t.Errorf("Missing() = %q, want tweet.read", missing)
		}
	})
}

func TestAClientThatIsRefusedIsNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fake.Set(func(k *oauthtest.Knobs) { k.Token.AccessTTL = time.Minute })
		g := w.process(nil)
		const users = 100
		for i := range users {
			user := strconv.Itoa(1000 + i)
			if err := w.fake.AddUser(oauthtest.User{ID: user, Username: "u" + user}); err != nil {
				t.Fatal(err)
			}
			w.loginAs(g, user)
		}
		if _, err := w.fake.RotateSecret(w.client.ClientID()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		for i := range users {
			_, err := g.Source(strconv.Itoa(1000 + i)).Token(t.Context())
			wantIs(t, err, tokensource.ErrClient)
			if err != nil && !strings.Contains(err.Error(), "ClientSecret") {
				t.Errorf("error = %v, want one that says what to check", err)
			}
		}
		if n := w.refreshes(); n > 10 {
			t.Errorf("a wrong secret met the server %d times for %d users", n, users)
		}
	})
}

func TestTwoProcessesAfterALostIntent(t *testing.T) {
	// One process is stopped with the answer in its hands for longer than its lease; the other one has taken over. What
	// the first one brings is dropped, and nothing that is stored is overwritten.
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fake.Set(func(k *oauthtest.Knobs) { k.Token.GraceWindow, k.Token.GraceFresh = time.Hour, true })
		own := &hookedStore{Store: w.store}
		stopped, other := w.processOn(own, nil), w.process(nil)
		rejected := w.login(stopped)
		puts := 0
		own.on(func(_ context.Context, op string) error {
			if op == "put" {
				if puts++; puts == 2 {
					time.Sleep(2 * time.Minute)
				}
			}
			return nil
		})
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = stopped.Source(w.user).Renew(t.Context(), rejected) })
		synctest.Wait()
		winner, err := other.Source(w.user).Renew(t.Context(), rejected)
		if err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		time.Sleep(time.Minute)
		if w.saw(tokensource.EventSuperseded) != 1 {
			t.Error("the hook has not heard of the dropped tokens")
		}
		for _, g := range []*tokensource.Grants{stopped, other, w.process(nil)} {
			if got := w.token(g); got.AccessToken != winner.AccessToken {
				t.Error("the stored token was overwritten by who had been stopped")
			}
		}
	})
}

// The stopped process wakes while the other one, which has taken over, is still waiting for its answer: what is stored is the
// rejected token, and that is no answer to who asked for another one.
func TestWhoWakesDuringATakeoverGetsNoRejectedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fake.Set(func(k *oauthtest.Knobs) { k.Token.GraceWindow, k.Latency = time.Hour, 10*time.Second })
		own := &hookedStore{Store: w.store}
		stopped, other := w.processOn(own, nil), w.process(nil)
		rejected := w.login(stopped)
		puts, wake := 0, make(chan struct{})
		own.on(func(_ context.Context, op string) error {
			if op == "put" {
				if puts++; puts == 2 {
					<-wake
				}
			}
			return nil
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			tok, err := stopped.Source(w.user).Renew(t.Context(), rejected)
			if tok != nil || !errors.Is(err, tokensource.ErrTemporary) {
				t.Errorf("Renew() = %v, %v, want no token and %v", tok != nil, err, tokensource.ErrTemporary)
			}
		})
		time.Sleep(15 * time.Second)
		wg.Go(func() {
			if _, err := other.Source(w.user).Renew(t.Context(), rejected); err != nil {
				t.Error(err)
			}
		})
		for w.refreshes() < 2 {
			time.Sleep(time.Second)
		}
		close(wake)
		wg.Wait()
		if !w.works(w.token(stopped)) {
			t.Error("the woken process has not taken over the token that is stored")
		}
	})
}

func TestARetiredKeyIsNoReasonToLogIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		sealed := func() storage.Store {
			keys, err := storage.NewKeys(storage.NewKey())
			if err != nil {
				t.Fatal(err)
			}
			s, err := storage.Sealed(w.store.Store, keys)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		w.login(w.processOn(sealed(), nil))
		_, err := w.processOn(sealed(), nil).Source(w.user).Token(t.Context())
		wantIs(t, err, storage.ErrUnknownKey)
		if errors.Is(err, tokensource.ErrReauthorize) || errors.Is(err, tokensource.ErrTemporary) {
			t.Errorf("Token() = %v, want neither a reason to log in nor one to try again", err)
		}
	})
}
