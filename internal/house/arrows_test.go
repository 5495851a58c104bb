package house_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
)

// A row states what the packages that match pkg may import besides the standard
// library. Paths are relative to the root module, those of other modules are
// complete. An element * at the end stands for everything below. Tests may also
// import what stands under tests, the package that they test, and testKits. The
// first row that matches counts.
type row struct {
	pkg, may, tests string
}

const (
	oauth2  = "golang.org/x/oauth2 golang.org/x/oauth2/*"
	sync    = "golang.org/x/sync/*"
	retries = "github.com/hashicorp/go-retryablehttp"

	// plumbing is what the packages with the protocol may use of internal.
	plumbing = "internal/ascii internal/backchannel internal/bearer internal/clock internal/deviceauth internal/firsttrade internal/flight internal/home " +
		"internal/isnil internal/kept internal/loopback internal/members internal/pacing internal/proving internal/reading internal/redact internal/sendguard internal/trials " + oauth2 + " " + sync
	// engine is everything below transport and middleware, for tests.
	engine = "storage storage/* tokensource tokensource/* internal/* " + oauth2
	// testKits know no other package of ours, so every test may use them.
	testKits = "internal/bubble internal/exposure internal/nodekit internal/servertest"
	// public is what users import.
	public = "middleware middleware/* transport storage storage/* tokensource tokensource/*"
)

// arrows is the only place that states the direction of imports. Lower packages
// stand higher in the table.
var arrows = []row{
	{"internal/about", "internal/hostname tokensource tokensource/provider " + oauth2, "internal/*"},
	{"internal/ahead", "", ""},
	{"internal/ascii", "", "internal/*"},
	{"internal/backchannel", "", "internal/*"},
	{"internal/bearer", oauth2, ""},
	{"internal/cache", "internal/clock " + oauth2, "internal/*"},
	{"internal/challenge", "", "internal/*"},
	{"internal/clock", "", "internal/*"},
	{"internal/deviceauth", oauth2, "internal/*"},
	{"internal/changes", "storage internal/lifetime internal/pacing", engine},
	{"internal/due", "storage storage/seal internal/clock internal/gate internal/lifetime internal/pacing internal/timed", engine},
	{"internal/gate", "", "internal/*"},
	{"internal/lifetime", "", "internal/*"},
	{"internal/firsttrade", "", "internal/*"},
	{"internal/flight", sync, "internal/*"},
	{"internal/home", "", "internal/*"},
	{"internal/hostname", "", "internal/*"},
	{"internal/isnil", "", "internal/*"},
	{"internal/kept", "internal/members", "internal/*"},
	{"internal/loopback", "", "internal/*"},
	{"internal/members", "", "internal/*"},
	{"internal/pacing", "tokensource internal/clock", "internal/*"},
	{"internal/proving", "tokensource internal/bearer internal/challenge " + oauth2, "internal/*"},
	{"internal/opened", "", "internal/*"},
	{"internal/redact", "", public + " " + engine},
	{"internal/responseparams", "tokensource/provider internal/members internal/proving " + oauth2, engine},
	{"internal/routes", "", "internal/*"},
	{"internal/sendguard", "", "internal/*"},
	{"internal/signedresponse", "", "internal/*"},
	{"internal/stored", "storage storage/seal tokensource", "internal/*"},
	{"internal/timed", "storage", "internal/*"},
	{"internal/trials", "", "internal/*"},
	{"internal/waiting", "", "internal/*"},
	{"internal/whois", "tokensource tokensource/oauth tokensource/provider " + oauth2, engine},

	{"storage/seal", "", ""},
	{"storage", "storage/seal internal/isnil", "storage/storagetest"},
	{"storage/storagetest", "storage", "storage/seal"},
	{"storage/filestore", "storage", "storage/seal storage/storagetest"},
	{"storage/postgresstore", "storage github.com/jackc/pgx/v5 github.com/jackc/pgx/v5/*", "storage/*"},
	{"storage/redisstore", "storage github.com/redis/go-redis/v9", "storage/*"},
	{"storage/userstore", "storage storage/filestore storage/seal internal/isnil", "storage/keyring"},
	{"storage/keyring", "storage/userstore github.com/godbus/dbus/v5 github.com/zalando/go-keyring", "storage storage/seal"},
	{"storage/sqlitestore", "storage modernc.org/sqlite modernc.org/sqlite/lib", "storage/*"},

	{"tokensource", "internal/ascii internal/flight internal/redact " + oauth2, engine},
	{"internal/reading", "tokensource/provider internal/members", "internal/*"},
	{"tokensource/provider/internal/format", "", ""},
	{"tokensource/provider", "tokensource tokensource/provider/internal/format internal/loopback internal/members internal/hostname", ""},
	{"tokensource/oauth", "internal/signedresponse tokensource tokensource/provider " + plumbing, engine},
	{"tokensource/discovery", "tokensource tokensource/provider internal/challenge " + plumbing, engine},
	{"tokensource/registration", "storage tokensource tokensource/oauth tokensource/provider internal/stored internal/timed " + plumbing, engine},
	{"tokensource/derived", "tokensource tokensource/oauth tokensource/provider internal/about " + plumbing, engine},
	{"tokensource/nativeapp", "storage storage/userstore transport tokensource tokensource/grant tokensource/oauth tokensource/provider internal/opened internal/responseparams internal/stored internal/waiting internal/whois " + plumbing, engine},
	{"tokensource/nativeapp/nativeapptest", "", engine},
	{"tokensource/grant/internal/lease", "", ""},
	{"tokensource/grant/internal/*", oauth2, "internal/*"},
	{"tokensource/grant", "tokensource tokensource/oauth tokensource/provider tokensource/grant/internal/* internal/about internal/ahead internal/cache internal/changes internal/due internal/gate internal/lifetime internal/kept internal/stored internal/timed internal/waiting storage storage/seal " + plumbing, engine},

	{"tokensource/upkeep", "storage storage/seal tokensource tokensource/grant tokensource/provider internal/clock internal/timed", engine},

	{"tokensource/jose", "tokensource tokensource/oauth tokensource/provider github.com/go-jose/go-jose/v4 github.com/go-jose/go-jose/v4/cryptosigner github.com/go-jose/go-jose/v4/jwt " + plumbing, engine + " " + public},
	{"tokensource/jose/atproto", "internal/opened internal/routes middleware storage storage/seal tokensource tokensource/discovery tokensource/grant tokensource/jose tokensource/jose/atproto/identity tokensource/nativeapp tokensource/oauth tokensource/provider tokensource/registration " + plumbing, engine + " " + public},
	{"tokensource/jose/atproto/identity", "tokensource tokensource/discovery tokensource/provider", engine},
	{"tokensource/jose/atproto/atprototest", "tokensource/jose/josetest tokensource/oauthtest tokensource/provider", "tokensource/jose/atproto tokensource/jose/atproto/identity"},
	{"tokensource/jose/josetest", "tokensource/oauthtest github.com/go-jose/go-jose/v4 github.com/go-jose/go-jose/v4/jwt", "tokensource/jose"},

	{"tokensource/oidc", "tokensource tokensource/provider github.com/coreos/go-oidc/v3/oidc github.com/go-jose/go-jose/v4 " + plumbing, engine + " middleware"},
	{"tokensource/oidc/oidctest", "tokensource/oauthtest github.com/go-jose/go-jose/v4 github.com/go-jose/go-jose/v4/jwt", "tokensource/oidc tokensource/provider"},

	{"tokensource/mcp", "middleware transport storage storage/seal tokensource tokensource/discovery tokensource/grant tokensource/nativeapp tokensource/oauth tokensource/provider tokensource/registration github.com/modelcontextprotocol/go-sdk/auth internal/attempts internal/gate internal/stored internal/timed " + plumbing, engine + " github.com/modelcontextprotocol/go-sdk/mcp"},
	{"tokensource/mcp/internal/conformance", "storage storage/filestore storage/seal tokensource/derived tokensource/jose tokensource/mcp tokensource/oauth tokensource/provider transport github.com/modelcontextprotocol/go-sdk/mcp", ""},

	{"tokensource/oauthtest", "internal/hostname internal/loopback tokensource/provider", oauth2},
	{"tokensource/oauthtest/servers", "tokensource/oauthtest", "tokensource/provider"},
	{"tokensource/oauthtest/xapi", "tokensource/oauthtest tokensource/provider", oauth2},

	{"transport", "tokensource internal/ascii internal/backchannel internal/bearer internal/challenge internal/hostname internal/isnil internal/loopback internal/members internal/proving internal/redact " + retries + " " + oauth2, engine},
	{"internal/connecting", "tokensource tokensource/provider", "internal/*"},
	{"middleware/connect", "middleware tokensource tokensource/grant tokensource/provider storage storage/seal internal/connecting internal/timed " + plumbing, engine + " transport"},
	{"middleware", "tokensource tokensource/grant tokensource/oauth tokensource/provider tokensource/registration storage storage/seal internal/connecting internal/opened internal/responseparams internal/routes internal/whois internal/attempts " + plumbing, engine + " transport"},

	// Only tests import what follows.
	{"internal/bubble", "", ""},
	{"internal/exposure", "", ""},
	{"internal/nodekit", "", ""},
	{"internal/opaquekeys", "tokensource", ""},
	{"internal/servertest", "", ""},
	{"internal/testworld", engine, ""},
	{"internal/simulation", engine, engine},
	{"internal/wire", "tokensource/oauthtest tokensource/oauthtest/*", ""},
	{"internal/fleet", "", public + " " + engine + " golang.org/x/sys/unix github.com/jackc/pgx/v5 github.com/jackc/pgx/v5/* github.com/redis/go-redis/v9"},
	{"internal/*", "", public + " " + engine},

	{"examples/*", public + " * examples/internal/*", "internal/*"},
	{"cmd/*", public + " *", "internal/*"},
	{"examples", "", ""},
	{".", "", public},
}

// TestArrows compares the imports of every package with the table, on every
// operating system for which there are files.
func TestArrows(t *testing.T) {
	failed := map[string]bool{}
	for _, goos := range []string{"linux", "darwin", "windows"} {
		for _, p := range list(t, goos, "work") {
			r, ok := rowOf(p.short())
			wrong := wrongArrows(p, r)
			if !ok {
				wrong = []string{p.short() + " has no row in the table"}
			}
			for _, arrow := range wrong {
				if !failed[arrow] {
					t.Error(arrow)
				}
				failed[arrow] = true
			}
		}
	}
}

// wrongArrows returns the imports of a package that its row does not allow.
func wrongArrows(p listed, r row) (wrong []string) {
	for _, imported := range p.Imports {
		if !allowed(imported, r.may) {
			wrong = append(wrong, fmt.Sprintf("%s → %s: it may import only: %s", p.short(), short(imported), r.may))
		}
	}
	inTests := strings.Join([]string{r.may, r.tests, testKits, p.short()}, " ")
	for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
		if !allowed(imported, inTests) {
			wrong = append(wrong, fmt.Sprintf("%s (test) → %s: its tests may also import only: %s", p.short(), short(imported), r.tests))
		}
	}
	return wrong
}

func rowOf(pkg string) (row, bool) {
	i := slices.IndexFunc(arrows, func(r row) bool { return matches(r.pkg, pkg) })
	if i < 0 {
		return row{}, false
	}
	return arrows[i], true
}

// allowed reports whether the list allows an import. The standard library is
// always allowed: only its paths have no dot in the first element.
func allowed(imported, list string) bool {
	first, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(first, ".") {
		return true
	}
	return slices.ContainsFunc(strings.Fields(list), func(pattern string) bool {
		if pattern == "*" { // other modules
			return imported != kit && !strings.HasPrefix(imported, kit+"/")
		}
		return matches(pattern, short(imported))
	})
}

// matches reports whether a path is the pattern, or begins with what stands
// before the * at its end.
func matches(pattern, name string) bool {
	prefix, ok := strings.CutSuffix(pattern, "*")
	return name == pattern || ok && strings.HasPrefix(name, prefix)
}

// TestWrongArrows makes sure that the table refuses what it must.
func TestWrongArrows(t *testing.T) {
	const grant, oauth = kit + "/tokensource/grant", kit + "/tokensource/oauth"
	for _, test := range []struct {
		pkg, imports string
		test, want   bool // whether a test imports it; whether that is allowed
	}{
		{pkg: "transport", imports: kit + "/tokensource", want: true},
		{pkg: "transport", imports: "net/http", want: true},
		{pkg: "transport", imports: grant},
		{pkg: "transport", imports: grant, test: true, want: true},
		{pkg: "transport", imports: kit + "/storage"},
		{pkg: "transport", imports: kit + "/tokensource/provider"},
		{pkg: "transport", imports: kit + "/middleware", test: true},
		{pkg: "transport", imports: "example.com/other", test: true},
		{pkg: "storage", imports: "golang.org/x/oauth2"},
		{pkg: "storage", imports: oauth, test: true},
		{pkg: "storage/redisstore", imports: "github.com/redis/go-redis/v9", want: true},
		{pkg: "storage/redisstore", imports: kit + "/storage/seal"},
		{pkg: "tokensource", imports: oauth},
		{pkg: "tokensource/oauth", imports: kit + "/storage"},
		{pkg: "tokensource/oauth", imports: grant},
		{pkg: "tokensource/oauthtest", imports: oauth, test: true},
		{pkg: "tokensource/grant/internal/lease", imports: "golang.org/x/oauth2", test: true},
		{pkg: "tokensource/grant", imports: grant + "/internal/lease", want: true},
		{pkg: "middleware", imports: kit + "/transport"},
		{pkg: "cmd/grantctl", imports: kit + "/internal/redact"},
		{pkg: "cmd/grantctl", imports: "example.com/other", want: true},
		{pkg: "examples/quickstart", imports: kit + "/cmd/grantctl"},
		{pkg: ".", imports: kit + "/transport"},
	} {
		p := listed{ImportPath: path.Join(kit, test.pkg), Imports: []string{test.imports}}
		if test.test {
			p.Imports, p.XTestImports = nil, p.Imports
		}
		r, ok := rowOf(p.short())
		if wrong := wrongArrows(p, r); !ok || (len(wrong) == 0) != test.want {
			t.Errorf("wrongArrows(%s → %s, in a test: %v) = %q, want allowed: %v", test.pkg, test.imports, test.test, wrong, test.want)
		}
	}
	if r, ok := rowOf("nowhere"); ok {
		t.Errorf("rowOf(nowhere) = %v, want none", r)
	}
}

// TestTransportIsLight looks at everything that transport needs, directly or
// through other packages: no engine, no protocol client, no storage.
func TestTransportIsLight(t *testing.T) {
	deps := list(t, "linux", "-deps", "./transport")
	for _, p := range deps {
		for _, heavy := range []string{"middleware", "storage", "tokensource/derived", "tokensource/grant", "tokensource/oauth"} {
			if p.short() == heavy || strings.HasPrefix(p.short(), heavy+"/") {
				t.Errorf("go list -deps ./transport shows %s", p.ImportPath)
			}
		}
	}
	if !slices.ContainsFunc(deps, func(p listed) bool { return p.short() == "tokensource" }) {
		t.Error("go list -deps ./transport does not show the contract")
	}
}
