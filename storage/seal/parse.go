package seal

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// ParseKeys reads a ring of keys from text, such as the value of an
// environment variable. Each key is 32 random bytes in base64 ([RFC 4648],
// section 4 or 5, with or without padding). Commas separate the keys, and the
// first key seals. Errors name the wrong key by its number and never show it.
//
// [RFC 4648]: https://www.rfc-editor.org/rfc/rfc4648
func ParseKeys(text string) (*Keys, error) {
	if strings.TrimSpace(text) == "" {
		return nil, fmt.Errorf("seal: no keys, the text is empty: make a key with `openssl rand -base64 32`, once, and set the variable to it")
	}
	var keys [][]byte
	for part := range strings.SplitSeq(text, ",") {
		key, err := parseKey(part)
		if err != nil {
			return nil, fmt.Errorf("seal: key %d: %w", len(keys)+1, err)
		}
		keys = append(keys, key)
	}
	return NewKeys(keys[0], keys[1:]...)
}

func parseKey(text string) ([]byte, error) {
	text = strings.TrimRight(strings.TrimSpace(text), "=")
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	key, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil {
		// The error of the decoder would show a byte of the key, or where the
		// wrong byte is.
		return nil, fmt.Errorf("not base64 of %d bytes: make one with `openssl rand -base64 32`", keySize)
	}
	return key, nil
}
