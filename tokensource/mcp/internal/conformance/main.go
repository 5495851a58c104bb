// Command conformance is the client that the Model Context Protocol's
// conformance suite runs. Its last argument is the URL of the MCP server. The
// suite names the scenario in MCP_CONFORMANCE_SCENARIO, and what the client
// knows in MCP_CONFORMANCE_CONTEXT.
//
// AUTHTRIP_STORE is a folder in which grants and registrations are kept.
// Without it they are kept in memory.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/filestore"
	"github.com/authtrip/authtrip/storage/seal"
	"github.com/authtrip/authtrip/tokensource/jose"
	"github.com/authtrip/authtrip/tokensource/mcp"
	"github.com/authtrip/authtrip/tokensource/oauth"
)

// known is what the suite tells the client.
type known struct {
	ClientID      string `json:"client_id"`
	ClientSecret  string `json:"client_secret"`
	Issuer        string `json:"issuer"`
	PrivateKey    string `json:"private_key_pem"`
	Algorithm     string `json:"signing_algorithm"`
	IDPClientID   string `json:"idp_client_id"`
	IDPIDToken    string `json:"idp_id_token"`
	IDPIssuer     string `json:"idp_issuer"`
	IDPTokenURL   string `json:"idp_token_endpoint"`
	WorkloadToken string `json:"valid_jwt"`
}

func main() {
	log.SetFlags(0)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := run(ctx, os.Args[len(os.Args)-1]); err != nil {
		log.Fatal(err) //nolint:gocritic // the process ends
	}
}

func run(ctx context.Context, endpoint string) error {
	var k known
	if text := os.Getenv("MCP_CONFORMANCE_CONTEXT"); text != "" {
		if err := json.Unmarshal([]byte(text), &k); err != nil {
			return err
		}
	}
	scenario := os.Getenv("MCP_CONFORMANCE_SCENARIO")
	if client, ok, err := machine(ctx, scenario, endpoint, k); ok || err != nil {
		if err != nil {
			return err
		}
		return use(ctx, &sdk.StreamableClientTransport{Endpoint: endpoint, HTTPClient: client}, 1)
	}
	h, err := handler(endpoint, k)
	if err != nil {
		return err
	}
	defer func() { _ = h.Close() }()
	if strings.HasPrefix(scenario, "auth/dpop") || os.Getenv("AUTHTRIP_CLIENT") != "" {
		return use(ctx, &sdk.StreamableClientTransport{Endpoint: endpoint, HTTPClient: h.Client()}, 2)
	}
	return use(ctx, &sdk.StreamableClientTransport{Endpoint: endpoint, OAuthHandler: h}, 2)
}

// handler returns the Handler of a user whose browser consents at once.
func handler(endpoint string, k known) (*mcp.Handler, error) {
	o := &mcp.Options{
		Name: "authtrip", ClientIDURL: "https://conformance-test.local/client-metadata.json", Open: consent,
		InsecureLoopback: true,
	}
	if k.ClientSecret != "" {
		o.Clients = map[string]oauth.Registration{k.Issuer: {ClientID: k.ClientID, Credential: oauth.Secret(k.ClientSecret)}}
	}
	proofs, err := jose.NewDPoP(nil)
	if err != nil {
		return nil, err
	}
	o.Proofs = proofs
	var store storage.Store = storage.NewMemory()
	if dir := os.Getenv("AUTHTRIP_STORE"); dir != "" {
		if store, err = open(dir); err != nil {
			return nil, err
		}
	}
	return mcp.New(endpoint, store, o)
}

// open returns a sealed store in a folder. Its key is no secret, because the
// grants of the suite are none.
func open(dir string) (storage.Store, error) {
	files, err := filestore.Open(dir, nil)
	if err != nil {
		return nil, err
	}
	key := sha256.Sum256([]byte("conformance"))
	keys, err := seal.NewKeys(key[:])
	if err != nil {
		return nil, err
	}
	return storage.Sealed(files, keys)
}

// consent opens the page of the authorization server and follows it back.
func consent(ctx context.Context, page string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return err
	}
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
	}()
	return nil
}

// use lists the tools and calls one.
func use(ctx context.Context, t *sdk.StreamableClientTransport, calls int) error {
	session, err := sdk.NewClient(&sdk.Implementation{Name: "authtrip", Version: "v0.0.0"}, nil).Connect(ctx, t, nil)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = session.Close() }()
	if _, err := session.ListTools(ctx, nil); err != nil {
		return fmt.Errorf("list tools: %w", err)
	}
	if calls < 2 {
		return nil
	}
	if _, err := session.CallTool(ctx, &sdk.CallToolParams{Name: "test-tool", Arguments: map[string]any{}}); err != nil {
		return fmt.Errorf("call a tool: %w", err)
	}
	return nil
}
