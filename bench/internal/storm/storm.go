package storm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"
)

// Names of the contenders.
const (
	AsShipped = "x/oauth2 as shipped"
	Ideal     = "ideal"
	Authtrip  = "authtrip"
)

// Login is a user whose access token the API no longer accepts, and the way to
// the servers.
type Login struct {
	Base     http.RoundTripper
	API      string // URL to call
	TokenURL string
	Origin   string // of API
	Expired  bool   // the access token has expired by the clock as well
}

// Wrap makes the transport of a contender. Close, which may be nil, ends it.
type Wrap func(l Login) (rt http.RoundTripper, closeIt func() error, err error)

// Outcome is how a storm went.
type Outcome struct {
	Took   time.Duration // until every request had its final answer
	Failed int           // requests that did not end with 200
	Counts
}

// patience is the deadline of each request.
const patience = time.Minute

// Run lets n requests go at once, in memory or over loopback HTTP.
func Run(wrap Wrap, shape Shape, n int, overHTTP bool) (Outcome, error) {
	s := &Server{Shape: shape, Refresh: 50 * time.Millisecond}
	l, stop := s.login(overHTTP)
	defer stop()
	rt, closeIt, err := wrap(l)
	if err != nil {
		return Outcome{}, err
	}
	if closeIt != nil {
		defer closeIt() //nolint:errcheck // its store is memory
	}
	var failed atomic.Int64
	var ready, done sync.WaitGroup
	ready.Add(n)
	begin := make(chan struct{})
	for range n {
		done.Go(func() {
			ready.Done()
			<-begin
			if call(context.Background(), rt, l.API) != nil {
				failed.Add(1)
			}
		})
	}
	ready.Wait()
	start := time.Now()
	close(begin)
	done.Wait()
	return Outcome{time.Since(start), int(failed.Load()), s.Counts()}, nil
}

// login starts the server if need be.
func (s *Server) login(overHTTP bool) (Login, func()) {
	const inMemory = "https://api.storm.example"
	if !overHTTP {
		return Login{Base: s, API: inMemory + "/2/users/me", TokenURL: inMemory + tokenPath, Origin: inMemory}, func() {}
	}
	server := httptest.NewServer(s)
	base := &http.Transport{MaxConnsPerHost: 512, MaxIdleConnsPerHost: 512}
	return Login{Base: base, API: server.URL + "/2/users/me", TokenURL: server.URL + tokenPath, Origin: server.URL}, func() {
		base.CloseIdleConnections()
		server.Close()
	}
}

// call sends a request and returns nil if it ended with 200.
func call(ctx context.Context, rt http.RoundTripper, url string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

// Wait returns how long a request with the given deadline takes while another
// one's refresh, of 200 ms, has been under way for 30 ms. The access token has
// expired, so that every contender refreshes. The request must end with its
// deadline, and the other one with 200: one that fails in another way, and at
// once, would look good.
func Wait(wrap Wrap, deadline time.Duration) (time.Duration, error) {
	s := &Server{Shape: Shapes[0], Refresh: 200 * time.Millisecond}
	l, stop := s.login(false)
	defer stop()
	l.Expired = true
	rt, closeIt, err := wrap(l)
	if err != nil {
		return 0, err
	}
	if closeIt != nil {
		defer closeIt() //nolint:errcheck // its store is memory
	}
	first := make(chan error, 1)
	go func() { first <- call(context.Background(), rt, l.API) }()
	time.Sleep(30 * time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	start := time.Now()
	second := call(ctx, rt, l.API)
	took := time.Since(start)
	if err := <-first; err != nil {
		return 0, fmt.Errorf("storm: the request that refreshes: %w", err)
	}
	// x/oauth2 waits for the refresh whatever the deadline, and meets it only then,
	// in the base.
	if !errors.Is(second, context.DeadlineExceeded) {
		return 0, fmt.Errorf("storm: the request with a deadline did not end with it: %v", second) //nolint:errorlint // nil too is wrong
	}
	return took, nil
}
