package upkeep_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"golang.org/x/oauth2"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/tokensource/grant"
	"github.com/authtrip/authtrip/tokensource/oauth"
	"github.com/authtrip/authtrip/tokensource/provider"
	"github.com/authtrip/authtrip/tokensource/upkeep"
)

// exampleKeeper returns a Keeper with two grants. A program has its own.
func exampleKeeper(onEvent func(context.Context, tokensource.Event)) *grant.Keeper {
	client, err := oauth.New(provider.X(), oauth.Registration{
		ClientID: "your-client-id", RedirectURL: "https://app.example/callback", Scopes: []string{"tweet.read", "offline.access"},
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	keeper, err := grant.New(client, storage.NewMemory(), &grant.Options{OnEvent: onEvent})
	if err != nil {
		log.Fatal(err)
	}
	for _, user := range []string{"ann", "bob"} {
		tok := &oauth2.Token{AccessToken: "access-" + user, RefreshToken: "refresh-" + user, TokenType: "bearer", Expiry: time.Now().Add(2 * time.Hour)}
		if _, err := keeper.Save(context.Background(), user, tok); err != nil {
			log.Fatal(err)
		}
	}
	return keeper
}

// Example keeps the grants of an app alive although nobody uses them, and
// answers the probes of a cluster.
func Example() {
	keeper := exampleKeeper(upkeep.Changes(tokensource.LogEvents(nil)))
	defer func() { _ = keeper.Close() }()

	worker, err := upkeep.Start(&upkeep.Options{OnEvent: tokensource.LogEvents(nil)}, keeper)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = worker.Close() }() // before the Keeper is closed

	ready, err := upkeep.Ready(nil, keeper)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /ready", ready)
	mux.Handle("GET /live", upkeep.Live())

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/ready", nil))
	fmt.Println(w.Code)
	// Output: 200
}

// ExampleGrants lists the grants whose users must log in again soon, or at
// once, in pages of a hundred.
func ExampleGrants() {
	keeper := exampleKeeper(nil)
	defer func() { _ = keeper.Close() }()
	if err := keeper.Forget(context.Background(), "bob"); err != nil {
		log.Fatal(err)
	}

	q := &upkeep.Query{States: []upkeep.State{upkeep.Expiring, upkeep.Dead, upkeep.Ended}, Limit: 100}
	for e, err := range upkeep.Grants(context.Background(), q, keeper) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Subject, e.State)
		q.After = e.Key // the next page begins here
	}
	// Output: bob ended
}
