package grant_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource/grant"
)

// Two logins were exchanged at nearly the same time, and the API does not show
// which of them works. Then their clocks decide: the later exchange stays (G6).
func TestG6_AProbeThatShowsNothingDecidesNothing(t *testing.T) {
	tests := []struct {
		name  string
		alive func(context.Context, *oauth2.Token) (bool, error)
	}{
		{"both tokens work", func(context.Context, *oauth2.Token) (bool, error) { return true, nil }},
		{"the API does not answer", func(context.Context, *oauth2.Token) (bool, error) { return false, errors.New("503") }},
	}
	for _, tt := range tests {
		for _, laterFirst := range []bool{true, false} {
			t.Run(tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					g := w.Process(&grant.Options{Alive: tt.alive})
					earlier := w.issue()
					time.Sleep(time.Second)
					later := w.issue()
					first, second := earlier, later
					if laterFirst {
						first, second = later, earlier
					}
					w.save(g, first)
					w.save(g, second)
					if got := w.Token(g); got.AccessToken != later.AccessToken {
						t.Errorf("the later login is saved first: %t: its token is not the one that stays", laterFirst)
					}
				})
			})
		}
	}
}
