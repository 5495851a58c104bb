// Package storm plays refresh storms: many requests at once hold one token that
// the API no longer accepts, refresh tokens are single-use, and the reuse of
// one ends the login (RFC 9700 section 4.14.2).
package storm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Shape is how the answers of the API come: after First, spread up to Last.
type Shape struct {
	Name        string
	First, Last time.Duration
}

// Shapes are the storms of the table: all answers together, or some of them
// long after the refresh is over.
var Shapes = []Shape{
	{"flat", 20 * time.Millisecond, 20 * time.Millisecond},
	{"late", 20 * time.Millisecond, 100 * time.Millisecond},
}

// Server is an API and the token endpoint before it, for one login. It is an
// http.RoundTripper, for storms in memory, and an http.Handler.
type Server struct {
	Shape   Shape
	Refresh time.Duration // what the token endpoint takes

	mu              sync.Mutex // guards what follows; never held while waiting
	generation      int        // of the tokens that are good
	revoked         bool
	requests        int
	calls, accepted int
}

// Counts are what a server saw.
type Counts struct {
	Calls    int // of the token endpoint
	Accepted int // requests to the API with a good token
	Revoked  bool
}

// Counts returns them.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Counts{s.calls, s.accepted, s.revoked}
}

// Access and Refresh tokens of a generation. The first login holds those of
// generation 0, whose access token is dead.
func access(generation int) string  { return fmt.Sprintf("access-%d", generation) }
func refresh(generation int) string { return fmt.Sprintf("refresh-%d", generation) }

// api answers one request that came with auth.
func (s *Server) api(ctx context.Context, auth string) (int, error) {
	s.mu.Lock()
	good := !s.revoked && s.generation > 0 && auth == "Bearer "+access(s.generation)
	s.requests++
	const golden = 0.6180339887 // its multiples are spread evenly
	share := float64(s.requests) * golden
	share -= float64(int(share))
	if good {
		s.accepted++
	}
	s.mu.Unlock()
	if err := wait(ctx, s.Shape.First+time.Duration(share*float64(s.Shape.Last-s.Shape.First))); err != nil {
		return 0, err
	}
	if good {
		return http.StatusOK, nil
	}
	return http.StatusUnauthorized, nil
}

// token redeems a refresh token.
func (s *Server) token(ctx context.Context, presented string) (int, []byte, error) {
	s.mu.Lock()
	s.calls++
	good := !s.revoked && presented == refresh(s.generation)
	if good {
		s.generation++
	} else {
		s.revoked = true
	}
	generation := s.generation
	s.mu.Unlock()
	if err := wait(ctx, s.Refresh); err != nil {
		return 0, nil, err
	}
	if !good {
		return http.StatusBadRequest, []byte(`{"error":"invalid_grant"}`), nil
	}
	body, err := json.Marshal(map[string]any{
		"access_token": access(generation), "refresh_token": refresh(generation), "token_type": "bearer", "expires_in": 7200,
	})
	return http.StatusOK, body, err
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

const tokenPath = "/token"

// answer serves one request, whatever way it came.
func (s *Server) answer(req *http.Request) (int, []byte, error) {
	if req.URL.Path != tokenPath {
		status, err := s.api(req.Context(), strings.Join(req.Header["Authorization"], ","))
		return status, nil, err
	}
	form, err := io.ReadAll(req.Body)
	if err != nil {
		return 0, nil, err
	}
	values, err := url.ParseQuery(string(form))
	if err != nil {
		return 0, nil, err
	}
	return s.token(req.Context(), values.Get("refresh_token"))
}

// RoundTrip implements http.RoundTripper.
func (s *Server) RoundTrip(req *http.Request) (*http.Response, error) {
	status, body, err := s.answer(req)
	if req.Body != nil {
		req.Body.Close()
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: int64(len(body)),
		Body: io.NopCloser(bytes.NewReader(body)), Request: req,
	}, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, body, err := s.answer(r)
	if err != nil {
		return // the client has gone
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body)
}
