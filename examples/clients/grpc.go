package clients

import (
	"context"
	"errors"

	"golang.org/x/oauth2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/authtrip/authtrip/tokensource"
)

// GRPC returns the options of a gRPC client that calls with the tokens of src.
// Each call gets a valid token. If the server answers a unary call with
// Unauthenticated, the token is renewed, and the call is made once more. A
// stream is not repeated, because the program may have sent messages.
//
// The token goes to the server of the connection, whichever it is, and never
// over a connection without TLS.
func GRPC(src tokensource.Renewer) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithPerRPCCredentials(perRPC{src}),
		grpc.WithUnaryInterceptor(renewOnce(src)),
	}
}

// sentToken holds the token that one call was made with.
type sentToken struct{ tok *oauth2.Token }

type sentTokenKey struct{}

// perRPC is the credentials of each call.
type perRPC struct{ src tokensource.Source }

var _ credentials.PerRPCCredentials = perRPC{}

// GetRequestMetadata returns the header of one call.
func (p perRPC) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	tok, err := p.src.Token(ctx)
	if err != nil {
		return nil, status.Error(code(err), err.Error())
	}
	if sent, ok := ctx.Value(sentTokenKey{}).(*sentToken); ok {
		sent.tok = tok
	}
	return map[string]string{"authorization": "Bearer " + tok.AccessToken}, nil
}

// RequireTransportSecurity says that a token goes over TLS only.
func (perRPC) RequireTransportSecurity() bool { return true }

// code says whether time or somebody else fixes err.
func code(err error) codes.Code {
	if errors.Is(err, tokensource.ErrTemporary) {
		return codes.Unavailable
	}
	return codes.Unauthenticated
}

func renewOnce(src tokensource.Renewer) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		var sent sentToken
		ctx = context.WithValue(ctx, sentTokenKey{}, &sent)
		err := call(ctx, method, req, reply, conn, opts...)
		if status.Code(err) != codes.Unauthenticated || sent.tok == nil {
			return err
		}
		if _, renewErr := src.Renew(ctx, sent.tok); renewErr != nil {
			return status.Error(code(renewErr), renewErr.Error())
		}
		return call(ctx, method, req, reply, conn, opts...)
	}
}
