package oauthtest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Options sets up a Server. The zero value, and nil, mean X's behaviour, two apps (ConfidentialApp and PublicApp) and one
// user (DefaultUser).
type Options struct {
	// Apps are the registered apps. Nil means ConfidentialApp and PublicApp.
	Apps []App

	// Users are the accounts. Nil means DefaultUser. The first one is logged in unless AuthorizeKnobs.User says otherwise.
	Users []User

	// Knobs are the settings to begin with; Server.Set changes them later.
	Knobs Knobs

	// Clock tells the time. Nil means time.Now, which inside a testing/synctest bubble is the bubble's time.
	Clock func() time.Time

	// Random supplies the bytes of tokens and codes. Nil means crypto/rand. Reads are serialised.
	Random io.Reader

	// OnRequest is called after each answered request, from the goroutine that served it, with no lock held. It may be
	// called by several goroutines at once. Nil means no call.
	OnRequest func(Request)

	// RecordLimit is how many requests are kept for Requests, the latest ones. Zero means 4096; negative keeps none.
	// TokenCalls and Audit do not depend on it.
	RecordLimit int
}

// Server is the fake: X's authorization server and a few endpoints of its API. It is safe for concurrent use. Use New in
// tests and NewServer elsewhere.
type Server struct {
	clock     func() time.Time
	onRequest func(Request)
	inFlight  atomic.Int64 // requests being answered
	open      atomic.Int64 // bodies of in-memory responses that were neither read to the end nor closed

	mu                  sync.Mutex // guards what follows; never held across a wait, a callback or I/O
	knobs               Knobs
	offset              time.Duration // what Advance added to the clock
	random              io.Reader
	apps                map[string]*App
	users               map[string]*User
	appOrder, userOrder []string // IDs in the order of registration
	codes               map[digest]*code
	tokens              map[digest]*token
	grants              []*grant
	live                map[pair][]*grant
	bearers             map[string]*bearer // the live app-only bearer of each app
	buckets             map[bucketKey]*bucket
	posts               []Post
	attempts            int // POST requests to PathTweets with a valid token
	nextPost            int
	faults              []*injection
	gate                *gate
	tickets             map[digest]*ticket
	recorder            recorder
}

// NewServer returns a Server that serves nothing until it is asked: nothing has to be started. Wrong options, such as an
// app with eleven redirect URLs, are an error. Close reports what a test would want to know at its end.
func NewServer(o *Options) (*Server, error) {
	if o == nil {
		o = &Options{}
	}
	s := &Server{
		clock: o.Clock, random: o.Random, onRequest: o.OnRequest, knobs: o.Knobs,
		apps: map[string]*App{}, users: map[string]*User{}, codes: map[digest]*code{}, tokens: map[digest]*token{},
		live: map[pair][]*grant{}, bearers: map[string]*bearer{}, buckets: map[bucketKey]*bucket{},
		tickets: map[digest]*ticket{}, nextPost: 1445880548472328192,
	}
	s.recorder.init(o.RecordLimit)
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	apps, users := o.Apps, o.Users
	if apps == nil {
		apps = []App{ConfidentialApp(), PublicApp()}
	}
	if users == nil {
		users = []User{DefaultUser()}
	}
	for _, a := range apps {
		if err := s.Register(a); err != nil {
			return nil, err
		}
	}
	for _, u := range users {
		if err := s.AddUser(u); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// New is NewServer for a test: wrong options end the test, and when the test ends Close must report nothing.
func New(t testing.TB, o *Options) *Server {
	t.Helper()
	s, err := NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Start serves s over plain HTTP on a free port of 127.0.0.1 until the test ends. Use Provider with the URL that the
// httptest.Server has.
func (s *Server) Start(t testing.TB) *httptest.Server {
	ts := httptest.NewServer(s)
	t.Cleanup(ts.Close)
	return ts
}

// StartTLS is Start over TLS: the Client of the httptest.Server trusts its certificate.
func (s *Server) StartTLS(t testing.TB) *httptest.Server {
	ts := httptest.NewTLSServer(s)
	t.Cleanup(ts.Close)
	return ts
}

// Set changes the knobs while requests may be running; a request uses the knobs of the moment when it arrived. The
// function must not call s, and must replace maps and slices rather than change them.
func (s *Server) Set(change func(*Knobs)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.knobs)
}

// Advance moves the server's clock forward by d, and with it every expiry. It moves nobody else's clock.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
}

// Close reports, as one error, requests that are still in flight, bodies of in-memory responses that were neither closed
// nor read to their end, required faults that did not happen, and broken invariants of the server itself. It may be
// called more than once and stops nothing.
func (s *Server) Close() error {
	var list []error
	if n := s.inFlight.Load(); n > 0 {
		list = append(list, fmt.Errorf("oauthtest: %d requests are still in flight", n))
	}
	if n := s.open.Load(); n > 0 {
		list = append(list, fmt.Errorf("oauthtest: %d response bodies were never closed", n))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list = append(list, s.unmet()...)
	list = append(list, s.check()...)
	return errors.Join(list...)
}

// String says what s is: it keeps the secrets of its apps out of logs.
func (s *Server) String() string { return "oauthtest.Server" }

// Format prints String under every verb.
func (s *Server) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// now is the server's time; the lock must be held.
func (s *Server) now() time.Time { return s.clock().Add(s.offset) }
