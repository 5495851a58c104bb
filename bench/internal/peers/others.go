package peers

import (
	"context"
	"net/http"
	"time"

	gauth "cloud.google.com/go/auth"
	"cloud.google.com/go/auth/httptransport"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"golang.org/x/oauth2"
	kube "k8s.io/client-go/transport"
)

// reuseSource is x/oauth2's cache.
type reuseSource struct{ src oauth2.TokenSource }

// NewReuseSource returns oauth2.ReuseTokenSource as a Source.
func NewReuseSource(tok *oauth2.Token) Source { return reuseSource{reuse(tok)} }

// Token implements Source.
func (s reuseSource) Token(context.Context) (*oauth2.Token, error) { return s.src.Token() }

// NewClientGoSource returns client-go's cache as a Source.
func NewClientGoSource(tok *oauth2.Token) Source {
	return reuseSource{kube.NewCachedTokenSource(&once{tok: tok})}
}

func newClientGo(base http.RoundTripper, tok *oauth2.Token, _ string) (http.RoundTripper, error) {
	cached := kube.NewCachedTokenSource(&once{tok: tok})
	return kube.ResettableTokenSourceWrapTransport(cached)(base), nil
}

// gcloudToken supplies a token of cloud.google.com/go/auth one time.
type gcloudToken struct{ once *once }

// Token implements auth.TokenProvider.
func (g gcloudToken) Token(context.Context) (*gauth.Token, error) {
	tok, err := g.once.Token()
	if err != nil {
		return nil, err
	}
	return &gauth.Token{Value: tok.AccessToken, Type: tok.TokenType, Expiry: tok.Expiry}, nil
}

func newGCloud(base http.RoundTripper, tok *oauth2.Token, _ string) (http.RoundTripper, error) {
	client := &http.Client{Transport: base}
	cached := gauth.NewCachedTokenProvider(gcloudToken{&once{tok: tok}}, nil)
	err := httptransport.AddAuthorizationMiddleware(client, gauth.NewCredentials(&gauth.CredentialsOptions{TokenProvider: cached}))
	return client.Transport, err
}

// GCloudSource is the cache of cloud.google.com/go/auth, whose tokens are of a
// type of their own.
type GCloudSource struct{ provider gauth.TokenProvider }

// NewGCloudSource returns it.
func NewGCloudSource(tok *oauth2.Token) GCloudSource {
	return GCloudSource{gauth.NewCachedTokenProvider(gcloudToken{&once{tok: tok}}, nil)}
}

// Value returns the text of the cached token.
func (s GCloudSource) Value(ctx context.Context) (string, error) {
	tok, err := s.provider.Token(ctx)
	if err != nil {
		return "", err
	}
	return tok.Value, nil
}

// azureToken is an azcore.TokenCredential.
type azureToken struct{ once *once }

// GetToken implements azcore.TokenCredential.
func (a azureToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	tok, err := a.once.Token()
	if err != nil {
		return azcore.AccessToken{}, err
	}
	return azcore.AccessToken{Token: tok.AccessToken, ExpiresOn: tok.Expiry, RefreshOn: time.Now().Add(life)}, nil
}

// transporter makes a base what azcore calls a transporter.
type transporter struct{ base http.RoundTripper }

// Do implements policy.Transporter.
func (t transporter) Do(req *http.Request) (*http.Response, error) { return t.base.RoundTrip(req) }

// pipeline is azcore's pipeline behind the interface of the others: azcore has
// no RoundTripper, so the figure includes the policies that cannot be taken
// out.
type pipeline struct{ runtime.Pipeline }

func newAzure(base http.RoundTripper, tok *oauth2.Token, _ string) (http.RoundTripper, error) {
	bearer := runtime.NewBearerTokenPolicy(azureToken{&once{tok: tok}}, []string{"scope"}, &policy.BearerTokenOptions{InsecureAllowCredentialWithHTTP: true})
	return pipeline{runtime.NewPipeline("bench", "v1.0.0", runtime.PipelineOptions{PerRetry: []policy.Policy{bearer}}, &policy.ClientOptions{
		Transport: transporter{base},
		Retry:     policy.RetryOptions{MaxRetries: -1},
		Telemetry: policy.TelemetryOptions{Disabled: true},
	})}, nil
}

// RoundTrip implements http.RoundTripper. The copy keeps azcore from wrapping
// the body of the same request once more each time.
func (p pipeline) RoundTrip(req *http.Request) (*http.Response, error) {
	r, err := runtime.NewRequestFromRequest(req.WithContext(req.Context()))
	if err != nil {
		return nil, err
	}
	return p.Do(r)
}
