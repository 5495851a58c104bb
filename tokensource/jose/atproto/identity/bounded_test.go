package identity_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/jose/atproto/identity"
)

// slow is a transport of servers that do not answer. It counts.
type slow struct {
	mu        sync.Mutex
	now, most int
}

func (s *slow) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.now++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	<-r.Context().Done()
	s.mu.Lock()
	s.now--
	s.mu.Unlock()
	return nil, r.Context().Err()
}

// Servers that do not answer hold a bounded number of requests, and everybody
// who waits gets an answer.
func TestManySlowServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slow
		r, err := identity.NewResolver(&identity.Options{HTTPClient: &http.Client{Transport: &s}, DNS: failingDNS{}})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var wg sync.WaitGroup
		for i := range 3 * identity.MaxInFlight {
			wg.Go(func() {
				if _, err := r.Resolve(t.Context(), fmt.Sprintf("did:web:s%d.test", i)); !errors.Is(err, tokensource.ErrTemporary) {
					t.Errorf("Resolve at a server that does not answer = %v, want ErrTemporary", err)
				}
			})
		}
		wg.Wait()
		if s.most != identity.MaxInFlight {
			t.Errorf("%d requests at once, want %d", s.most, identity.MaxInFlight)
		}
	})
}
