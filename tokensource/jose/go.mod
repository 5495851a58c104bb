module github.com/authtrip/authtrip/tokensource/jose

go 1.26.0

require (
	github.com/authtrip/authtrip v0.0.0
	github.com/go-jose/go-jose/v4 v4.1.9
	golang.org/x/oauth2 v0.38.0
)

require (
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-retryablehttp v0.7.8 // indirect
	golang.org/x/sync v0.25.0 // indirect
)
