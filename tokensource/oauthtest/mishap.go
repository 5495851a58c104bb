package oauthtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"reflect"
	"syscall"
	"time"
)

var (
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
)

// ownFault asks Knobs.Fault. It returns nil for the zero Fault.
func (c *call) ownFault() *mishap {
	c.s.mu.Lock()
	seen := c.rec.clone()
	c.s.mu.Unlock()
	f := c.k.Fault(c.ctx, seen)
	if reflect.ValueOf(f).IsZero() {
		return nil
	}
	c.note("fault")
	return &mishap{Fault: f}
}

// faulty answers a request that a fault is for.
func (c *call) faulty(m *mishap) *reply {
	if m.BadCertificate {
		return dropped(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}})
	}
	if err := m.gathered(c.ctx); err != nil {
		return dropped(err)
	}
	if m.Late {
		return c.late(m)
	}
	var rep *reply
	if m.Commit {
		rep = c.route()
	}
	if m.Hang {
		// A listener notices that the client left only when the body was read.
		_, _ = io.Copy(io.Discard, c.r.Body)
		<-c.ctx.Done()
		return dropped(context.Cause(c.ctx))
	}
	if err := wait(c.ctx, m.Delay); err != nil {
		return dropped(err)
	}
	return c.finish(m, rep)
}

func (m *mishap) gathered(ctx context.Context) error {
	if m.gate == nil {
		return nil
	}
	select {
	case <-m.gate:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// finish answers after all waiting. rep is the answer of a request that had its
// effect, or nil.
func (c *call) finish(m *mishap, rep *reply) *reply {
	switch {
	case m.Reset:
		return dropped(errReset)
	case m.Drop:
		return dropped(io.EOF)
	case m.Status != 0:
		rep = newReply(m.Status, typeText, m.Body)
	case rep == nil:
		rep = c.route()
	}
	return m.distort(rep)
}

// late handles the request after the delay, whether the client still waits or
// not.
func (c *call) late(m *mishap) *reply {
	later := *c
	if c.op == opIdentity || c.op == opAPI || c.foreign {
		body, err := io.ReadAll(c.r.Body)
		if err != nil {
			return dropped(err)
		}
		c.r.Body = io.NopCloser(bytes.NewReader(body))
	}
	later.ctx = context.WithoutCancel(c.ctx)
	later.r = c.r.WithContext(later.ctx)
	done := make(chan *reply, 1)
	time.AfterFunc(m.Delay, func() {
		rep := later.route()
		later.note("handled late")
		if c.ctx.Err() != nil {
			later.notify()
			return
		}
		if !m.Hang {
			done <- later.finish(m, rep)
		}
	})
	select {
	case rep := <-done:
		return rep
	case <-c.ctx.Done():
		return dropped(context.Cause(c.ctx))
	}
}

// distort changes how an answer is worded and sent.
func (m *mishap) distort(rep *reply) *reply {
	if rep.drop != nil {
		return rep
	}
	if m.Status != 0 && m.ContentType == "" && bytes.HasPrefix(rep.body, []byte("<!DOCTYPE html>")) {
		rep.header.Set("Content-Type", typeHTML)
	}
	if m.ContentType != "" {
		rep.header.Set("Content-Type", m.ContentType)
	}
	for name, values := range m.Header {
		for _, value := range values {
			rep.header.Add(name, value)
		}
	}
	rep.keep, rep.pause, rep.http10 = m.Truncate, m.Pause, m.HTTP10
	return rep
}
