package transport_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// shaky returns an API that answers 503 to the first request for each path.
func shaky() *httptest.Server {
	seen := map[string]bool{}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !seen[r.URL.Path] {
			seen[r.URL.Path] = true
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
}

// May a request be sent twice after a failure? A GET may. A POST may if the API
// knows the header Idempotency-Key: it then does the work once, however often
// the request comes. Without that header the program gets the failure.
func ExampleRetryOptions_idempotencyKey() {
	api := shaky()
	defer api.Close()
	source, err := tokensource.Static("token") // such as a *grant.Keeper
	if err != nil {
		log.Fatal(err)
	}
	rt, err := transport.New(source, &transport.Options{
		Origins: []string{api.URL},
		Retry:   &transport.RetryOptions{FirstWait: time.Millisecond}, // zero is half a second
	})
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: rt}
	post := func(path, key string) {
		req, err := http.NewRequest(http.MethodPost, api.URL+path, strings.NewReader(`{"text":"hello"}`))
		if err != nil {
			log.Fatal(err)
		}
		if key != "" {
			req.Header.Set("Idempotency-Key", key) // of this post, and the same when the program posts it again
		}
		resp, err := client.Do(req)
		if err != nil {
			log.Fatal(err)
		}
		_ = resp.Body.Close()
		fmt.Println(path, resp.StatusCode)
	}
	post("/without", "")
	post("/with", "post-17")
	// Output:
	// /without 503
	// /with 200
}

// How long may a request wait for a rate limit? Up to MaxWait. If the server
// asks for more, the program gets the answer at once, and decides itself.
func ExampleRetryOptions_rateLimit() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "900")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer api.Close()
	source, err := tokensource.Static("token")
	if err != nil {
		log.Fatal(err)
	}
	rt, err := transport.New(source, &transport.Options{
		Origins: []string{api.URL},
		Retry:   &transport.RetryOptions{MaxWait: 10 * time.Second},
	})
	if err != nil {
		log.Fatal(err)
	}
	resp, err := (&http.Client{Transport: rt}).Get(api.URL)
	if err != nil {
		log.Fatal(err)
	}
	_ = resp.Body.Close()
	fmt.Println(resp.StatusCode, "try again in", resp.Header.Get("Retry-After"), "seconds")
	// Output: 429 try again in 900 seconds
}

// Can the body of a request be sent again with another token? A body that
// net/http can read again (GetBody) can, however long it is, and so can a short
// one. Of a long stream, the caller gets the 401. The token is renewed all the
// same, so the next attempt of the program succeeds.
func ExampleOptions_streamingBody() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		if r.Header.Get("Authorization") != "Bearer tok-2" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, n)
	}))
	defer api.Close()
	upload := func(body io.Reader) {
		rt, err := transport.New(newSource(), &transport.Options{
			Origins:       []string{api.URL},
			MaxReplayBody: 1 << 10, // of a stream; zero is 64 KiB
		})
		if err != nil {
			log.Fatal(err)
		}
		resp, err := (&http.Client{Transport: rt}).Post(api.URL, "application/octet-stream", body)
		if err != nil {
			log.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		fmt.Println(resp.StatusCode, string(text))
	}
	file := make([]byte, 1<<20)
	upload(bytes.NewReader(file))                 // NewRequest sets GetBody: a file needs a GetBody that opens it again
	upload(io.MultiReader(bytes.NewReader(file))) // a stream
	// Output:
	// 200 1048576
	// 401
}

// A request to an origin that gets no token is sent without one. In a program
// that has one API only, Strict makes an error of that.
func ExampleOptions_strict() {
	source, err := tokensource.Static("token")
	if err != nil {
		log.Fatal(err)
	}
	rt, err := transport.New(source, &transport.Options{Origins: []string{"https://api.x.com"}, Strict: true})
	if err != nil {
		log.Fatal(err)
	}
	ctx := tokensource.WithSubject(context.Background(), tokensource.Owner{Authority: "https://x.com", ClientID: "app"}, "7")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.x.example/2/users/me", nil) // a wrong host
	if err != nil {
		log.Fatal(err)
	}
	_, err = (&http.Client{Transport: rt}).Do(req)
	fmt.Println(errors.Is(err, transport.ErrOtherOrigin))
	// Output: true
}

// A program with go-retryablehttp above the Transport sets CheckRetry, so that
// it learns at once that a user must log in.
func ExampleCheckRetry() {
	rt, err := transport.New(&fakeSource{tokenErr: tokensource.ErrNoGrant}, &transport.Options{Origins: []string{"https://api.x.com"}})
	if err != nil {
		log.Fatal(err)
	}
	client := retryablehttp.NewClient()
	client.Logger = nil
	client.HTTPClient.Transport = rt
	client.CheckRetry = transport.CheckRetry
	_, err = client.Get("https://api.x.com/2/users/me")
	fmt.Println("log in:", errors.Is(err, tokensource.ErrReauthorize))
	// Output: log in: true
}
