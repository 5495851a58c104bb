package oauthtest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// Match says which requests are meant. Empty fields match everything.
type Match struct {
	Method    string
	Host      string
	Path      string
	Op        string // as in Request
	GrantType string
	ClientID  string
	UserID    string

	// The rest is for Server.Inject only.

	Skip        int     // so many matching requests pass before the first fault
	Probability float64 // of a fault, above 0 and below 1. Zero means every time
	Seed        uint64  // of the probability and the jitter, so that a run can be repeated
}

// Fault is something that goes wrong. Its parts combine. The zero value does
// nothing.
type Fault struct {
	// Unsent refuses the connection. The request's body is not read, and the
	// server does not know of the request. On a listener, where it is too late
	// for that, the connection is closed. A Match for it cannot name what only
	// the body says: GrantType, ClientID, UserID.
	Unsent bool

	// Commit lets the request have its effect before the fault: a refresh token
	// is used up though its answer gets lost. Without it, a fault that answers
	// by itself, or not at all, happens in place of the request's effect.
	Commit bool

	// Late lets the request have its effect after Delay, even if the client has
	// left by then: the network delivers it late. The client may wait for the
	// answer.
	Late bool

	// Delay is waited before the request is looked at, or, with Commit, before
	// it is answered.
	Delay  time.Duration
	Jitter time.Duration // up to so much is added to Delay

	// Gather holds the request back until so many requests of this injection
	// have come, and then releases them at once: a race that happens every time.
	Gather int

	Hang           bool // no answer until the request's context ends
	Drop           bool // the connection is closed without an answer
	Reset          bool // the connection is reset
	BadCertificate bool // the TLS handshake fails; on a listener the connection is closed

	Status      int         // answers with this status and Body. Zero keeps the answer
	Body        string      // with Status
	ContentType string      // replaces the content type of whatever is answered
	Header      http.Header // added to whatever is answered

	Truncate int           // breaks the connection after so many bytes of the body. Zero means never
	Pause    time.Duration // waited before each byte of the body
	HTTP10   bool          // answers as HTTP/1.0, without a length, and closes the connection

	// Required makes Server.Close report it if the fault did not happen as often
	// as it was injected.
	Required bool
}

// injection is a fault that waits for its requests.
type injection struct {
	match    Match
	fault    Fault
	left     int // negative: without end
	seen     int
	chance   *rand.Rand
	gathered int
	gate     chan struct{} // open until enough have gathered
}

// Inject makes the fault happen to the next requests that match, so many times.
// A negative number means until [Server.ClearFaults]. Of several that match,
// the earliest injected happens.
func (s *Server) Inject(m Match, f Fault, times int) {
	f.Header = f.Header.Clone()
	in := &injection{match: m, fault: f, left: times, chance: rand.New(rand.NewPCG(m.Seed, 0)), gate: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, in)
}

// ClearFaults removes every injected fault, and releases gathered requests.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range s.faults {
		close(in.gate)
	}
	s.faults = nil
}

// mishap is a fault that happens to a request.
type mishap struct {
	Fault
	gate <-chan struct{} // waited for first; nil if there is nothing to wait for
}

// pick returns the fault for a request, or nil. The lock must be held.
func (s *Server) pick(r *Request) *mishap {
	for _, in := range s.faults {
		if in.fault.Unsent || !in.hits(r) {
			continue
		}
		r.Notes = append(r.Notes, "fault")
		m := &mishap{Fault: in.fault}
		if in.fault.Jitter > 0 {
			m.Delay += time.Duration(in.chance.Int64N(int64(in.fault.Jitter)))
		}
		if in.fault.Gather > 0 {
			m.gate = in.gather()
		}
		return m
	}
	return nil
}

// unsent reports whether a request is refused before it is sent. The lock must
// be held.
func (s *Server) unsent(r *Request) bool {
	for _, in := range s.faults {
		if in.fault.Unsent && in.hits(r) {
			return true
		}
	}
	return false
}

// hits reports whether the injection's fault happens to the request, and counts
// it.
func (in *injection) hits(r *Request) bool {
	if in.left == 0 || !in.match.matches(r) {
		return false
	}
	in.seen++
	if in.seen <= in.match.Skip || in.match.Probability > 0 && in.chance.Float64() >= in.match.Probability {
		return false
	}
	if in.left > 0 {
		in.left--
	}
	return true
}

// gather counts a request, and returns the gate at which it waits.
func (in *injection) gather() <-chan struct{} {
	gate := in.gate
	if in.gathered++; in.gathered%in.fault.Gather == 0 {
		close(in.gate)
		in.gate = make(chan struct{})
	}
	return gate
}

func (m Match) matches(r *Request) bool {
	return (m.Method == "" || m.Method == r.Method) && (m.Host == "" || m.Host == r.Host) &&
		(m.Path == "" || m.Path == r.Path) && (m.Op == "" || m.Op == r.Op) &&
		(m.GrantType == "" || m.GrantType == r.GrantType) && (m.ClientID == "" || m.ClientID == r.ClientID) &&
		(m.UserID == "" || m.UserID == r.UserID)
}

// unmet returns the required faults that did not happen, and those that cannot
// happen. The lock must be held.
func (s *Server) unmet() (list []error) {
	for _, in := range s.faults {
		if m := in.match; in.fault.Unsent && (m.GrantType != "" || m.ClientID != "" || m.UserID != "") {
			list = append(list, fmt.Errorf("oauthtest: an unsent fault on %q asks for what only the body says", m.Path+m.Op))
		}
		if in.fault.Required && in.left > 0 {
			list = append(list, fmt.Errorf("oauthtest: a required fault on %q did not happen %d more times", in.match.name(), in.left))
		}
	}
	return list
}

// name says in a message what the match is for.
func (m Match) name() string {
	for _, name := range []string{m.Path, m.GrantType, m.Op, m.Host, m.Method} {
		if name != "" {
			return name
		}
	}
	return "any request"
}
