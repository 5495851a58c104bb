package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/transport"
)

// gateway passes calls on to an API, with the token of a user. A caller shows a
// capability in place of the token:
//
//	Authorization: Bearer <capability>
//
// The path and the query of the call are those at the API. The answer comes
// back as it is, part by part, and so do streams and upgrades.
type gateway struct {
	grants  *grant.Keeper
	allowed *capabilities
	proxy   *httputil.ReverseProxy
	audit   *slog.Logger
}

// newGateway returns a gateway for the grants of a Keeper. Nil options mean the
// API origins of its provider. It returns the error of transport.New.
func newGateway(grants *grant.Keeper, allowed *capabilities, audit *slog.Logger, o *transport.Options) (*gateway, error) {
	var strict transport.Options
	if o != nil {
		strict = *o
	}
	strict.Strict = true // a capability for an origin that gets no tokens is an error
	rt, err := transport.New(grants, &strict)
	if err != nil {
		return nil, err
	}
	return &gateway{grants: grants, allowed: allowed, audit: audit, proxy: &httputil.ReverseProxy{
		// A body whose length is unknown, as of a stream, is passed on part by part.
		Transport: rt, Rewrite: rewrite, ErrorHandler: fail, BufferPool: &buffers{},
	}}, nil
}

// buffers are kept between calls, because a call needs one of 32 KiB.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if kept, ok := b.pool.Get().(*[]byte); ok {
		return *kept
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(buffer []byte) { b.pool.Put(&buffer) }

// call is what the gateway knows of one call.
type call struct {
	target *url.URL
	err    error // why there is no answer of the API
}

type callKey struct{}

// ServeHTTP passes one call on, and writes its line into the audit.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	held, err := g.allowed.spend(shown(r), r.Method)
	answer := &counted{ResponseWriter: w}
	current := &call{err: err}
	defer g.log(r, &held, answer, current, time.Now()) // also if the caller leaves, which is a panic
	if err == nil {
		current.target, current.err = url.Parse(held.Origin)
	}
	if current.err != nil {
		refuse(answer, current.err)
	} else {
		ctx, done := g.allowed.while(r.Context(), &held)
		defer done()
		ctx = context.WithValue(g.grants.WithSubject(ctx, held.Subject), callKey{}, current)
		g.proxy.ServeHTTP(answer, r.WithContext(ctx))
	}
}

// shown returns the secret of the capability that a call shows, or "". The name
// of the scheme may have any case (RFC 9110 section 11.1).
func shown(r *http.Request) string {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return secret
}

// log writes one line of the audit. It has no query, no header and no body,
// because these may hold secrets.
func (g *gateway) log(r *http.Request, held *capability, answer *counted, current *call, begin time.Time) {
	attrs := []slog.Attr{
		slog.String("capability", held.ID), slog.String("subject", held.Subject),
		slog.String("method", r.Method), slog.String("origin", held.Origin), slog.String("path", r.URL.EscapedPath()),
		slog.Int("status", answer.status), slog.Int64("bytes", answer.bytes), slog.Duration("took", time.Since(begin)),
	}
	level := slog.LevelInfo
	if current.err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("error", current.err.Error()))
	}
	g.audit.LogAttrs(context.WithoutCancel(r.Context()), level, "call", attrs...)
}

// rewrite aims a call at its API. What the caller shows as credentials stays
// here.
func rewrite(r *httputil.ProxyRequest) {
	current, _ := r.In.Context().Value(callKey{}).(*call)
	r.SetURL(current.target)
	r.Out.Header.Del("Authorization")
	r.Out.Header.Del("Cookie")
}

// fail answers a call to which the API gave no answer.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	if cause := context.Cause(r.Context()); errors.Is(cause, errUnknown) {
		err = cause
	}
	if current, ok := r.Context().Value(callKey{}).(*call); ok {
		current.err = err
	}
	refuse(w, err)
}

// refuse says in JSON why a call was not passed on: a code for programs, and a
// text for people.
func refuse(w http.ResponseWriter, err error) {
	status, code, text := http.StatusBadGateway, "no_answer", "the API does not answer"
	switch {
	case errors.Is(err, errUnknown):
		status, code, text = http.StatusUnauthorized, "invalid_capability", err.Error()
		w.Header().Set("WWW-Authenticate", "Bearer")
	case errors.Is(err, errMethod):
		status, code, text = http.StatusForbidden, "method_not_allowed", err.Error()
	case errors.Is(err, errSpent):
		status, code, text = http.StatusTooManyRequests, "budget_spent", err.Error()
	case errors.Is(err, tokensource.ErrReauthorize):
		status, code, text = http.StatusForbidden, "login_required", "the user must log in again"
	case errors.Is(err, tokensource.ErrTemporary):
		status, code, text = http.StatusServiceUnavailable, "try_later", "there is no token now"
		if e, ok := errors.AsType[*tokensource.Error](err); ok && e.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
		}
	}
	answerJSON(w, status, map[string]string{"error": code, "text": text})
}

func answerJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

// counted counts what is answered. Flush and Hijack reach the writer below by
// Unwrap.
type counted struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (c *counted) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *counted) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	n, err := c.ResponseWriter.Write(b)
	c.bytes += int64(n)
	return n, err
}

// Unwrap serves http.ResponseController.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }
