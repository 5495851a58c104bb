package grant_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/internal/bubble"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// mint is an http.RoundTripper that answers each request with new tokens, and
// keeps nothing.
type mint struct{}

func (mint) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, err
	}
	body := `{"access_token":"the-new-access-token","refresh_token":"the-new-refresh-token","token_type":"bearer","expires_in":7200}`
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader([]byte(body))), Request: r,
	}, nil
}

// crowd is many tenants in one engine.
type crowd struct {
	*testing.T
	p    *provider.Provider
	o    oauth.Options
	root *grant.Keeper
}

func newCrowd(t *testing.T) crowd {
	t.Helper()
	c := crowd{T: t, p: provider.X(), o: oauth.Options{HTTPClient: &http.Client{Transport: mint{}}}}
	c.root = c.join(storage.NewMemory(), "root", nil)
	t.Cleanup(func() { _ = c.root.Close() })
	return c
}

func (c crowd) join(store storage.Store, clientID string, with *grant.Keeper) *grant.Keeper {
	c.Helper()
	client, err := oauth.New(c.p, oauth.Registration{
		ClientID: clientID, Credential: oauth.Secret("a-secret-of-" + clientID), RedirectURL: "https://app.example/callback",
		Scopes: []string{"tweet.read", "users.read", "offline.access"},
	}, &c.o)
	if err != nil {
		c.Fatal(err)
	}
	interval := time.Duration(0)
	if with == nil {
		interval = 30 * time.Second
	}
	k, err := grant.New(client, store, &grant.Options{With: with, DueInterval: interval})
	if err != nil {
		c.Fatal(err)
	}
	return k
}

func (c crowd) tenant(i int) *grant.Keeper {
	c.Helper()
	return c.join(c.root.Store(), fmt.Sprint("tenant-", i), c.root)
}

// use logs a user in, and renews the token that an API rejects.
func (c crowd) use(k *grant.Keeper) {
	c.Helper()
	tok := &oauth2.Token{AccessToken: "an-access-token", RefreshToken: "a-refresh-token", TokenType: "bearer", Expiry: time.Now().Add(2 * time.Hour)}
	if _, err := k.Save(c.Context(), "user", tok); err != nil {
		c.Fatal(err)
	}
	if _, err := k.Source("user").Renew(c.Context(), tok); err != nil {
		c.Fatal(err)
	}
}

// A tenant takes at most 4 KiB while nobody uses it, before its first use and
// after it, and no goroutine. Its client is counted too.
func TestG10_TenThousandIdleTenants(t *testing.T) {
	const tenants, limit = 10_000, 4 << 10
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		c.use(c.root)
		synctest.Wait()
		goroutines, before := bubble.Goroutines(), heap()
		list := make([]*grant.Keeper, tenants)
		for i := range list {
			list[i] = c.tenant(i)
		}
		synctest.Wait()
		if each := (heap() - before) / tenants; each > limit {
			t.Errorf("a tenant that nobody has used takes %d bytes, want at most %d", each, limit)
		}
		for _, k := range list {
			c.use(k)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if n := bubble.Goroutines(); n > goroutines {
			t.Errorf("goroutines = %d with %d tenants, and %d with one", n, tenants, goroutines)
		}
		if n := grant.CacheSize(c.root); n > 0 {
			t.Errorf("grants in memory = %d an hour after the last use, want none", n)
		}
		open := heap()
		for i, k := range list {
			if err := k.Close(); err != nil {
				t.Fatal(err)
			}
			list[i] = nil
		}
		if each := (open - heap()) / tenants; each > limit {
			t.Errorf("a tenant that was used takes %d bytes, want at most %d", each, limit)
		}
		runtime.KeepAlive(c.root)
	})
}

// A tenant is added every second, is used, and goes a day later. Nothing of it
// stays in memory.
func TestG10_TenantsThatComeAndGo(t *testing.T) {
	const round, limit = 1000, 100
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		come := func(round []*grant.Keeper) {
			for i := range round {
				round[i] = c.tenant(i)
				c.use(round[i])
				if err := round[i].Logout(t.Context(), "user"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
			}
			time.Sleep(29 * time.Hour) // the tombstones go
			for i, k := range round {
				if err := k.Close(); err != nil {
					t.Fatal(err)
				}
				round[i] = nil
			}
			synctest.Wait()
		}
		list := make([]*grant.Keeper, round)
		come(list) // maps grow as far as they need
		goroutines, before := bubble.Goroutines(), heap()
		come(list)
		come(list)
		if n := bubble.Goroutines(); n > goroutines {
			t.Errorf("goroutines = %d after %d tenants, and %d after %d", n, 3*round, goroutines, round)
		}
		if each := (heap() - before) / (2 * round); each > limit {
			t.Errorf("a tenant that has gone leaves %d bytes, want none (at most %d)", each, limit)
		}
		runtime.KeepAlive(c.root)
	})
}
