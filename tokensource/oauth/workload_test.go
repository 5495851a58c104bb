package oauth_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// A platform replaces the file. Each request has what is in it at that moment,
// and no other authentication, whatever the provider says.
func TestAnAssertionFileIsReadForEachRequest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	s := generic()
	s.r.Credential = oauth.AssertionFile(path)
	for content, want := range map[string]string{"one.jwt.x": "one.jwt.x", "\n two.jwt.y \r\n": "two.jwt.y"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, op := range append([]operation{appToken}, operations...) {
			w := newWorld(t)
			_ = op.run(t.Context(), w.at(s)) // the request is what counts
			r := w.only().Raw()
			form := r.PostForm
			if got := form.Get("client_assertion"); got != want || form.Get("client_id") != s.r.ClientID ||
				form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
				t.Errorf("%s with the file %q: client_assertion = %q, want %q beside the client ID", op.name, content, got, want)
			}
			if form.Has("client_secret") || r.Header.Get("Authorization") != "" {
				t.Errorf("%s: the client was authenticated twice", op.name)
			}
		}
	}
}

func TestAnAssertionThatCannotBeHad(t *testing.T) {
	locked := errors.New("the metadata service is down")
	dir := t.TempDir()
	file := func(name, content string) oauth.Credential {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return oauth.AssertionFile(path)
	}
	returns := func(text string, err error) oauth.Credential {
		return oauth.AssertionFunc(func(context.Context) (string, error) { return text, err })
	}
	tests := []struct {
		name string
		c    oauth.Credential
		is   error
		want string
	}{
		{"a file that is missing", oauth.AssertionFile(filepath.Join(dir, "none")), os.ErrNotExist, "AssertionFile: "},
		{"a folder", oauth.AssertionFile(dir), nil, "AssertionFile: "},
		{"an empty file", file("empty", ""), nil, "AssertionFile: the assertion is empty"},
		{"a file with a line break only", file("blank", "\n"), nil, "AssertionFile: the assertion is empty"},
		{"a file of 64 KiB and one byte", file("long", strings.Repeat("c", 64<<10+1)), nil, "longer than 65536 bytes"},
		{"a longer file that begins with a line break", file("longer", "\n"+strings.Repeat("c", 70<<10)), nil, "longer than 65536 bytes"},
		{"a file with two lines", file("lines", "canary-1\ncanary-2\n"), nil, "must be one JWT"},
		{"a file with a NUL", file("nul", "canary\x00canary"), nil, "must be one JWT"},
		{"a function with an error", returns("canary", locked), locked, "AssertionFunc: the metadata service is down"},
		{"a function with nothing", returns("", nil), nil, "AssertionFunc: the assertion is empty"},
		{"a function with 64 KiB and one byte", returns(strings.Repeat("c", 64<<10+1), nil), nil, "longer than 65536 bytes"},
		{"a function with a space inside", returns("canary canary", nil), nil, "must be one JWT"},
	}
	for _, tt := range tests {
		for _, op := range append([]operation{appToken}, operations...) {
			w, s := newWorld(t), generic()
			s.r.Credential = tt.c
			err := op.run(t.Context(), w.at(s))
			testworld.WantIs(t, err, tokensource.ErrTemporary)
			if tt.is != nil {
				testworld.WantIs(t, err, tt.is)
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s, %s = %v, want an error with %q", tt.name, op.name, err, tt.want)
			}
			if n := len(w.Fake.Requests()); n != 0 {
				t.Errorf("%s, %s: %d requests were sent", tt.name, op.name, n)
			}
		}
	}
}

func TestAnAssertionOf64KiBIsSent(t *testing.T) {
	w, s := newWorld(t), generic()
	s.r.Credential = oauth.AssertionFunc(func(context.Context) (string, error) { return strings.Repeat("c", 64<<10), nil })
	_, _ = w.at(s).Refresh(t.Context(), someRefresh) // the request is what counts
	if got := len(w.only().Raw().PostForm.Get("client_assertion")); got != 64<<10 {
		t.Errorf("the assertion has %d bytes, want 65536", got)
	}
}

// A refused assertion is not tried in another way, and no error shows it.
func TestARefusedAssertion(t *testing.T) {
	s := generic()
	s.r.Credential = oauth.AssertionFunc(func(context.Context) (string, error) { return "canary-assertion", nil })
	for _, op := range append([]operation{appToken}, operations...) {
		w := newWorld(t)
		w.answer(http.StatusUnauthorized, `{"error":"invalid_client","error_description":"canary-assertion is not valid"}`)
		err := op.run(t.Context(), w.at(s))
		testworld.WantIs(t, err, tokensource.ErrClient)
		w.only()
		if strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "AssertionAudience") {
			t.Errorf("%s = %v, want an error that says what to check and does not show the assertion", op.name, err)
		}
	}
}

// Each function fails where it is given nothing to ask. The client is not taken
// for a public one.
func TestNewRefusesACredentialThatComesFromNowhere(t *testing.T) {
	for want, c := range map[string]oauth.Credential{
		"AssertionFile": oauth.AssertionFile(""), "AssertionFunc": oauth.AssertionFunc(nil), "MutualTLS": oauth.MutualTLS(nil),
	} {
		s := generic()
		s.r.Credential = c
		if _, err := s.client(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New() = %v, want an error that names %s", err, want)
		}
		if c.IsZero() {
			t.Errorf("IsZero() of %s = true, want false", want)
		}
	}
}

// observer is an Authenticator that learns from an answer.
type observer struct {
	assertion
	sent, seen int
}

func (o *observer) Authenticate(ctx context.Context, r *oauth.TokenRequest) error {
	o.sent++
	return o.assertion.Authenticate(ctx, r)
}

func (o *observer) Observe(_ *oauth.TokenRequest, header http.Header, code string) bool {
	o.seen++
	return code == "invalid_client" && header.Get("Date") != ""
}

// What an Authenticator has learned helps at once, unless the request contains
// what can be used once only.
func TestAnAuthenticatorThatObserves(t *testing.T) {
	for _, op := range append([]operation{appToken}, operations...) {
		for _, status := range []int{401, 503} {
			w, s, o := newWorld(t), generic(), new(observer)
			s.r.Credential = oauth.Authentication(o)
			w.answer(status, `{"error":"invalid_client"}`)
			want := 1
			if status == 401 && (op.name == "revoke" || op.name == "client_credentials") {
				want = 2
			}
			if err := op.run(t.Context(), w.at(s)); err == nil || o.sent != want || o.seen != want || len(w.Fake.Requests()) != want {
				t.Errorf("%s after %d = %v: %d requests, %d answers observed, want %d", op.name, status, err, o.sent, o.seen, want)
			}
		}
	}
}
