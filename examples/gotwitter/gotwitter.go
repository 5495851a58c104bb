// Package gotwitter shows how a client library of somebody else gets authtrip's
// tokens: through its http.Client. The library here is
// github.com/g8rswimmer/go-twitter. Any other library that takes an http.Client
// works in the same way.
package gotwitter

import (
	"net/http"

	"github.com/g8rswimmer/go-twitter/v2"

	"github.com/authtrip/authtrip/tokensource"
	"github.com/authtrip/authtrip/transport"
)

// New returns a client of X's API that calls it with the tokens of src. If src
// is a *grant.Keeper, the context of each call names the user
// (Keeper.WithSubject). If src is a Source of one subject, all calls are
// made for that user. It returns the error of transport.New. The client is safe
// for concurrent use.
func New(src tokensource.Source, o *transport.Options) (*twitter.Client, error) {
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
