package xapi

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// State is what the API holds at one moment. It contains no token.
type State struct {
	Posts        []Post // in the order of their creation
	PostAttempts int    // POST requests to PathTweets that carried a valid token
	AppBearers   int    // live app-only bearer tokens

	// RateUsed is what the rate limits have counted in the window of the latest
	// request to the API. The key says whose and which limit it is, such as
	// "user 2244994945 GET /2/users/me".
	RateUsed map[string]int
}

// State returns a copy of what the API holds.
func (s *Server) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := State{Posts: slices.Clone(s.posts), PostAttempts: s.attempts, AppBearers: len(s.bearers), RateUsed: map[string]int{}}
	for key, b := range s.buckets {
		if s.last.Before(b.reset) {
			st.RateUsed[strings.TrimSpace(key.owner+" "+key.endpoint)] = b.used
		}
	}
	return st
}

// saved is a snapshot: oauthtest's, and the posts.
type saved struct {
	Books    json.RawMessage `json:"books"`
	Posts    []Post          `json:"posts"`
	NextPost int             `json:"next_post"`
	Attempts int             `json:"attempts"`
}

// Snapshot returns the grants, tokens and posts as JSON, so that a demo
// survives a restart. What oauthtest leaves out, and the app-only bearers, are
// not in it.
func (s *Server) Snapshot() ([]byte, error) {
	books, err := s.Server.Snapshot()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return json.Marshal(saved{Books: books, Posts: s.posts, NextPost: s.nextPost, Attempts: s.attempts})
}

// Restore replaces the grants, tokens and posts with those of a snapshot. Data
// that is no snapshot, or that is not consistent, is an error and changes
// nothing.
func (s *Server) Restore(snapshot []byte) error {
	var in saved
	if err := json.Unmarshal(snapshot, &in); err != nil || in.Books == nil {
		return errors.New("xapi: this is no snapshot")
	}
	if err := s.Server.Restore(in.Books); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posts, s.nextPost, s.attempts = in.Posts, max(in.NextPost, s.nextPost), in.Attempts
	s.bearers = nil
	return nil
}
