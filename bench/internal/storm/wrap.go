package storm

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/authtrip/authtrip/bench/internal/peers"
	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/transport"
)

// Wraps are the contenders.
var Wraps = []struct {
	Name string
	Wrap Wrap
}{{AsShipped, wrapOAuth2}, {Ideal, wrapIdeal}, {Authtrip, wrapAuthtrip}}

// token returns the login's first token.
func (l Login) token() *oauth2.Token {
	tok := &oauth2.Token{AccessToken: access(0), RefreshToken: refresh(0), TokenType: "bearer", Expiry: time.Now().Add(time.Hour)}
	if l.Expired {
		tok.Expiry = time.Now().Add(-time.Minute)
	}
	return tok
}

func wrapOAuth2(l Login) (http.RoundTripper, func() error, error) {
	config := &oauth2.Config{ClientID: "bench", Endpoint: oauth2.Endpoint{TokenURL: l.TokenURL, AuthStyle: oauth2.AuthStyleInParams}}
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: l.Base})
	return &oauth2.Transport{Source: config.TokenSource(ctx, l.token()), Base: l.Base}, nil, nil
}

// wrapAuthtrip is the engine on a store in memory, with all defaults.
func wrapAuthtrip(l Login) (http.RoundTripper, func() error, error) {
	client, err := peers.NewClient(l.TokenURL, l.Base)
	if err != nil {
		return nil, nil, err
	}
	g, err := grant.New(client, storage.NewMemory(), nil)
	if err != nil {
		return nil, nil, err
	}
	if _, err := g.Save(context.Background(), "user", l.token()); err != nil {
		return nil, nil, err
	}
	rt, err := transport.New(g.Source("user"), &transport.Options{Base: l.Base, Origins: []string{l.Origin}})
	return rt, g.Close, err
}

// ideal refreshes once for each token that failed, outlives its caller,
// and replays: what is left when everything is taken away that a real client
// needs.
type ideal struct {
	l      Login
	flight singleflight.Group

	mu  sync.Mutex // guards tok; never held while refreshing
	tok *oauth2.Token
}

func wrapIdeal(l Login) (http.RoundTripper, func() error, error) {
	return &ideal{l: l, tok: l.token()}, nil, nil
}

// RoundTrip implements http.RoundTripper.
func (i *ideal) RoundTrip(req *http.Request) (*http.Response, error) {
	tok := i.current()
	if !tok.Expiry.After(time.Now()) {
		var err error
		if tok, err = i.renew(req.Context(), tok); err != nil {
			return nil, err
		}
	}
	resp, err := i.send(req, tok)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	resp.Body.Close()
	fresh, err := i.renew(req.Context(), tok)
	if err != nil {
		return nil, err
	}
	return i.send(req, fresh)
}

func (i *ideal) send(req *http.Request, tok *oauth2.Token) (*http.Response, error) {
	r := req.Clone(req.Context())
	r.Header.Set("Authorization", "Bearer "+tok.AccessToken)
	return i.l.Base.RoundTrip(r)
}

func (i *ideal) current() *oauth2.Token {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.tok
}

func (i *ideal) renew(ctx context.Context, failed *oauth2.Token) (*oauth2.Token, error) {
	if tok := i.current(); tok != failed {
		return tok, nil
	}
	ch := i.flight.DoChan(failed.AccessToken, func() (any, error) {
		if tok := i.current(); tok != failed {
			return tok, nil
		}
		tok, err := i.redeem(context.WithoutCancel(ctx), failed.RefreshToken)
		if err == nil {
			i.mu.Lock()
			i.tok = tok
			i.mu.Unlock()
		}
		return tok, err
	})
	select {
	case r := <-ch:
		tok, _ := r.Val.(*oauth2.Token)
		return tok, r.Err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (i *ideal) redeem(ctx context.Context, refreshToken string) (*oauth2.Token, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.l.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := i.l.Base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.AccessToken == "" {
		return nil, errors.New("storm: no token")
	}
	return &oauth2.Token{AccessToken: answer.AccessToken, RefreshToken: answer.RefreshToken, Expiry: time.Now().Add(time.Hour)}, nil
}
