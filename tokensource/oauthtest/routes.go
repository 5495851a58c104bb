package oauthtest

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/authtrip/authtrip/internal/hostname"
	"github.com/authtrip/authtrip/internal/loopback"
	"github.com/authtrip/authtrip/tokensource/provider"
)

// The purposes of requests: Request.Op holds one of these texts.
const (
	opAuthorize = "authorize"
	opToken     = "token"
	opRevoke    = "revoke"
	opPush      = "push"
	opDevice    = "device"
	opIdentity  = "identity"
	opKeys      = "keys"
	opLogout    = "logout"
	opAPI       = "api"
	opNone      = "" // nothing is there, or the request went to a stranger
)

// routes says which request is for which endpoint.
type routes struct {
	endpoints   []endpoint
	credentials string            // path of a client credentials endpoint of its own; otherwise empty
	aliases     map[string]string // host to host
	hosts       map[string]bool   // the server's hosts; true for those of the API
	grantHosts  []string          // patterns of the hosts of APIs that come with a grant
}

type endpoint struct{ op, host, path string }

func (r *routes) init(p *provider.Provider, aliases map[string]string) error {
	*r = routes{aliases: maps.Clone(aliases), hosts: map[string]bool{}}
	for _, origin := range p.TokenHosts {
		if host := hostOf(origin); host != hostOf(p.TokenURL) {
			if r.aliases == nil {
				r.aliases = map[string]string{}
			}
			r.aliases[host] = hostOf(p.TokenURL)
		}
	}
	for _, origin := range p.APIOrigins {
		r.hosts[hostOf(origin)] = true
	}
	for _, hosts := range p.GrantOrigins {
		r.grantHosts = append(r.grantHosts, hosts...)
	}
	for _, e := range []struct{ op, url string }{
		{opAuthorize, p.AuthorizationURL},
		{opToken, p.TokenURL},
		{opToken, p.RefreshURL},
		{opToken, p.Trade.First.URL},
		{opToken, p.Trade.Next.URL},
		{opToken, p.ClientCredentialsURL},
		{opRevoke, p.RevocationURL},
		{opPush, p.PushedAuthorizationURL},
		{opDevice, p.DeviceAuthorizationURL},
		{opDevice, p.MTLS.DeviceAuthorizationURL},
		{opToken, p.MTLS.TokenURL},
		{opToken, p.MTLS.ClientCredentialsURL},
		{opRevoke, p.MTLS.RevocationURL},
		{opPush, p.MTLS.PushedAuthorizationURL},
		{opIdentity, p.IdentityURL},
		{opKeys, p.JWKSURL},
		{opLogout, p.EndSessionURL},
	} {
		if e.url == "" {
			continue
		}
		if err := r.add(e.op, e.url); err != nil {
			return err
		}
	}
	if p.IdentityURL != "" {
		r.hosts[hostOf(p.IdentityURL)] = true
	}
	if len(p.APIOrigins) == 0 {
		r.hosts[hostOf(p.TokenURL)] = true
	}
	if p.ClientCredentialsURL != "" && p.ClientCredentialsURL != p.TokenURL {
		r.credentials = pathOf(p.ClientCredentialsURL)
	}
	return nil
}

// add refuses an endpoint that a listener could not tell from another one.
func (r *routes) add(op, raw string) error {
	e := endpoint{op, hostOf(raw), pathOf(raw)}
	for _, other := range r.endpoints {
		if other.path == e.path && other.op != e.op {
			return fmt.Errorf("oauthtest: the %s and %s endpoints have the same path, %s", other.op, e.op, e.path)
		}
	}
	r.endpoints = append(r.endpoints, e)
	if _, ok := r.hosts[e.host]; !ok {
		r.hosts[e.host] = false
	}
	return nil
}

// find returns what a request is for. At one of the provider's hosts the host
// must be right too. At any other host, such as a listener's, the path decides.
func (r *routes) find(req *http.Request) string {
	host := r.canonical(req.Host)
	api, known := r.hosts[host]
	if !known && hostname.Matches(host, r.grantHosts) {
		return opAPI
	}
	for _, e := range r.endpoints {
		if e.at(req.URL.Path) && (!known || e.host == host) {
			return e.op
		}
	}
	if api || !known {
		return opAPI
	}
	return opNone
}

// at reports whether a path is that of the endpoint. A path can have a place
// for the client ID.
func (e endpoint) at(path string) bool {
	before, after, place := strings.Cut(e.path, "{client_id}")
	if !place {
		return e.path == path
	}
	rest, ok := strings.CutPrefix(path, before)
	id, found := strings.CutSuffix(rest, after)
	return ok && found && id != "" && !strings.Contains(id, "/")
}

// foreign reports whether a host, as a URL names it, belongs to someone else.
func (r *routes) foreign(u *url.URL) bool {
	_, known := r.hosts[r.canonical(u.Host)]
	return !known && !hostname.Matches(u.Hostname(), r.grantHosts) && !loopback.Host(u.Hostname())
}

func (r *routes) canonical(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ":443")
	if other, ok := r.aliases[host]; ok {
		return other
	}
	return host
}

// hostOf returns the host of a URL that Provider.Validate has accepted.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(strings.ToLower(u.Host), ":443")
}

func pathOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Path == "" {
		return "/"
	}
	return u.Path
}

// Provider returns the server's provider with its endpoints and API origins at
// base, such as the URL of an httptest.Server. An empty base means the
// provider's own addresses, which is what [Server.Transport] answers at.
func (s *Server) Provider(base string) *provider.Provider {
	if base == "" {
		return s.provider.Clone()
	}
	return s.provider.InsecureAt(base)
}
