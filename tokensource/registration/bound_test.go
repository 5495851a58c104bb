package registration_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/tokensource/registration"
)

// Servers that come from outside and register nothing fill no memory.
func TestManyServersThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{err: errors.New("down")}
		r := s.process(t, sealed(t, storage.NewMemory()), registration.Metadata{}, registration.Options{})
		for i := range 100 {
			p := as()
			p.Issuer = fmt.Sprintf("https://as-%d.example", i)
			if _, err := r.Current(t.Context(), p); err == nil {
				t.Fatal("Current() = nil, want an error")
			}
			time.Sleep(time.Second)
		}
		if n := r.Failures(); n > 10 {
			t.Errorf("%d errors are kept, want those of the last 10 seconds", n)
		}
	})
}

// patient is a server that wants to be asked again in a long time.
type patient struct{}

func (patient) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {"2147483647"}}, Body: io.NopCloser(strings.NewReader(""))}, nil
}

func TestRetryAfterOfManyYears(t *testing.T) {
	r, err := registration.New(sealed(t, storage.NewMemory()), registration.Metadata{RedirectURLs: []string{callback}},
		&registration.Options{HTTPClient: &http.Client{Transport: patient{}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Current(t.Context(), as())
	if e, ok := errors.AsType[*tokensource.Error](err); !ok || e.RetryAfter != time.Hour {
		t.Errorf("Current() = %v, want RetryAfter of an hour", err)
	}
}

// The token of one server is not sent to another one.
func TestInitialTokenOfOneOfTwoServers(t *testing.T) {
	s := new(server)
	r := s.process(t, sealed(t, storage.NewMemory()), registration.Metadata{}, registration.Options{
		InitialToken: func(_ context.Context, p *provider.Provider) (string, error) {
			if p.Issuer == "https://as.example" {
				return "canary-initial", nil
			}
			return "", nil
		},
	})
	other := as()
	other.Issuer = "https://other.example"
	for i, p := range []*provider.Provider{as(), other} {
		if _, err := r.Current(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if got, want := s.headers[i].Get("Authorization"), []string{"Bearer canary-initial", ""}[i]; got != want {
			t.Errorf("the registration at %s has the header %q, want %q", p.Issuer, got, want)
		}
	}
}
