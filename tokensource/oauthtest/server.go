package oauthtest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource/provider"
)

// Server is the fake. It is safe for concurrent use. Use [New] in tests and
// [NewServer] elsewhere.
type Server struct {
	options  Options
	provider *provider.Provider
	routes   routes
	clock    func() time.Time
	inFlight atomic.Int64 // requests whose clients wait for an answer
	open     atomic.Int64 // bodies of in-memory responses that were neither read to the end nor closed

	// mu guards what follows. It is never held across a wait, I/O, or a
	// function of the caller other than Options.Answer and Options.Random.
	mu                  sync.Mutex
	knobs               Knobs
	offset              time.Duration // what Advance added to the clock
	random              io.Reader
	apps                map[string]*App
	users               map[string]*User
	appOrder, userOrder []string // IDs in the order of registration
	codes               map[digest]*code
	books               books
	faults              []*injection
	tickets             map[digest]*ticket
	devices             map[digest]*device
	pushed              map[digest]*pushed
	proofs              proofs
	recorder            recorder
}

// NewServer returns a Server that serves nothing until it is asked. Nothing has
// to be started. Nil options mean a plain server. Wrong options, such as a
// provider that is not valid, are an error. [Server.Close] reports what a test
// would want to know at its end.
func NewServer(o *Options) (*Server, error) {
	if o == nil {
		o = &Options{}
	}
	s := &Server{
		options: *o, knobs: o.Knobs, clock: o.Clock, random: o.Random,
		apps: map[string]*App{}, users: map[string]*User{}, codes: map[digest]*code{}, tickets: map[digest]*ticket{}, devices: map[digest]*device{}, pushed: map[digest]*pushed{},
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	if err := s.play(o.Provider); err != nil {
		return nil, err
	}
	s.books.init(o.Keep)
	s.recorder.init(o.RecordLimit)
	return s, s.populate()
}

// play takes over the facts about the server.
func (s *Server) play(p *provider.Provider) error {
	if p == nil {
		p = plainProvider()
	}
	if err := p.Validate(); err != nil {
		return fmt.Errorf("oauthtest: %w", err)
	}
	s.provider = p.Clone()
	return s.routes.init(s.provider, s.options.Aliases)
}

// populate registers apps and users.
func (s *Server) populate() error {
	apps, users := s.options.Apps, s.options.Users
	if apps == nil {
		apps = []App{ConfidentialApp(), PublicApp()}
	}
	if users == nil {
		users = []User{DefaultUser()}
	}
	for _, a := range apps {
		if err := s.Register(a); err != nil {
			return err
		}
	}
	for _, u := range users {
		if err := s.AddUser(u); err != nil {
			return err
		}
	}
	return nil
}

// New is [NewServer] for a test. Wrong options end the test. When the test
// ends, [Server.Close] must report nothing.
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

// Set changes the knobs while requests may be running. A request uses the knobs
// of the moment when it arrived. The function must not call s, and must replace
// maps and slices in place of changing them.
func (s *Server) Set(change func(*Knobs)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.knobs)
}

// Advance moves the server's clock forward by d, and with it every expiry. It
// moves nobody else's clock.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
}

// Close reports, as one error, requests that are still in flight, bodies of
// in-memory responses that were neither closed nor read to their end, required
// faults that did not happen, and broken invariants of the server itself. It
// may be called more than once and stops nothing. A request that will be
// handled late (Fault.Late) and whose client has left is not in flight.
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
	list = append(list, s.books.check(s.now())...)
	return errors.Join(list...)
}

// now is the server's time. The lock must be held.
func (s *Server) now() time.Time { return s.clock().Add(s.offset) }
