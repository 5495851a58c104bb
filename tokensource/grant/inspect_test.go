package grant_test

import (
	"bytes"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

func TestInspectRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		tok := w.Login(w.Process(nil))
		stored, err := w.Store.Store.Get(t.Context(), w.keyOf(w.User))
		if err != nil {
			t.Fatal(err)
		}
		value := stored.Value()
		tests := []struct {
			name  string
			value []byte
			want  string
		}{
			{"nothing", nil, "damaged"},
			{"half of it", value[:len(value)/2], "damaged"},
			{"a byte too many", append(bytes.Clone(value), 0), "damaged"},
			{"a later format", append([]byte{99}, value[1:]...), "format"},
		}
		for _, tt := range tests {
			got, err := grant.Inspect(tt.value)
			e, ok := errors.AsType[*tokensource.Error](err)
			if !ok || e.Op != "load" || e.Kind != nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Inspect(%s) = %v, want an *Error of load with %q in it", tt.name, err, tt.want)
			}
			if !reflect.DeepEqual(got, grant.Grant{}) {
				t.Errorf("Inspect(%s) = %+v beside an error, want nothing", tt.name, got)
			}
			if strings.Contains(err.Error(), tok.AccessToken) {
				t.Errorf("Inspect(%s) = %v, want no token", tt.name, err)
			}
		}
	})
}

// What the engine stores can be looked at in every state that a grant has.
func TestInspectWhatTheEngineStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		tok := w.Login(g)
		facts, err := w.Process(nil).Grant(t.Context(), w.User) // as read from the store
		if err != nil {
			t.Fatal(err)
		}
		if seen := w.inspect(); !reflect.DeepEqual(seen, facts) || seen.Issuer != w.Client.Provider().TokenURL || seen.ClientID != w.Client.ClientID() {
			t.Errorf("Inspect() after a login = %+v, want %+v", seen, facts)
		}

		w.RefreshFault(oauthtest.Fault{Status: http.StatusServiceUnavailable}, 1)
		_, err = g.Source(w.User).Renew(t.Context(), tok)
		testworld.WantIs(t, err, tokensource.ErrTemporary)
		if seen := w.inspect(); seen.Failures != 1 || !seen.RetryAt.After(time.Now()) || !seen.RedeemingUntil.IsZero() {
			t.Errorf("Inspect() after a failure = %+v, want one failure, and when to try again", seen)
		}

		time.Sleep(time.Hour) // of the bubble's time
		w.RefreshFault(oauthtest.Fault{Hang: true}, 1)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = g.Source(w.User).Renew(t.Context(), tok)
		}()
		synctest.Wait()
		if seen := w.inspect(); !seen.RedeemingSince.Equal(time.Now().Truncate(time.Millisecond)) || !seen.RedeemingUntil.After(time.Now()) {
			t.Errorf("Inspect() during a redemption = %+v, want since when and until when", seen)
		}
		<-done

		w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: http.StatusServiceUnavailable}, -1)
		if err := g.Logout(t.Context(), w.User); err == nil {
			t.Error("Logout() = nil though the server answers 503")
		}
		if seen := w.inspect(); seen.LoggedOut.IsZero() || seen.Dead != "" || seen.Unrevoked != 2 {
			t.Errorf("Inspect() after a logout that the server has not confirmed = %+v, want LoggedOut and two tokens to revoke", seen)
		}
	})
}

func TestKey(t *testing.T) {
	key := func(issuer, client, subject string) string {
		t.Helper()
		k, err := grant.Key(t.Context(), storage.NewMemory(), issuer, client, subject)
		if err != nil || storage.CheckKey(k) != nil || !strings.HasPrefix(k, "grant.") {
			t.Fatalf("Key(%q, %q, %q) = %q, %v, want a storage key", issuer, client, subject, k, err)
		}
		return k
	}
	want := key("https://x", "client", "user")
	for _, other := range [][3]string{
		{"https://xc", "lient", "user"}, {"https://x", "clientu", "ser"}, {"https://x", "client", "user2"}, {"", "https://xclient", "user"},
	} {
		if key(other[0], other[1], other[2]) == want {
			t.Errorf("Key(%q) = Key(https://x, client, user)", other)
		}
	}
}
