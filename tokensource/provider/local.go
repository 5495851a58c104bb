package provider

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/authtrip/authtrip/internal/hostname"
	"github.com/authtrip/authtrip/internal/loopback"
	"github.com/authtrip/authtrip/tokensource/provider/internal/format"
)

// InsecureLocal is [Get] for a server in a private network or on this machine:
//
//	provider.InsecureLocal("keycloak", map[string]string{
//		"base": "http://localhost:8080", "realm": "acme",
//	})
//
// The vars have the names of the parameters of [GitLab], [Keycloak] and the
// other functions. Their hosts may be addresses and names that are not in the
// public DNS. An endpoint that is http on a loopback address is allowed
// (Provider.InsecureLoopback). For http on another host, set
// Provider.InsecureHTTP of the result.
//
// What is lost: a person who chooses the host makes the program send requests
// into its own network. So the host must not come from a user.
func InsecureLocal(name string, vars map[string]string) (*Provider, error) {
	c, err := own()
	if err != nil {
		return nil, err
	}
	p, err := c.get(name, vars, true)
	if err != nil {
		return nil, err
	}
	if u, err := url.Parse(p.TokenURL); err == nil && u.Scheme == "http" && loopback.Host(u.Hostname()) {
		p.InsecureLoopback = true
	}
	return p, nil
}

// hosts returns the vars with each host as servers write it: in lower case, and
// without the port of https. Unless local is set, it refuses a host that is no
// name in the public DNS, and http.
func hosts(e *format.Entry, vars map[string]string, local bool) (map[string]string, error) {
	vars = maps.Clone(vars)
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if !e.Vars[name].Host {
			continue
		}
		scheme, host, path := hostIn(vars[name])
		vars[name] = scheme + host + path
		bare, _, _ := strings.Cut(host, ":")
		if !local && host != "" && (scheme == "http://" || !hostname.Public(bare)) {
			return nil, fmt.Errorf("%s %q is not https, or no name in the public DNS: use provider.InsecureLocal if the server is your own", name, vars[name])
		}
	}
	return vars, nil
}

// hostIn returns the parts of a host, or of a URL with one.
func hostIn(value string) (scheme, host, path string) {
	if before, after, ok := strings.Cut(value, "://"); ok {
		scheme, value = hostname.Lower(before)+"://", after
	}
	host = value
	if i := strings.IndexByte(value, '/'); i >= 0 {
		host, path = value[:i], value[i:]
	}
	host = hostname.Lower(host)
	if scheme != "http://" {
		host = strings.TrimSuffix(host, ":443")
	}
	return scheme, host, path
}
