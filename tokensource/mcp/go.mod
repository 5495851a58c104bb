module github.com/authtrip/authtrip/tokensource/mcp

go 1.26.0

require (
	github.com/authtrip/authtrip v0.0.0
	github.com/authtrip/authtrip/tokensource/jose v0.0.0
	github.com/modelcontextprotocol/go-sdk v1.8.0
	golang.org/x/oauth2 v0.38.0
	golang.org/x/sync v0.25.0
)
