package mcp_test

import (
	"fmt"
	"log"

	"github.com/modelcontextprotocol/go-sdk/auth"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/mcp"
)

// A command connects to an MCP server with the Go SDK. The browser of the user
// opens when the server demands a login.
func Example() {
	h, err := mcp.New("https://mcp.example/mcp", storage.NewMemory(), &mcp.Options{Name: "My agent"})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	// The client logs in by itself. The field OAuthHandler takes h instead.
	transport := &sdk.StreamableClientTransport{Endpoint: "https://mcp.example/mcp", HTTPClient: h.Client()}
	var _ auth.OAuthHandler = h
	fmt.Println(transport.Endpoint)
	// Output: https://mcp.example/mcp
}
