package grant_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/storage/storagetest"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
)

// slowAndDown returns a process for which reads of the store are slow, or the
// store is down.
func (w world) slowAndDown(slow, down *atomic.Bool) *grant.Keeper {
	net := storagetest.NewNetwork(w.Store.Store, &storagetest.NetworkOptions{Fault: func(op storagetest.Op) storagetest.Fault {
		switch {
		case down.Load():
			return storagetest.Fault{Err: errors.New("the store has trouble")}
		case slow.Load() && op.Kind == storagetest.Get:
			return storagetest.Fault{AnswerDelay: 2 * time.Second}
		}
		return storagetest.Fault{}
	}})
	return w.ProcessOn(net.Process("here"), nil)
}

// A slow read returns the token that an API has rejected meanwhile. The token
// that the renewal has found in the store stays in memory nevertheless. With
// the older one there, an outage of the store would leave the process without a
// token that works.
func TestASlowReadDoesNotBringBackARejectedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var slow, down atomic.Bool
		here, elsewhere := w.slowAndDown(&slow, &down), w.Process(nil)
		first := w.Login(here)
		time.Sleep(31 * time.Second) // the store is read again
		slow.Store(true)
		if got := w.Token(here); got.AccessToken != first.AccessToken {
			t.Fatal("a slow store stops a caller whose token is valid")
		}
		second := w.renew(elsewhere, first)
		if got := w.renew(here, first); got.AccessToken != second.AccessToken {
			t.Fatal("Renew() does not return what another process has stored")
		}
		down.Store(true)
		if got := w.Token(here); got.AccessToken != second.AccessToken {
			t.Error("Token() returns the rejected token after Renew has returned another one")
		}
	})
}

// Two slow reads overlap, and the one that returns the older token ends first.
// Neither token is the rejected one, and the versions of the store do not show
// which of the two is newer. The records do.
func TestOfTwoSlowReadsTheNewerTokenStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var slow, down atomic.Bool
		here, elsewhere := w.slowAndDown(&slow, &down), w.Process(nil)
		first := w.Login(here)
		second := w.renew(elsewhere, first)
		time.Sleep(31 * time.Second) // the store is read again
		slow.Store(true)
		w.Token(here) // begins a read of the second token
		third := w.renew(elsewhere, second)
		if got := w.renew(here, first); got.AccessToken != third.AccessToken {
			t.Fatal("Renew() does not return what another process has stored")
		}
		down.Store(true)
		if got := w.Token(here); got.AccessToken != third.AccessToken {
			t.Error("Token() returns an older token than Renew has returned")
		}
	})
}

// The background writer withdraws an intent, and the answer of the store to
// that write is slow. Meanwhile the process renews the token. The write of the
// background writer left the old token as it was, and must not bring it back.
func TestASlowWriteDoesNotBringBackARejectedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		key := w.keyOf(w.User)
		var puts atomic.Int64
		var down atomic.Bool
		net := storagetest.NewNetwork(w.Store.Store, &storagetest.NetworkOptions{Fault: func(op storagetest.Op) storagetest.Fault {
			if op.Key != key || op.Process != "here" {
				return storagetest.Fault{}
			}
			if op.Kind == storagetest.Put {
				puts.Add(1)
			}
			switch {
			case down.Load():
				return storagetest.Fault{Err: errors.New("the store has trouble")}
			case op.Kind == storagetest.Put && puts.Load() == 2: // the intent
				return storagetest.Fault{Err: errors.New("the store has trouble"), Applied: true}
			case op.Kind == storagetest.Put && puts.Load() == 3: // its withdrawal
				return storagetest.Fault{AnswerDelay: 2 * time.Second}
			}
			return storagetest.Fault{}
		}})
		here := w.ProcessOn(net.Process("here"), nil)
		first := w.Login(here)
		if _, err := here.Source(w.User).Renew(t.Context(), first); err == nil {
			t.Fatal("Renew() = nil, want that the store has failed")
		}
		time.Sleep(time.Second) // the intent is withdrawn, and nobody knows it yet
		second := w.renew(here, first)
		time.Sleep(3 * time.Second)
		down.Store(true)
		if got := w.Token(here); got.AccessToken != second.AccessToken {
			t.Error("Token() returns the rejected token after Renew has returned another one")
		}
	})
}

// The background writer revokes the tokens of an earlier login. Meanwhile the
// process renews the token. Then the write of the background writer meets a
// conflict, and the read after it fails. What the background writer knew before
// must not bring the old token back.
func TestAFailedReadDoesNotBringBackARejectedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manyGrants()
		var down atomic.Bool
		net := storagetest.NewNetwork(w.Store.Store, &storagetest.NetworkOptions{Fault: func(op storagetest.Op) storagetest.Fault {
			if down.Load() && op.Kind == storagetest.Get {
				return storagetest.Fault{Err: errors.New("the store has trouble")}
			}
			return storagetest.Fault{}
		}})
		here := w.ProcessOn(net.Process("here"), nil)
		w.save(here, w.issue())
		w.Fake.Inject(oauthtest.Match{Path: xapi.PathRevoke}, oauthtest.Fault{Delay: time.Second, Commit: true}, 2)
		second := w.issue()
		w.save(here, second)
		synctest.Wait() // the background writer waits for the server
		third := w.renew(here, second)
		down.Store(true)
		time.Sleep(5 * time.Second)
		if got := w.Token(here); got.AccessToken != third.AccessToken {
			t.Error("Token() returns the rejected token after Renew has returned another one")
		}
	})
}
