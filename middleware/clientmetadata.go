package middleware

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/authtrip/authtrip/tokensource/registration"
)

// ClientMetadata returns a handler that serves the app's client ID metadata
// document ([draft]). The client ID of the app is the URL of the document: an
// https URL with a path, such as "https://app.example/client.json". Mount the
// handler there. Authorization servers read it, and nobody has to register the
// app.
//
// The redirect URLs and the scopes are those of the Login. They replace those
// in m. A nil m means an app without a name, and a public client. A client with
// a credential needs m.Keys or m.KeysURL, and authenticates by private_key_jwt
// unless m says otherwise. The document has no secret.
//
// The error says what does not fit: a client ID that is no such URL, a client
// with a secret, or a document above 5 KiB.
//
// [draft]: https://datatracker.ietf.org/doc/draft-ietf-oauth-client-id-metadata-document/
func (l *Login) ClientMetadata(m *registration.Metadata) (http.Handler, error) {
	in := l.inner()
	var about registration.Metadata
	if m != nil {
		about = *m
	}
	about.RedirectURLs = nil
	for _, c := range in.site.callbacks {
		about.RedirectURLs = append(about.RedirectURLs, c.url)
	}
	about.Scopes = in.client.Scopes()
	keys := about.Keys != nil || about.KeysURL != ""
	switch public := in.client.Public(); {
	case about.TokenAuthMethod == "" && !public && keys:
		about.TokenAuthMethod = "private_key_jwt"
	case about.TokenAuthMethod == "" && !public:
		return nil, errors.New("middleware: the client has a credential: name its public keys in Keys or KeysURL, or its method in TokenAuthMethod")
	case public && about.TokenAuthMethod != "" && about.TokenAuthMethod != "none":
		return nil, fmt.Errorf("middleware: TokenAuthMethod %s: the client has no credential", about.TokenAuthMethod)
	}
	return about.Handler(in.client.ClientID())
}
