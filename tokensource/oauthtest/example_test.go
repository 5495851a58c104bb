package oauthtest_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"time"

	"github.com/authtrip/authtrip/tokensource/oauthtest"
)

// The answer to a refresh gets lost after the server has used the refresh token
// up: the worst moment for a client. The server's books know what happened. A
// test would use New, which checks at its end that nothing was left open.
func Example() {
	fake, err := oauthtest.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	app := oauthtest.PublicApp()
	_, refreshToken, err := fake.IssueToken("", app.ClientID)
	if err != nil {
		log.Fatal(err)
	}
	fake.Inject(
		oauthtest.Match{GrantType: "refresh_token"},
		oauthtest.Fault{Commit: true, Drop: true, Required: true}, 1,
	)

	config := fake.Provider("") // what your client would be configured with
	client := &http.Client{Transport: fake.Transport()}
	resp, err := client.PostForm(config.TokenURL, url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}, "client_id": {app.ClientID},
	})
	if err == nil {
		resp.Body.Close()
	}
	fmt.Println(err != nil, fake.Token(refreshToken).Dead, fake.Close())
	// Output:
	// true redeemed <nil>
}

// Knobs change the server at any time: how long tokens live, whether refresh
// tokens rotate, whether the user agrees.
func ExampleServer_Set() {
	fake, err := oauthtest.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	fake.Set(func(k *oauthtest.Knobs) {
		k.Token.AccessTTL = time.Minute
		k.Token.RepeatRefresh = true // as servers do whose refresh tokens can be used again
		k.Authorize.Deny = true      // the next user refuses
	})
	callback, err := fake.Authorize(context.Background(), "", fake.Provider("").AuthorizationURL+"?"+url.Values{
		"response_type": {"code"}, "client_id": {oauthtest.PublicApp().ClientID}, "state": {"random"},
		"redirect_uri": {oauthtest.PublicApp().RedirectURLs[0]},
	}.Encode())
	if err != nil {
		log.Fatal(err)
	}
	u, err := url.Parse(callback)
	fmt.Println(u.Query().Get("error"), err)
	// Output: access_denied <nil>
}
