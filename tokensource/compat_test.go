package tokensource_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"testing"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/tokensource"
)

func TestErrorTimeout(t *testing.T) {
	for name, tt := range map[string]struct {
		cause error
		want  bool
	}{
		"no cause":                  {nil, false},
		"a deadline":                {context.DeadlineExceeded, true},
		"a wrapped deadline":        {fmt.Errorf("gave up: %w", context.DeadlineExceeded), true},
		"a deadline of a file":      {os.ErrDeadlineExceeded, true},
		"a timeout of net":          {fmt.Errorf("x: %w", &net.DNSError{IsTimeout: true}), true},
		"another error of net":      {&net.DNSError{IsNotFound: true}, false},
		"a caller who left":         {context.Canceled, false},
		"another error":             {errors.New("x"), false},
		"a timeout of another kind": {&tokensource.Error{Err: context.DeadlineExceeded}, true},
	} {
		err := &tokensource.Error{Op: "refresh", Kind: tokensource.ErrTemporary, Err: tt.cause}
		if got := err.Timeout(); got != tt.want {
			t.Errorf("%s: Timeout() = %v, want %v", name, got, tt.want)
		}
		// An http.Client wraps what its transport returns.
		if got := (&url.Error{Err: err}).Timeout(); got != tt.want {
			t.Errorf("%s: Timeout() of the *url.Error = %v, want %v", name, got, tt.want)
		}
	}
}

func TestAnErrorIsARetrieveError(t *testing.T) {
	err := fmt.Errorf("app: %w", &tokensource.Error{
		Op: "refresh", Kind: tokensource.ErrReauthorize, Status: http.StatusBadRequest, Code: "invalid_grant", Description: "gone",
	})
	var retrieve *oauth2.RetrieveError
	if !errors.As(err, &retrieve) {
		t.Fatalf("errors.As(%v) found no *oauth2.RetrieveError", err)
	}
	if retrieve.Response.StatusCode != 400 || retrieve.ErrorCode != "invalid_grant" || retrieve.ErrorDescription != "gone" ||
		retrieve.Body != nil || retrieve.Error() == "" {
		t.Errorf("the *oauth2.RetrieveError = %+v", retrieve)
	}
	for name, tt := range map[string]struct {
		err  *tokensource.Error
		want bool
	}{
		"an exchange":                    {&tokensource.Error{Op: "exchange", Status: 400}, true},
		"client credentials":             {&tokensource.Error{Op: "client_credentials", Status: 401}, true},
		"a refusal that is remembered":   {&tokensource.Error{Op: "token", Code: "invalid_grant"}, true},
		"200 with an error":              {&tokensource.Error{Op: "refresh", Status: 200, Code: "x"}, true},
		"no answer":                      {&tokensource.Error{Op: "refresh", Err: errors.New("x")}, false},
		"an answer of another endpoint":  {&tokensource.Error{Op: "identity", Status: 401}, false},
		"an answer to a revocation":      {&tokensource.Error{Op: "revoke", Status: 503}, false},
		"a failure of the store":         {&tokensource.Error{Op: "store", Status: 500}, false},
		"a record that cannot be loaded": {&tokensource.Error{Op: "load", Code: "x"}, false},
	} {
		if got, found := errors.AsType[*oauth2.RetrieveError](tt.err); found != tt.want || found && got.Error() == "" {
			t.Errorf("%s: found an *oauth2.RetrieveError: %v, want %v", name, found, tt.want)
		}
	}
	var other *net.OpError
	if errors.As(err, &other) {
		t.Error("errors.As() found an error of another type")
	}
}
