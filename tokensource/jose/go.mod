module github.com/authtrip/authtrip/tokensource/jose

go 1.26.0

require (
	github.com/authtrip/authtrip v0.0.0
	github.com/go-jose/go-jose/v4 v4.1.9
)
