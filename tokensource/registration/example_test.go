package registration_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/tokensource/registration"
)

// An app registers itself where nobody has registered it by hand. A program
// takes the Provider from package discovery, and a sealed store.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"client_id":"s6BhdRkqt3","client_secret":"ZJYCqe3GGRvdrudKyZS0XhGv_Z45DuKhCUk0gBR1vZk","client_secret_expires_at":0}`)
	}))
	defer server.Close()
	p := &provider.Provider{
		Name: "as", Issuer: server.URL, AuthorizationURL: server.URL + "/authorize", TokenURL: server.URL + "/token",
		RegistrationURL: server.URL + "/register", InsecureLoopback: true,
	}

	registrar, err := registration.New(storage.NewMemory(), registration.Metadata{
		Name: "An app", RedirectURLs: []string{"https://app.example/callback"},
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	for range 2 { // the second time it comes from the store
		registered, err := registrar.Current(context.Background(), p)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(registered.Registration.ClientID)
	}
	// Output:
	// s6BhdRkqt3
	// s6BhdRkqt3
}
