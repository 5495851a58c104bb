package transport_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// One http.Client for the APIs of two providers: the Transport of one is the
// base of the other. Each request gets the token for its origin.
func ExampleNew_severalProviders() {
	show := func(w http.ResponseWriter, r *http.Request) { fmt.Println(r.Header.Get("Authorization")) }
	one, two := httptest.NewServer(http.HandlerFunc(show)), httptest.NewServer(http.HandlerFunc(show))
	defer one.Close()
	defer two.Close()
	base := http.DefaultTransport
	for origin, token := range map[string]string{one.URL: "of-one", two.URL: "of-two"} {
		source, err := tokensource.Static(token) // such as a *grant.Keeper for each provider
		if err != nil {
			log.Fatal(err)
		}
		if base, err = transport.New(source, &transport.Options{Base: base, Origins: []string{origin}}); err != nil {
			log.Fatal(err)
		}
	}
	client := &http.Client{Transport: base}
	for _, url := range []string{one.URL, two.URL} {
		resp, err := client.Get(url)
		if err != nil {
			log.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	// Output:
	// Bearer of-one
	// Bearer of-two
}
