package atproto_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/jose/atproto"
	"github.com/authtrip/authtrip/tokensource/jose/atproto/identity"
	"github.com/authtrip/authtrip/tokensource/nativeapp"
	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// desk is a program on the machine of a user, whose browser consents as the
// user whom the server believes to be there.
type desk struct {
	*world
	as     string
	native *atproto.Native
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	dev := atproto.Development("http://127.0.0.1/callback", "atproto", "transition:generic")
	w := newWorld(t, nil, known(), oauthtest.App{ClientID: dev.ClientID, RedirectURLs: []string{dev.RedirectURL}})
	d := &desk{world: w}
	for _, fake := range []*oauthtest.Server{w.entryway, w.alone} {
		fake.Set(func(k *oauthtest.Knobs) { k.Authorize.AnyLoopbackPort = true })
	}
	app := newApp(t)
	app.Registration, app.Keys, app.LoginPage = dev, nil, ""
	var err error
	d.native, err = atproto.NewNative(resolver(t, w.net), app, &nativeapp.Options{Open: d.open})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.native.Close() })
	return d
}

// open is the browser.
func (d *desk) open(ctx context.Context, target string) error {
	fake := d.entryway
	if d.as == bob {
		fake = d.alone
	}
	answer, err := fake.Authorize(ctx, d.as, target)
	if err != nil {
		return err
	}
	go func() {
		r, err := http.NewRequest(http.MethodGet, answer, nil)
		if err != nil {
			d.Error(err)
			return
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			d.Error(err)
			return
		}
		resp.Body.Close()
	}()
	return nil
}

// A program without a web server logs users in, by a handle or at a server.
func TestNativeLogin(t *testing.T) {
	d := newDesk(t)
	for _, tt := range []struct{ name, in, as, at string }{
		{"a handle", "alice.test", alice, pds},
		{"a DID", carol, carol, pds},
		{"a server", "https://own.test", bob, own},
	} {
		d.as = tt.as
		a, err := d.native.Login(t.Context(), tt.in)
		if err != nil || a.DID != tt.as || a.Server != tt.at {
			t.Fatalf("%s: Login(%q) = %+v, %v, want %s at %s", tt.name, tt.in, a, err, tt.as, tt.at)
		}
		src, _, err := d.native.Source(t.Context(), a.DID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := src.Token(t.Context()); err != nil {
			t.Errorf("%s: Token = %v", tt.name, err)
		}
		if err := d.native.Logout(t.Context(), a); err != nil {
			t.Errorf("%s: Logout = %v", tt.name, err)
		}
		if _, err := src.Token(t.Context()); !errors.Is(err, tokensource.ErrReauthorize) {
			t.Errorf("%s: Token after the logout = %v, want ErrReauthorize", tt.name, err)
		}
	}
}

func TestNativeLoginRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, in, as string
		want         error
	}{
		{"another user than the one who was asked for", "alice.test", carol, identity.ErrUser},
		{"a handle that nobody has", "nobody.test", alice, identity.ErrNotFound},
		{"a server with a path", "https://entryway.test/path", alice, identity.ErrIdentifier},
		{"an empty text", "", alice, identity.ErrIdentifier},
	} {
		d := newDesk(t)
		d.as = tt.as
		if a, err := d.native.Login(t.Context(), tt.in); !errors.Is(err, tt.want) {
			t.Errorf("%s: Login(%q) = %+v, %v, want %v", tt.name, tt.in, a, err, tt.want)
		}
		for _, g := range d.entryway.Grants() {
			if g.LiveRefresh != 0 {
				t.Errorf("%s: the grant lives, want its tokens revoked", tt.name)
			}
		}
	}
}
