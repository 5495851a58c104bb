package oauthtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// userKey and pressKey are in the context of a request that Authorize makes.
// They say who sits at the browser, and that nobody has to press a button.
type (
	userKey  struct{}
	pressKey struct{}
)

// Authorize plays the browser and the user at an authorization URL, in memory,
// and returns the URL that the browser would be sent back to: a success or an
// error, as the knobs say. userID is the user who is logged in to the browser;
// empty means the one of Knobs.Authorize.User. It is an error if the server
// shows a page in place of a redirect, because the app or its redirect URL is
// not registered.
func (s *Server) Authorize(ctx context.Context, userID, authorizationURL string) (string, error) {
	if userID != "" {
		ctx = context.WithValue(ctx, userKey{}, userID)
	}
	ctx = context.WithValue(ctx, pressKey{}, true)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, authorizationURL, nil)
	if err != nil {
		return "", errors.New("oauthtest: the authorization URL cannot be parsed")
	}
	if s.routes.find(req) != opAuthorize {
		return "", fmt.Errorf("oauthtest: %s%s is not the authorization endpoint", req.URL.Host, req.URL.Path)
	}
	rep := s.answer(req, req.URL.Scheme == "https", false)
	if rep.drop != nil {
		return "", fmt.Errorf("oauthtest: no answer: %w", rep.drop)
	}
	location := rep.header.Get("Location")
	if location == "" {
		return "", fmt.Errorf("oauthtest: a page and no redirect: HTTP %d: is the redirect URL registered?", rep.status)
	}
	return location, nil
}
