package discovery_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/authtrip/authtrip/tokensource/discovery"
)

// A program knows its issuer, and finds out the rest when it starts.
func Example() {
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":"%[1]s/authorize","token_endpoint":"%[1]s/token",
			"authorization_response_iss_parameter_supported":true}`, server.URL)
	}))
	defer server.Close()

	p, err := discovery.Provider(context.Background(), server.URL, &discovery.Options{InsecureLoopback: true})
	if err != nil {
		log.Fatal(err)
	}
	p.APIOrigins = []string{"https://api.example"} // metadata do not say where the API is
	fmt.Println(p.TokenURL == server.URL+"/token", p.IssuerRequired)
	// Output: true true
}

// A server on the internet cannot make this program call a server of its own
// network.
func ExampleGuard() {
	client := discovery.Guard{}.Client()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://169.254.169.254/latest/meta-data/", nil)
	if err != nil {
		log.Fatal(err)
	}
	resp, err := client.Do(req)
	if err == nil {
		defer resp.Body.Close()
	}
	fmt.Println(err != nil)
	// Output: true
}
