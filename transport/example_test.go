package transport_test

import (
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
