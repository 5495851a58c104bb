package transport_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// The http.Client that a program has gets a Transport around the one it used
// before. When the server rejects the token, the source renews it and the
// request is sent again: the program sees only the answer.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		fmt.Println("the server gets", req.Method, req.Header.Get("Authorization"))
		if req.Header.Get("Authorization") != "Bearer tok-2" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, "hello")
	}))
	defer server.Close()
	source := newSource() // such as a *grant.Keeper
	client := server.Client()

	rt, err := transport.New(source, &transport.Options{Base: client.Transport, Origins: []string{server.URL}})
	if err != nil {
		fmt.Println(err)
		return
	}
	client.Transport = rt
	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println("the program gets", resp.StatusCode, string(body))
	// Output:
	// the server gets GET Bearer tok-1
	// the server gets GET Bearer tok-2
	// the program gets 200 hello
}

// When no token can be had, the error says what to do about it.
func ExampleTransport_reauthorize() {
	source := &fakeSource{tokenErr: tokensource.ErrNoGrant}
	rt, err := transport.New(source, &transport.Options{Origins: []string{"https://api.x.com"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := &http.Client{Transport: rt}
	_, err = client.Get("https://api.x.com/2/users/me")
	switch {
	case errors.Is(err, tokensource.ErrReauthorize):
		fmt.Println("send the user to the login page")
	case errors.Is(err, tokensource.ErrTemporary):
		fmt.Println("try again later")
	}
	// Output: send the user to the login page
}

// A rate limit that lasts longer than RetryOptions.MaxWait is not waited for.
func ExampleRateLimitFrom() {
	resp := &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{}}
	resp.Header.Set("x-rate-limit-limit", "75")
	resp.Header.Set("x-rate-limit-remaining", "0")
	resp.Header.Set("x-rate-limit-reset", "4102444800")
	if limit, ok := transport.RateLimitFrom(resp); ok && limit.Remaining == 0 {
		fmt.Println(limit.Name, "is used up until", limit.Reset.UTC().Format("2006-01-02"))
	}
	// Output: x-rate-limit is used up until 2100-01-01
}

// A GraphQL server may answer 200 and say in the body that the token has
// expired.
func ExamplePeek() {
	expired := func(resp *http.Response) bool {
		return resp.StatusCode == http.StatusUnauthorized ||
			resp.Header.Get("Content-Type") == "application/json" && bytes.Contains(transport.Peek(resp, 4096), []byte(`"TOKEN_EXPIRED"`))
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if req.Header.Get("Authorization") != "Bearer tok-2" {
			fmt.Fprint(w, `{"errors":[{"extensions":{"code":"TOKEN_EXPIRED"}}]}`)
			return
		}
		fmt.Fprint(w, `{"data":"hello"}`)
	}))
	defer server.Close()

	rt, err := transport.New(newSource(), &transport.Options{Origins: []string{server.URL}, Rejected: expired})
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := (&http.Client{Transport: rt}).Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(string(body))
	// Output: {"data":"hello"}
}

// A 403 may name the scopes that a new login must ask for, besides those that
// the grant has.
func ExampleInsufficientFrom() {
	resp := &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}}
	resp.Header.Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="tweet.write"`)
	if lack, ok := transport.InsufficientFrom(resp); ok {
		fmt.Println(lack.Code, lack.Scopes, errors.Is(lack, tokensource.ErrReauthorize))
	}
	// Output: insufficient_scope [tweet.write] true
}
