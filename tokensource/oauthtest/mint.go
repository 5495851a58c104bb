package oauthtest

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"time"
)

// digest is how tokens and codes are kept. The server cannot reveal them.
type digest [sha256.Size]byte

func digestOf(raw string) digest { return sha256.Sum256([]byte(raw)) }

// mint returns a token or code in the shape that X gives them: 91 characters,
// base64url of "<45 random>:<unix ms>:1:1:<kind>:1". The lock must be held.
func (s *Server) mint(kind string, now time.Time) string {
	text := fmt.Sprintf("%s:%013d:1:1:%s:1", s.randomText(45), now.UnixMilli(), kind)
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// randomText returns n characters of base64url. The lock must be held.
func (s *Server) randomText(n int) string {
	buf := make([]byte, (n*3+3)/4)
	if _, err := io.ReadFull(s.random, buf); err != nil {
		panic("oauthtest: Options.Random: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(buf)[:n]
}
