package main

import (
	"context"
	"errors"

	"github.com/authtrip/authtrip/examples/internal/fakeuser"
	"github.com/authtrip/authtrip/tokensource/oauthtest/xapi"
	"github.com/authtrip/authtrip/transport"
)

// demo starts a fake of X, whose user has authorized an app.
func demo(ctx context.Context, do func(*users) error) (err error) {
	fake, err := xapi.NewServer(nil)
	if err != nil {
		return err
	}
	grants, subject, err := fakeuser.Authorize(ctx, fake)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, grants.Close()) }()
	return do(&users{grants: grants, subject: subject, transport: &transport.Options{Base: fake.Transport()}})
}
