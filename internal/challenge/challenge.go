// Package challenge reads WWW-Authenticate headers ([RFC 9110] section 11.6.1).
//
// [Parse] never fails: what it cannot read, it leaves out. Everything is safe
// for concurrent use.
//
// [RFC 9110]: https://www.rfc-editor.org/rfc/rfc9110
package challenge

import (
	"net/http"
	"strings"
)

// Challenge is one challenge of a WWW-Authenticate header (RFC 9110 section
// 11.6.1).
type Challenge struct {
	Scheme  string            // as the server wrote it; compare with strings.EqualFold
	Token68 string            // what follows the scheme of schemes that have no parameters, or empty
	Params  map[string]string // by name in lower case; the first value of a repeated name
}

// Parse returns the challenges of all WWW-Authenticate headers of h, in
// order. It skips what it cannot parse, so it returns no error. Several
// challenges in one header, several headers, and commas in quoted text are
// recognised.
func Parse(h http.Header) []Challenge {
	var list []Challenge
	for _, value := range h.Values("WWW-Authenticate") {
		p := challengeParser{rest: value}
		list = append(list, p.parse()...)
	}
	return list
}

// challengeParser reads one header value from left to right.
type challengeParser struct {
	rest string
	list []Challenge
}

func (p *challengeParser) parse() []Challenge {
	for {
		p.rest = strings.TrimLeft(p.rest, " \t,")
		if p.rest == "" {
			return p.list
		}
		name := p.token()
		after := strings.TrimLeft(p.rest, " \t")
		switch {
		case name == "":
			p.skipItem()
		case strings.HasPrefix(after, "="):
			p.rest = after[1:]
			p.param(name)
		default:
			p.scheme(name)
		}
	}
}

// scheme begins a challenge. What follows is a token68, or the first parameter,
// or nothing.
func (p *challengeParser) scheme(name string) {
	c := Challenge{Scheme: name, Params: map[string]string{}}
	if !strings.HasPrefix(p.rest, " ") && !strings.HasPrefix(p.rest, "\t") {
		p.skipItem() // a comma, the end, or garbage glued to the name
	} else {
		c.Token68 = p.token68()
	}
	p.list = append(p.list, c)
}

// param reads the value of a parameter, which belongs to the challenge begun
// last, and whatever stands before the next comma.
func (p *challengeParser) param(name string) {
	p.rest = strings.TrimLeft(p.rest, " \t")
	var value string
	if strings.HasPrefix(p.rest, `"`) {
		value = p.quoted()
	} else {
		value = p.token()
	}
	p.skipItem()
	if len(p.list) == 0 {
		return
	}
	params := p.list[len(p.list)-1].Params
	name = strings.ToLower(name)
	if _, twice := params[name]; !twice {
		params[name] = value
	}
}

// token reads an RFC 9110 token, which may be empty.
func (p *challengeParser) token() string {
	n := 0
	for n < len(p.rest) && isTokenByte(p.rest[n]) {
		n++
	}
	return p.cut(n)
}

// token68 reads a token68 if one ends where the challenge ends; anything else
// is left for the parameters.
func (p *challengeParser) token68() string {
	s := strings.TrimLeft(p.rest, " \t")
	n := 0
	for n < len(s) && (isAlphanumeric(s[n]) || strings.IndexByte("-._~+/", s[n]) >= 0) {
		n++
	}
	if n == 0 {
		return ""
	}
	for n < len(s) && s[n] == '=' {
		n++
	}
	if after := strings.TrimLeft(s[n:], " \t"); after != "" && after[0] != ',' {
		return ""
	}
	p.rest = s
	return p.cut(n)
}

// quoted reads a quoted string and undoes its quoted pairs. One that never ends
// reaches to the end.
func (p *challengeParser) quoted() string {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return b.String()
		case c == '\\' && i+1 < len(p.rest):
			i++
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	p.rest = ""
	return b.String()
}

// skipItem moves to the next comma that is not quoted.
func (p *challengeParser) skipItem() {
	for p.rest != "" && p.rest[0] != ',' {
		if p.rest[0] == '"' {
			p.quoted()
		} else {
			p.rest = p.rest[1:]
		}
	}
}

func (p *challengeParser) cut(n int) string {
	s := p.rest[:n]
	p.rest = p.rest[n:]
	return s
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isTokenByte(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
