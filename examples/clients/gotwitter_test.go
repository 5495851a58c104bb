package clients_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/g8rswimmer/go-twitter/v2"

	"github.com/authtrip/authtrip/examples/clients"
	"github.com/authtrip/authtrip/examples/internal/fakeuser"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/transport"
)

// wrong is an Authorizer of the library's kind, with a token that is none.
type wrong struct{}

func (wrong) Add(req *http.Request) { req.Header.Set("Authorization", "Bearer a-token-of-yesterday") }

// TestGoTwitter: whatever ends the access token costs one refresh, and no call
// of the library fails.
func TestGoTwitter(t *testing.T) {
	const user = "2244994945"
	expire := func(*xapi.Server) { time.Sleep(2*time.Hour + time.Minute) } // in the bubble's time
	reject := func(fake *xapi.Server) { fake.ExpireAccess(user) }
	who := func(ctx context.Context, c *twitter.Client, _ int) error {
		got, err := c.AuthUserLookup(ctx, twitter.UserLookupOpts{})
		if err == nil && (len(got.Raw.Users) != 1 || got.Raw.Users[0].ID != user) {
			return errors.New("the answer names somebody else")
		}
		return err
	}
	post := func(ctx context.Context, c *twitter.Client, n int) error {
		text := fmt.Sprintf("Post number %d", n)
		got, err := c.CreateTweet(ctx, twitter.CreateTweetRequest{Text: text})
		if err == nil && got.Tweet.Text != text {
			return fmt.Errorf("posted %q, want %q", got.Tweet.Text, text)
		}
		return err
	}
	tests := []struct {
		name     string
		end      func(*xapi.Server)
		call     func(context.Context, *twitter.Client, int) error
		parallel int
		met401   bool
	}{
		{"lookup after expiry", expire, who, 1, false},
		{"lookup after rejection", reject, who, 1, true},
		{"post after expiry", expire, post, 1, false},
		{"post after rejection", reject, post, 1, true},
		{"posts at once after expiry", expire, post, 20, false},
		{"posts at once after rejection", reject, post, 20, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := xapi.New(t, nil)
				grants, subject, err := fakeuser.Authorize(t.Context(), fake)
				if err != nil {
					t.Fatal(err)
				}
				defer closeGrants(t, grants)
				client, err := clients.GoTwitter(grants, &transport.Options{Base: fake.Transport()})
				if err != nil {
					t.Fatal(err)
				}
				client.Authorizer = wrong{} // what the library adds does not reach X
				ctx := grants.WithSubject(t.Context(), subject)
				for round := 1; round <= 3; round++ {
					time.Sleep(time.Minute) // a token that is refused moments after its refresh is not refreshed again
					tt.end(fake)
					before := unauthorized(fake)
					for n, err := range atOnce(tt.parallel, func(n int) error { return tt.call(ctx, client, 100*round+n) }) {
						if err != nil {
							t.Errorf("round %d, call %d: %v", round, n, err)
						}
					}
					if n := fake.TokenCalls("refresh_token"); n != round {
						t.Errorf("round %d: %d refreshes so far, want %d", round, n, round)
					}
					if met := unauthorized(fake) > before; met != tt.met401 {
						t.Errorf("round %d: met a 401 = %v, want %v", round, met, tt.met401)
					}
				}
				if err := fake.Audit(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func closeGrants(t *testing.T, grants *grant.Keeper) {
	if err := grants.Close(); err != nil {
		t.Error(err)
	}
}

// atOnce calls f n times in parallel.
func atOnce(n int, f func(int) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return errs
}

func unauthorized(fake *xapi.Server) (n int) {
	for _, r := range fake.Requests() {
		if r.Status == http.StatusUnauthorized {
			n++
		}
	}
	return n
}

// TestErrorsThroughGoTwitter: what only the user can mend comes through the
// library's own errors.
func TestErrorsThroughGoTwitter(t *testing.T) {
	fake := xapi.New(t, nil)
	grants, subject, err := fakeuser.Authorize(t.Context(), fake)
	if err != nil {
		t.Fatal(err)
	}
	defer closeGrants(t, grants)
	if err := fake.RevokeGrant(subject, oauthtest.ConfidentialApp().ClientID); err != nil {
		t.Fatal(err)
	}
	client, err := clients.GoTwitter(grants, &transport.Options{Base: fake.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		ctx  context.Context
		want error
	}{
		{"withdrawn", grants.WithSubject(t.Context(), subject), tokensource.ErrReauthorize},
		{"never logged in", grants.WithSubject(t.Context(), "1"), tokensource.ErrNoGrant},
		{"no user in the context", t.Context(), tokensource.ErrNoSubject},
	}
	for _, tt := range tests {
		if _, err := client.AuthUserLookup(tt.ctx, twitter.UserLookupOpts{}); !errors.Is(err, tt.want) {
			t.Errorf("%s: AuthUserLookup = %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, err := clients.GoTwitter(nil, nil); err == nil {
		t.Error("GoTwitter(nil) = nil, want an error")
	}
}

func ExampleGoTwitter() {
	ctx := context.Background()
	fake, err := xapi.NewServer(nil) // stands for X
	if err != nil {
		log.Fatal(err)
	}
	grants, subject, err := fakeuser.Authorize(ctx, fake)
	if err != nil {
		log.Fatal(err)
	}
	client, err := clients.GoTwitter(grants.Source(subject), &transport.Options{Base: fake.Transport()})
	if err != nil {
		log.Fatal(err)
	}
	fake.ExpireAccess(subject)
	me, err := client.AuthUserLookup(ctx, twitter.UserLookupOpts{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(me.Raw.Users[0].UserName, "after", fake.TokenCalls("refresh_token"), "refresh")
	if err := grants.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: XDevelopers after 1 refresh
}
