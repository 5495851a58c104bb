package grant_test

import (
	"bytes"
	"encoding/hex"
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

// golden returns the record of format 1 whose fields all have values of their own, and its key.
func golden(t *testing.T) (key string, value []byte) {
	t.Helper()
	value, err := hex.DecodeString(recordOfFormat1)
	if err != nil {
		t.Fatal(err)
	}
	return grant.Key("field a", "field b", "field c"), value
}

func TestInspect(t *testing.T) {
	key, value := golden(t)
	got, err := grant.Inspect(key, value)
	if err != nil {
		t.Fatalf("Inspect(record of format 1) = %v, want its facts", err)
	}
	at := func(ms int64) time.Time { return time.UnixMilli(1_700_000_000_000 + ms) }
	want := grant.StoredGrant{
		Grant: grant.Grant{
			Subject: "field c", Scopes: []string{"field", "h"}, Authorized: at(0), Obtained: at(1), Expiry: at(2),
			Refreshable: true, Dead: "field i", Epoch: "field d",
		},
		Provider: "field a", ClientID: "field b", Code: "field j", RedeemingSince: at(3), RedeemingUntil: at(4),
		RetryAt: at(5), Doubts: 300, Failures: 70_000,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Inspect(record of format 1) = %+v, want %+v", got, want)
	}
	for verb, text := range printed(got) {
		wantNoSecret(t, "StoredGrant, "+verb, text, []string{"field e", "field g"}) // access and refresh token
	}
}

func TestInspectRefuses(t *testing.T) {
	key, value := golden(t)
	tests := []struct {
		name, key string
		value     []byte
		want      string
	}{
		{"nothing", key, nil, "damaged"},
		{"half of it", key, value[:len(value)/2], "damaged"},
		{"a byte too many", key, append(bytes.Clone(value), 0), "damaged"},
		{"a later format", key, append([]byte{2}, value[1:]...), "upgrade"},
		{"another subject's key", grant.Key("field a", "field b", "field d"), value, "another subject"},
		{"another client's key", grant.Key("field a", "field c", "field c"), value, "another subject"},
		{"no key", "", value, "another subject"},
	}
	for _, tt := range tests {
		got, err := grant.Inspect(tt.key, tt.value)
		e, ok := errors.AsType[*tokensource.Error](err)
		if !ok || e.Op != "load" || e.Kind != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Inspect(%s) = %v, want an *Error of load with %q in it", tt.name, err, tt.want)
		}
		if !reflect.DeepEqual(got, grant.StoredGrant{}) {
			t.Errorf("Inspect(%s) = %+v beside an error, want nothing", tt.name, got)
		}
		wantNoSecret(t, "Inspect("+tt.name+")", err.Error(), []string{"field e", "field g"})
	}
}

// What the engine stores can be looked at in every state that a grant has.
func TestInspectWhatTheEngineStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.Process(nil)
		tok := w.Login(g)
		key := grant.Key(w.Client.Provider().Name, w.Client.ClientID(), w.User)
		look := func() grant.StoredGrant {
			t.Helper()
			stored, err := w.Store.Store.Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			seen, err := grant.Inspect(key, stored.Value())
			if err != nil {
				t.Fatal(err)
			}
			return seen
		}
		facts, err := w.Process(nil).Grant(t.Context(), w.User) // as read from the store
		if err != nil {
			t.Fatal(err)
		}
		want := grant.StoredGrant{Grant: facts, Provider: w.Client.Provider().Name, ClientID: w.Client.ClientID()}
		if seen := look(); !reflect.DeepEqual(seen, want) {
			t.Errorf("Inspect() after a login = %+v, want %+v", seen, want)
		}

		w.RefreshFault(oauthtest.Fault{Status: http.StatusServiceUnavailable}, 1)
		_, err = g.Source(w.User).Renew(t.Context(), tok)
		testworld.WantIs(t, err, tokensource.ErrTemporary)
		if seen := look(); seen.Failures != 1 || !seen.RetryAt.After(time.Now()) || !seen.RedeemingUntil.IsZero() {
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
		if seen := look(); !seen.RedeemingSince.Equal(time.Now().Truncate(time.Millisecond)) || !seen.RedeemingUntil.After(time.Now()) {
			t.Errorf("Inspect() during a redemption = %+v, want since when and until when", seen)
		}
		<-done

		w.Fake.Inject(oauthtest.Match{}, oauthtest.Fault{Status: http.StatusServiceUnavailable}, -1)
		if err := g.Logout(t.Context(), w.User); err == nil {
			t.Error("Logout() = nil though the server answers 503")
		}
		if seen := look(); !seen.LoggedOut || seen.Dead != "" {
			t.Errorf("Inspect() after a logout that the server has not confirmed = %+v, want LoggedOut", seen)
		}
	})
}

func TestGrantKey(t *testing.T) {
	const want = "grant-5887d27b558679bae27ced4f42768b2b13a6bef184e157841e2d76491f6b2f7a" // in every version
	key := grant.Key("x", "client", "user")
	if key != want || storage.CheckKey(key) != nil {
		t.Errorf("GrantKey(x, client, user) = %q, want %q", key, want)
	}
	for _, other := range [][3]string{{"xc", "lient", "user"}, {"x", "clientu", "ser"}, {"x", "client", "user2"}, {"", "xclient", "user"}} {
		if grant.Key(other[0], other[1], other[2]) == key {
			t.Errorf("GrantKey(%q) = GrantKey(x, client, user)", other)
		}
	}
}
