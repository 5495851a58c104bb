package oauthtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// Match says which requests a fault is for. Empty fields match everything.
type Match struct {
	Method    string
	Host      string
	Path      string
	GrantType string

	Skip        int     // so many matching requests pass before the first fault
	Probability float64 // of a fault, above 0 and below 1. Zero means every time
	Seed        uint64  // of the probability, so that a run can be repeated
}

// Fault is something that goes wrong. Its parts combine. The zero value does nothing.
type Fault struct {
	// Commit lets the request take effect before the fault: a refresh token is used up though its answer gets lost.
	// Without it, a fault that answers by itself, or not at all, happens instead of the request's effect.
	Commit bool

	Delay  time.Duration // waited before the request is looked at, or, with Commit, before it is answered
	Jitter time.Duration // up to so much is added to Delay

	Hang           bool // no answer until the request's context ends
	Drop           bool // the connection is closed without an answer
	Reset          bool // the connection is reset
	BadCertificate bool // the TLS handshake fails. On a listener, where it is too late for that, the connection is closed

	Status      int         // answers with this status and Body, whatever the request deserved. Zero keeps the answer
	Body        string      // with Status
	ContentType string      // replaces the content type of whatever is answered
	Header      http.Header // added to whatever is answered

	Truncate int           // breaks the connection after so many bytes of the body. Zero means never
	Pause    time.Duration // waited before each byte of the body
	HTTP10   bool          // answers as HTTP/1.0, without a length, and closes the connection

	// Required makes Server.Close report it if the fault did not happen as often as it was injected.
	Required bool
}

// injection is a fault that waits for its requests.
type injection struct {
	match  Match
	fault  Fault
	left   int // negative: without end
	seen   int
	chance *rand.Rand
}

// Inject makes the fault happen to the next requests that match, so many times; a negative number means until
// ClearFaults. Of several that match, the earliest injected happens.
func (s *Server) Inject(m Match, f Fault, times int) {
	f.Header = f.Header.Clone()
	in := &injection{match: m, fault: f, left: times, chance: rand.New(rand.NewPCG(m.Seed, 0))}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, in)
}

// ClearFaults removes every fault.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// pickFault returns the fault for a request, or nil. The lock must be held.
func (s *Server) pickFault(r *Request) *Fault {
	for _, in := range s.faults {
		if in.left == 0 || !in.match.matches(r) {
			continue
		}
		in.seen++
		if in.seen <= in.match.Skip || in.match.Probability > 0 && in.chance.Float64() >= in.match.Probability {
			continue
		}
		if in.left > 0 {
			in.left--
		}
		r.Notes = append(r.Notes, "fault")
		return &in.fault
	}
	return nil
}

func (m Match) matches(r *Request) bool {
	return (m.Method == "" || m.Method == r.Method) && (m.Host == "" || m.Host == r.Host) &&
		(m.Path == "" || m.Path == r.Path) && (m.GrantType == "" || m.GrantType == r.GrantType)
}

// unmet returns what did not happen. The lock must be held.
func (s *Server) unmet() (list []error) {
	for _, in := range s.faults {
		if in.fault.Required && in.left > 0 {
			list = append(list, fmt.Errorf("oauthtest: a required fault on %q did not happen %d more times", in.match.Path, in.left))
		}
	}
	return list
}

var errReset = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}

// faulty answers a request that a fault is for.
func (c *call) faulty(f *Fault) *reply {
	if f.BadCertificate {
		return dropped(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}})
	}
	var rep *reply
	if f.Commit {
		rep = c.route()
	}
	if f.Hang {
		_, _ = io.Copy(io.Discard, c.r.Body) // a listener notices that the client left only when the body was read
	}
	if err := f.wait(c.ctx); err != nil {
		return dropped(err)
	}
	switch {
	case f.Reset:
		return dropped(errReset)
	case f.Drop:
		return dropped(io.EOF)
	case f.Status != 0:
		rep = newReply(f.Status, typeText, f.Body)
	case rep == nil:
		rep = c.route()
	}
	return f.distort(rep)
}

func (f *Fault) wait(ctx context.Context) error {
	if f.Hang {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	d := f.Delay
	if f.Jitter > 0 {
		d += rand.N(f.Jitter)
	}
	return wait(ctx, d)
}

// distort changes how an answer is worded and sent.
func (f *Fault) distort(rep *reply) *reply {
	if rep.drop != nil {
		return rep
	}
	if f.Status != 0 && f.ContentType == "" && f.Body == HTMLPage {
		rep.header.Set("Content-Type", typeHTML)
	}
	if f.ContentType != "" {
		rep.header.Set("Content-Type", f.ContentType)
	}
	for name, values := range f.Header {
		for _, value := range values {
			rep.header.Add(name, value)
		}
	}
	rep.keep, rep.pause, rep.http10 = f.Truncate, f.Pause, f.HTTP10
	return rep
}
