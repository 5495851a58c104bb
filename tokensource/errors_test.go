package tokensource_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/authtrip/authtrip/internal/testworld"
	"github.com/authtrip/authtrip/tokensource"
)

func TestErrorText(t *testing.T) {
	err := fmt.Errorf("app: %w", &tokensource.Error{
		Op: "refresh", Kind: tokensource.ErrTemporary, Status: 503, Code: "server_error", Description: "busy",
		RetryAfter: 1500 * time.Millisecond, InDoubt: true, Hint: "wait", Err: errors.New("cause"),
	})
	want := "app: tokensource: refresh: temporary failure: HTTP 503: server_error (busy): the outcome is unknown: retry after 2s: cause: wait"
	if got := err.Error(); got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	gone := &tokensource.Error{Op: "token", Kind: tokensource.ErrNoGrant, Reason: tokensource.ReasonNoGrant}
	if got, want := gone.Error(), "tokensource: token: no grant"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	testworld.WantIs(t, gone, tokensource.ErrReauthorize)
	if got := (&tokensource.Error{Op: "load"}).Unwrap(); len(got) != 0 {
		t.Errorf("Unwrap() = %v, want nothing", got)
	}
}
