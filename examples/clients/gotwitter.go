package clients

import (
	"net/http"

	"github.com/g8rswimmer/go-twitter/v2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// GoTwitter returns a client of X's API, of the library
// github.com/g8rswimmer/go-twitter, that calls it with the tokens of src.
// Another library for X with a field or an option for its http.Client, such as
// gotwi, takes the same http.Client.
func GoTwitter(src tokensource.Source, o *transport.Options) (*twitter.Client, error) {
	rt, err := transport.New(src, o)
	if err != nil {
		return nil, err
	}
	return &twitter.Client{
		Authorizer: nobody{},
		Client:     &http.Client{Transport: rt},
		Host:       "https://api.x.com",
	}, nil
}

// nobody is the library's Authorizer, which it insists on. The transport does
// the work.
type nobody struct{}

func (nobody) Add(*http.Request) {}
