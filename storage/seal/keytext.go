package seal

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// ParseKeys reads a key ring from text, such as an environment variable: keys of 32 random bytes in base64 (RFC 4648 §4 or
// §5, padded or not), separated by commas, the one that seals first. Errors say which key is wrong and never show it.
func ParseKeys(text string) (*Keys, error) {
	if strings.TrimSpace(text) == "" {
		return nil, fmt.Errorf("seal: no keys: set one made with `openssl rand -base64 32`")
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
		// Its text would show a byte of the key, or where one is wrong.
		return nil, fmt.Errorf("not base64 of %d bytes: make one with `openssl rand -base64 32`", keySize)
	}
	return key, nil
}
