package oauthtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// userKey and pressKey tell the server who sits at the browser, and that whoever it is will press Authorize.
type (
	userKey  struct{}
	pressKey struct{}
)

// Authorize plays the browser and the user at an authorization URL, in memory, and returns the URL that the browser would
// be sent back to: a success or an error, as the knobs say. It is an error if there is no redirect: X shows a page instead
// when the app or its redirect URL is not registered.
func (s *Server) Authorize(ctx context.Context, authorizationURL string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, authorizationURL, nil)
	if err != nil {
		return "", errors.New("oauthtest: the authorization URL cannot be parsed")
	}
	if req.URL.Path != PathAuthorize {
		return "", fmt.Errorf("oauthtest: the authorization URL has the path %q, not %s", req.URL.Path, PathAuthorize)
	}
	req = req.WithContext(context.WithValue(ctx, pressKey{}, true))
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

// AuthorizeAs is Authorize with the user who is logged in to the browser, in place of AuthorizeKnobs.User.
func (s *Server) AuthorizeAs(ctx context.Context, userID, authorizationURL string) (string, error) {
	return s.Authorize(context.WithValue(ctx, userKey{}, userID), authorizationURL)
}

// DriveCallback is Authorize, and then a GET of the callback with client, which plays the browser: give it the cookie jar
// that the login began with. The caller closes the response's body.
func (s *Server) DriveCallback(ctx context.Context, client *http.Client, authorizationURL string) (*http.Response, error) {
	callback, err := s.Authorize(ctx, authorizationURL)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, callback, nil)
	if err != nil {
		return nil, errors.New("oauthtest: the callback URL cannot be parsed")
	}
	resp, err := client.Do(req)
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return nil, fmt.Errorf("oauthtest: callback: %w", wrapped.Err) // without the URL, which holds the code
	}
	return resp, err
}
