package upkeep_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/upkeep"
)

// beside returns another server, with an app whose grants are in the same
// store.
func (w *world) beside(name string, idle time.Duration, users ...oauthtest.User) *world {
	w.Helper()
	p := plain(idle)
	p.Name, p.AuthorizationURL, p.TokenURL = name, "https://"+name+".example/authorize", "https://"+name+".example/token"
	s := oauthtest.New(w.T, &oauthtest.Options{Provider: p, Users: users, RecordLimit: -1})
	return &world{T: w.T, Server: s, client: clientOf(w.T, s, p), store: w.store}
}

// Three servers hang. They have more grants than the worker refreshes between
// two looks, and all of these end before those of the server that works.
func TestServersThatHangHoldUpNoOther(t *testing.T) {
	for _, hanging := range []int{1, 4} {
		t.Run(fmt.Sprint(hanging, " servers hang"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, plain(10*day), people(31)...)
				keepers := []*grant.Keeper{w.keeper()}
				for i := range hanging {
					hangs := w.beside(fmt.Sprint("hangs-", i), 9*day, people(120)...)
					k := hangs.keeper()
					for _, u := range people(120) {
						hangs.login(k, u.ID)
					}
					hangs.Inject(oauthtest.Match{}, oauthtest.Fault{Hang: true}, -1)
					keepers = append(keepers, k)
				}
				for _, u := range people(30) {
					w.login(keepers[0], u.ID)
				}
				w.login(keepers[0], people(31)[30].ID, "authorization_expires_at=136h") // the warning is due after 122 hours
				time.Sleep(5 * day)                                                     // half of the idle life of all of them has passed
				ready, err := upkeep.Ready(nil, keepers...)
				if err != nil {
					t.Fatal(err)
				}
				w.start(&upkeep.Options{PerMinute: 6}, keepers...)
				time.Sleep(15 * time.Minute)
				if n := w.TokenCalls("refresh_token"); n < 31 {
					t.Errorf("in 15 minutes there were %d refreshes at the server that works, want those of its 31 grants", n)
				}
				time.Sleep(6 * time.Hour)
				if n := len(w.saw(upkeep.EventEnding)); n != 1 {
					t.Errorf("there were %d warnings, want the one of the server that works", n)
				}
				begun, rec := time.Now(), httptest.NewRecorder()
				ready.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ready", nil))
				if took := time.Since(begun); rec.Code != http.StatusOK || took > 0 { // by the clock of the bubble
					t.Errorf("Ready() = %d after %v, want 200 at once", rec.Code, took)
				}
			})
		})
	}
}

// The server that hangs has more grants than are refreshed in half a minute.
// Only a tenth of those of a minute are in flight to it.
func TestAServerThatHangsTakesATenth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plain(10*day), people(20)...)
		k := w.keeper()
		hangs := w.beside("hangs", 9*day, people(300)...)
		other := hangs.keeper()
		for _, u := range people(300) {
			hangs.login(other, u.ID)
		}
		hangs.Inject(oauthtest.Match{}, oauthtest.Fault{Hang: true}, -1)
		for _, u := range people(20) {
			w.login(k, u.ID)
		}
		time.Sleep(5 * day)
		w.start(&upkeep.Options{PerMinute: 600}, k, other)
		time.Sleep(9 * time.Second)
		if n := hangs.TokenCalls("refresh_token"); n != 60 {
			t.Errorf("in 9 seconds there were %d refreshes at the server that hangs, want a tenth of 600", n)
		}
		if n := w.TokenCalls("refresh_token"); n != 20 {
			t.Errorf("in 9 seconds there were %d refreshes at the server that works, want those of its 20 grants", n)
		}
	})
}

// The server of grants that nobody uses fails for some hours. No other use of
// the Keeper shows that it works again.
func TestAServerThatWorksAgain(t *testing.T) {
	for name, fault := range map[string]oauthtest.Fault{
		"after 503":        {Status: 503},
		"after it hung":    {Hang: true},
		"after a wrong ID": {Status: 401, Body: `{"error":"invalid_client"}`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, plain(10*day), people(30)...)
				k := w.keeper()
				for _, u := range people(30) {
					w.login(k, u.ID)
				}
				time.Sleep(5 * day)
				w.Inject(oauthtest.Match{}, fault, -1)
				w.start(nil, k)
				time.Sleep(3 * time.Hour)
				attempts := w.TokenCalls("refresh_token")
				if attempts > 60 {
					t.Errorf("in three hours of failures there were %d refreshes, want about one for each pause", attempts)
				}
				w.ClearFaults()
				time.Sleep(2 * day)
				for subject, state := range w.list(k) {
					if state != upkeep.Alive {
						t.Errorf("two days later the grant of %s is %s, want alive", subject, state)
					}
				}
				if n := w.TokenCalls("refresh_token") - attempts; n < 30 {
					t.Errorf("in two days there were %d refreshes, want those of 30 grants", n)
				}
			})
		})
	}
}
