package transport_test

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// T11: What the grant of a user lacks for a request is a typed fact: scopes, or
// a stronger or more recent login.
func TestT11_InsufficientFrom(t *testing.T) {
	scope := func(list ...string) *transport.InsufficientError {
		return &transport.InsufficientError{Code: "insufficient_scope", Scopes: list}
	}
	login := func(age time.Duration, acr ...string) *transport.InsufficientError {
		e := &transport.InsufficientError{Code: "insufficient_user_authentication", ACRValues: acr}
		if age >= 0 {
			e.MaxAge = new(age)
		}
		return e
	}
	tests := []struct {
		in   []string
		want *transport.InsufficientError
	}{
		{nil, nil},
		{[]string{`Bearer`}, nil},
		{[]string{`Bearer error="invalid_token", scope="a"`}, nil},
		{[]string{`Basic error="insufficient_scope", scope="a"`}, nil},
		{[]string{`Bearer realm="error=insufficient_scope"`}, nil},
		{[]string{`Bearer error="INSUFFICIENT_SCOPE"`}, nil},
		{[]string{`Bearer error="insufficient_scope"`}, scope()},
		{[]string{`bearer ERROR=insufficient_scope, scope=a`}, scope("a")},
		{[]string{`Bearer error="insufficient_scope", scope="a b  c a"`}, scope("a", "b", "c")},
		{[]string{`Bearer error="insufficient_scope", scope="https://api.example/read"`}, scope("https://api.example/read")},
		{[]string{"Bearer error=\"insufficient_scope\", scope=\"a b\x07 \\\\ é \x7f c\""}, scope("a", "c")},
		{[]string{`Bearer error="insufficient_scope", scope=""`}, scope()},
		{[]string{`DPoP error="insufficient_scope", scope="a", algs="ES256"`}, scope("a")},
		{[]string{`Basic realm="x"`, `Bearer error="insufficient_scope", scope="a"`}, scope("a")},
		{[]string{`Bearer error="insufficient_scope", scope="a", DPoP error="insufficient_scope", scope="b"`}, scope("a", "b")},
		{[]string{`Bearer error="insufficient_user_authentication", error_description="A different authentication level is required", acr_values="myACR"`}, login(-1, "myACR")},
		{[]string{`Bearer error="insufficient_user_authentication", acr_values="a b"`}, login(-1, "a", "b")},
		{[]string{`Bearer error="insufficient_user_authentication", max_age="5"`}, login(5 * time.Second)},
		{[]string{`Bearer error="insufficient_user_authentication", max_age=0`}, login(0)},
		{[]string{`Bearer error="insufficient_user_authentication", max_age="-1"`}, login(-1)},
		{[]string{`Bearer error="insufficient_user_authentication", max_age="soon"`}, login(-1)},
		{[]string{`Bearer error="insufficient_user_authentication", max_age="99999999999999999999"`}, login(-1)},
		{[]string{`Bearer error="insufficient_user_authentication", max_age="60", DPoP error="insufficient_user_authentication", max_age="30"`}, login(30 * time.Second)},
	}
	for _, tt := range tests {
		got, ok := transport.InsufficientFrom(&http.Response{StatusCode: 403, Header: http.Header{"Www-Authenticate": tt.in}})
		if ok != (tt.want != nil) || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("InsufficientFrom(%q) = %+v, %t, want %+v", tt.in, got, ok, tt.want)
		}
	}
	if _, ok := transport.InsufficientFrom(nil); ok {
		t.Error("InsufficientFrom(nil) = true, want false")
	}
	many := "Bearer error=insufficient_scope, scope=\"" + strings.Repeat("a ", 500) + strings.Join(strings.Split(strings.Repeat("x", 300), ""), "y ") + "\""
	if got, _ := transport.InsufficientFrom(&http.Response{Header: http.Header{"Www-Authenticate": {many}}}); len(got.Scopes) > 100 {
		t.Errorf("InsufficientFrom of hundreds of scopes has %d, want at most 100", len(got.Scopes))
	}
}

// A handler can return the error as it is: the user can help, by a new login.
func TestInsufficientErrorAsksForALogin(t *testing.T) {
	var err error = &transport.InsufficientError{
		Code: "insufficient_scope", Scopes: []string{"tweet.read", "tweet.write"}, ACRValues: []string{"high"}, MaxAge: new(time.Minute),
	}
	if !errors.Is(err, tokensource.ErrReauthorize) {
		t.Errorf("%v matches ErrReauthorize = false, want true", err)
	}
	for _, part := range []string{"insufficient_scope", "tweet.read tweet.write", "high", "1m0s"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("Error() = %q, want it to contain %q", err, part)
		}
	}
}
