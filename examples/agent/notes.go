package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/auth"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

const scope = "notes.read"

// serveNotes puts an MCP server with one tool at /mcp. It accepts the tokens of
// one authorization server.
func serveNotes(mux *http.ServeMux, origin string, a *authorization) {
	const metadataPath = "/.well-known/oauth-protected-resource/mcp" // RFC 9728 section 3.1
	tools := sdk.NewServer(&sdk.Implementation{Name: "notes", Version: "v1.0.0"}, nil)
	sdk.AddTool(tools, &sdk.Tool{Name: "find_notes", Description: "finds notes of the user"}, findNotes)
	serve := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return tools }, nil)
	protected := auth.RequireBearerToken(a.verify, &auth.RequireBearerTokenOptions{
		ResourceMetadataURL: origin + metadataPath, Scopes: []string{scope},
	})(serve)
	metadata := auth.ProtectedResourceMetadataHandler(&oauthex.ProtectedResourceMetadata{
		Resource: origin + "/mcp", AuthorizationServers: []string{a.issuer}, ScopesSupported: []string{scope},
	})
	mux.HandleFunc("/mcp", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			say("MCP server", "401, there is no token")
		}
		protected.ServeHTTP(w, r)
	})
	mux.HandleFunc(metadataPath, func(w http.ResponseWriter, r *http.Request) {
		say("MCP server", "its metadata name the authorization server")
		metadata.ServeHTTP(w, r)
	})
}

// query is what the tool is asked for.
type query struct {
	About string `json:"about" jsonschema:"a word in the notes"`
}

// findNotes is the tool. The SDK tells it whose token the request carried.
func findNotes(_ context.Context, r *sdk.CallToolRequest, q query) (*sdk.CallToolResult, any, error) {
	text := fmt.Sprintf("user %s has 1 note about %s", r.Extra.TokenInfo.UserID, q.About)
	return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: text}}}, nil, nil
}
