// Package tokensource is the contract between programs that need access tokens
// and packages that supply them.
//
// # What it is for
//
// Package transport sends the tokens of any [Source]. Packages grant and
// derived supply tokens. None of them imports another: all import this package.
// So a program can write a Source of its own, or wrap one. A program that uses
// package grant needs only the errors of this package.
//
// # Types
//
// A [Source] supplies tokens. The powers beyond that are small interfaces,
// which a Source may implement too: a [Renewer] replaces a token that was
// rejected, a [RequestAuthorizer] says how a request carries a token, and a
// [Scoper] says where tokens may go. [WithSubject] names the user whose token
// is wanted. An [Owner] says at which server and for which client.
//
// [Static] is a Source of one fixed token. [FromOAuth2] and [ToOAuth2] convert
// from and to the TokenSource of golang.org/x/oauth2. Tokens are *oauth2.Token
// everywhere.
//
// # Example
//
//	type vault struct{ client *api.Client } // a Source of your own
//
//	func (v vault) Token(ctx context.Context) (*oauth2.Token, error) {
//		text, err := v.client.Read(ctx, "api-token")
//		if err != nil {
//			return nil, fmt.Errorf("%w: %w", tokensource.ErrTemporary, err)
//		}
//		return &oauth2.Token{AccessToken: text}, nil
//	}
//
// # Concurrency
//
// Everything is safe for concurrent use. A token that a Source returned is
// shared: nobody may change it.
//
// # Errors
//
// A caller decides by errors.Is. [ErrReauthorize] means that the user must
// act, [ErrTemporary] that a later call may succeed, and [ErrClient] that the
// operator must act. The facts are in an [Error]. No error contains a token, a
// code, a secret, a verifier or the body of a response.
package tokensource
