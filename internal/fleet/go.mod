module github.com/authtrip/authtrip/internal/fleet

go 1.26.0

replace github.com/authtrip/authtrip => ../..

require (
	github.com/authtrip/authtrip v0.0.0-00010101000000-000000000000
	golang.org/x/oauth2 v0.37.0
)

require golang.org/x/sync v0.24.0 // indirect
