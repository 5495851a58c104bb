package main

// The agent logs in once. When it starts again with an expired token, it renews
// the token.
func Example() {
	main()
	// Output:
	// MCP server:           401, there is no token
	// MCP server:           its metadata name the authorization server
	// authorization server: its metadata name the endpoints
	// authorization server: registers the client Example agent
	// user:                 sees the login page and consents
	// authorization server: issues tokens for the grant type authorization_code
	// agent:                the tool answers: user 2244994945 has 1 note about milk
	// agent:                starts again two hours later, with the same store
	// MCP server:           its metadata name the authorization server
	// authorization server: its metadata name the endpoints
	// MCP server:           401, the token is not good
	// authorization server: issues tokens for the grant type refresh_token
	// agent:                the tool answers: user 2244994945 has 1 note about milk
}
