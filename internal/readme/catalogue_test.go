package readme_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/tokensource/provider"
)

func TestCatalogueOnThePages(t *testing.T) {
	github, err := provider.Get("github")
	if err != nil || github.Validate() != nil {
		t.Errorf("Get(github) = %v", err)
	}
	entra, err := provider.Entra("contoso.onmicrosoft.com")
	if err != nil || entra.Validate() != nil {
		t.Errorf("Entra() = %v", err)
	}
	keycloak, err := provider.InsecureLocal("keycloak", map[string]string{
		"base": "http://localhost:8080", "realm": "acme",
	})
	if err != nil || keycloak.Validate() != nil {
		t.Errorf("InsecureLocal(keycloak) = %v", err)
	}
}

func TestOwnFileOnThePages(t *testing.T) {
	_, rest, _ := strings.Cut(read(t, filepath.Join(root, "docs", "providers.md")), "```json\n")
	ownFile, _, _ := strings.Cut(rest, "```")
	t.Chdir(t.TempDir())
	if err := os.Mkdir("providers", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("providers/acme.json", []byte(ownFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := loadOwn(); err != nil {
		t.Error(err)
	}
}

func loadOwn() error {
	own, err := provider.Load(os.DirFS("providers"))
	if err != nil {
		return err
	}
	acme, err := own.Get("acme", map[string]string{"shop": "tools"})
	if err != nil {
		return err
	}
	return acme.Validate()
}
