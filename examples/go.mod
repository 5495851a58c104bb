module github.com/authtrip/authtrip/examples

go 1.26.0

replace github.com/authtrip/authtrip => ../

require github.com/authtrip/authtrip v0.0.0-00010101000000-000000000000

require (
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-retryablehttp v0.7.8 // indirect
	golang.org/x/oauth2 v0.37.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
)
