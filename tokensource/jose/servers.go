package jose

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	maxServers = 1024            // of which something is remembered
	maxNonce   = 1024            // bytes of a nonce
	maxAhead   = 5 * time.Minute // that is believed of a server's clock
	minAhead   = 2 * time.Second // below that, the clock explains no refusal
)

// server is one origin in one of its roles: an authorization server and a
// resource server have nonces of their own, also at the same origin (RFC 9449
// section 9).
type server struct {
	origin   string
	resource bool
}

// serverOf returns the server of a URL.
func serverOf(target string, resource bool) server {
	scheme, rest, ok := strings.Cut(target, "://")
	if path := strings.IndexByte(rest, '/'); ok && path >= 0 {
		target = target[:len(scheme)+len("://")+path]
	}
	return server{target, resource}
}

// known is what is known of a server.
type known struct {
	nonce string        // the newest one, for the next proof; empty if the server sent none
	ahead time.Duration // how far its clock is ahead of ours
}

// servers remembers what servers have said. Its number is bounded: if there are
// too many, any one of them is forgotten, which costs one more request.
type servers struct {
	mu   sync.Mutex // guards list; never held across I/O
	list map[server]known
}

func newServers() *servers { return &servers{list: map[server]known{}} }

func (s *servers) get(of server) known {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list[of]
}

// observe takes note of an answer. It reports whether another proof may be
// accepted where the last one was refused: with the nonce that came, or with
// the time of the server.
func (s *servers) observe(from server, header http.Header, code string) (again bool) {
	nonce := nonceIn(header)
	ahead, told := time.Duration(0), false
	if code == "invalid_dpop_proof" {
		ahead, told = aheadIn(header, time.Now())
	}
	if nonce == "" && !told {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k, old := s.list[from]
	was := k
	if nonce != "" {
		k.nonce = nonce
	}
	if moved := ahead - k.ahead; told && (moved >= minAhead || moved <= -minAhead) {
		k.ahead = ahead
	}
	if !old && len(s.list) >= maxServers {
		for any := range s.list {
			delete(s.list, any)
			break
		}
	}
	s.list[from] = k
	return code == "use_dpop_nonce" && nonce != "" || code == "invalid_dpop_proof" && k != was
}

// nonceIn returns the nonce that came with an answer (RFC 9449 sections 8.1 and
// 8.2). Two nonces, and one with characters that no nonce has, count as none.
func nonceIn(header http.Header) string {
	values := header.Values("DPoP-Nonce")
	if len(values) != 1 || values[0] == "" || len(values[0]) > maxNonce {
		return ""
	}
	for i := range len(values[0]) {
		if c := values[0][i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return ""
		}
	}
	return strings.Clone(values[0])
}

// aheadIn returns how far the clock of a server is ahead of ours. More than a
// few minutes are not believed: a proof for a time that is to come could be
// used then (RFC 9449 section 11.1).
func aheadIn(header http.Header, now time.Time) (time.Duration, bool) {
	date, err := http.ParseTime(header.Get("Date"))
	ahead := date.Sub(now).Round(time.Second)
	if err != nil || ahead > maxAhead || ahead < -maxAhead {
		return 0, false
	}
	return ahead, true
}
