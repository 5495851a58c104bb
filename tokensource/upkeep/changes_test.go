package upkeep_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/upkeep"
)

func TestChangesOfAGrantThatFails(t *testing.T) {
	faults := map[string]oauthtest.Fault{
		"503":                       {Status: 503},
		"answers that are lost":     {Drop: true},
		"refused connections":       {Unsent: true},
		"a refused client":          {Status: 401, Body: `{"error":"invalid_client"}`, ContentType: "application/json"},
		"refusals in odd words":     {Status: 400, Body: `{"error":"odd"}`, ContentType: "application/json"},
		"a server that is too busy": {Status: 429},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, plain(0))
				a, b := w.keeper(), w.keeper()
				user := oauthtest.DefaultUser().ID
				w.login(a, user)
				time.Sleep(2 * time.Hour)
				times := 2
				if fault.Drop {
					times = 1 // the second one would end the grant
				}
				w.Inject(oauthtest.Match{Op: "token"}, fault, times)
				for range 10 {
					_, _ = a.Source(user).Token(t.Context())
					time.Sleep(3 * time.Minute)
				}
				if _, err := b.Source(user).Token(t.Context()); err != nil {
					t.Fatalf("after %s Token() = %v, want a token", name, err)
				}
				failed, failing, recovered := w.saw(grant.EventRefreshFailed), w.saw(upkeep.EventFailing), w.saw(upkeep.EventRecovered)
				if len(failed) != times || len(failing) != 1 || len(recovered) != 1 {
					t.Fatalf("%s: there were %d failures, %d reports of failing and %d of recovery, want %d, 1 and 1", name, len(failed), len(failing), len(recovered), times)
				}
				if failing[0].Err == nil || failing[0].Failures != 1 || recovered[0].Failures != uint64(times) || recovered[0].Err != nil || recovered[0].Subject != user {
					t.Errorf("%s: the reports are %+v and %+v", name, failing[0], recovered[0])
				}
			})
		})
	}
}

// One process fails and another one succeeds: each of the two events comes
// once.
func TestChangesAcrossProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plain(0))
		a, b := w.keeper(), w.keeper()
		user := oauthtest.DefaultUser().ID
		w.login(a, user)
		time.Sleep(2 * time.Hour)
		w.Inject(oauthtest.Match{Op: "token"}, oauthtest.Fault{Status: 503}, 3)
		for _, k := range []*grant.Keeper{a, b, a, b} {
			_, _ = k.Source(user).Token(t.Context())
			time.Sleep(2 * time.Minute)
		}
		if f, r := len(w.saw(upkeep.EventFailing)), len(w.saw(upkeep.EventRecovered)); f != 1 || r != 1 {
			t.Errorf("three failures of two processes and a success gave %d reports of failing and %d of recovery, want 1 and 1", f, r)
		}
	})
}

func TestChangesOfAGrantThatWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plain(0))
		k := w.keeper()
		user := oauthtest.DefaultUser().ID
		w.login(k, user)
		for range 5 {
			time.Sleep(2 * time.Hour)
			if _, err := k.Source(user).Token(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(w.saw(upkeep.EventFailing)) + len(w.saw(upkeep.EventRecovered)); n != 0 || len(w.saw(grant.EventRefreshed)) != 5 {
			t.Errorf("five refreshes gave %d reports, want none", n)
		}
	})
}
