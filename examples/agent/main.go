// Command agent calls a tool of an MCP server. It shows what package
// tokensource/mcp does for such a program, without an account or the network:
//
//	go run ./examples/agent
//
// An MCP server, made with the official Go SDK, and an authorization server,
// package oauthtest, listen on this machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/tokensource/mcp"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// run starts the servers, and the agent twice: before and after its access
// token has expired.
func run() error {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	first, second := http.NewServeMux(), http.NewServeMux()
	notes, issuer := httptest.NewServer(first), httptest.NewServer(second)
	defer notes.Close()
	defer issuer.Close()
	authorization, err := serveAuthorization(second, issuer.URL, notes.URL+"/mcp")
	if err != nil {
		return err
	}
	serveNotes(first, notes.URL, authorization)

	store := storage.NewMemory() // package filestore keeps grants on disk
	if err := work(ctx, notes.URL+"/mcp", store); err != nil {
		return err
	}
	authorization.Advance(2 * time.Hour)
	say("agent", "starts again two hours later, with the same store")
	return work(ctx, notes.URL+"/mcp", store)
}

// work is the agent: what a program of your own needs.
func work(ctx context.Context, endpoint string, store storage.Store) (err error) {
	h, err := mcp.New(endpoint, store, &mcp.Options{
		Name:             "Example agent",
		InsecureLoopback: true,    // the servers of this example have no certificate
		Open:             consent, // without Open, the browser of the user opens
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	client := sdk.NewClient(&sdk.Implementation{Name: "example-agent", Version: "v1.0.0"}, nil)
	transport := &sdk.StreamableClientTransport{Endpoint: endpoint, HTTPClient: h.Client(), DisableStandaloneSSE: true}
	session, err := client.Connect(ctx, transport, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	result, err := session.CallTool(ctx, &sdk.CallToolParams{Name: "find_notes", Arguments: query{About: "milk"}})
	if err != nil {
		return err
	}
	for _, content := range result.Content {
		if text, ok := content.(*sdk.TextContent); ok {
			say("agent", "the tool answers: "+text.Text)
		}
	}
	return nil
}

// consent is a user who consents at once. As a browser does, it opens the login
// page and comes back to the agent while the agent waits.
func consent(ctx context.Context, page string) error {
	say("user", "sees the login page and consents")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return err
	}
	go func() {
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	return nil
}

// say prints who does what.
func say(who, what string) { fmt.Printf("%-22s%s\n", who+":", what) }
