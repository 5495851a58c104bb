package grant_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/storage/storagetest"
)

// A slow read returns the token that an API has rejected meanwhile. The token
// that the renewal has found in the store stays in memory nevertheless. With
// the older one there, an outage of the store would leave the process without a
// token that works.
func TestASlowReadDoesNotBringBackARejectedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var slow, down atomic.Bool
		net := storagetest.NewNetwork(w.Store.Store, &storagetest.NetworkOptions{Fault: func(op storagetest.Op) storagetest.Fault {
			switch {
			case op.Process != "here":
			case down.Load():
				return storagetest.Fault{Err: errors.New("the store has trouble")}
			case slow.Load() && op.Kind == storagetest.Get:
				return storagetest.Fault{AnswerDelay: 2 * time.Second}
			}
			return storagetest.Fault{}
		}})
		here, elsewhere := w.ProcessOn(net.Process("here"), nil), w.ProcessOn(net.Process("elsewhere"), nil)
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
