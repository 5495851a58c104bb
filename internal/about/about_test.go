package about_test

import (
	"slices"
	"testing"

	"github.com/authtrip/authtrip/internal/about"
	"github.com/authtrip/authtrip/tokensource/provider"
)

func TestServer(t *testing.T) {
	p := provider.X()
	p.API.RejectedStatuses = []int{401, 403}
	s := about.Of(p)
	s.APIOrigins(nil)[0] = "https://evil.example" // the caller's copy
	if got := s.APIOrigins(nil); !slices.Equal(got, provider.X().APIOrigins) {
		t.Errorf("APIOrigins() = %q, want those of the provider", got)
	}
	s.APIFacts().RejectedStatuses[0] = 200
	if got := s.APIFacts().RejectedStatuses; !slices.Equal(got, []int{401, 403}) {
		t.Errorf("APIFacts() has the rejected statuses %d, want those of the provider", got)
	}
	if s.APIFacts().InsecureHTTP {
		t.Error("APIFacts() allows http, which the provider does not")
	}
	p.InsecureHTTP = true
	if !about.Of(p).APIFacts().InsecureHTTP {
		t.Error("APIFacts() does not allow http, which the provider does")
	}
	if got := s.Endpoints(); !slices.Equal(got, p.Endpoints()) {
		t.Errorf("Endpoints() = %q, want those of the provider", got)
	}
}
