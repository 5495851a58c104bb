package seal_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/storage/seal"
)

func key(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func newKeys(t testing.TB) *seal.Keys {
	t.Helper()
	return ring(t, seal.NewKey())
}

func ring(t testing.TB, primary []byte, older ...[]byte) *seal.Keys {
	t.Helper()
	keys, err := seal.NewKeys(primary, older...)
	if err != nil {
		t.Fatalf("NewKeys() = %v, want no error", err)
	}
	return keys
}

func TestKeysRotate(t *testing.T) {
	ctx, ad := t.Context(), []byte("place")
	before, during, after := ring(t, key(1)), ring(t, key(2), key(1)), ring(t, key(2))
	box := sealWith(t, before, "secret", ad)
	tests := []struct {
		name    string
		keys    *seal.Keys
		want    error
		current bool
	}{
		{"before", before, nil, true},
		{"during", during, nil, false},
		{"after", after, seal.ErrUnknownKey, false},
	}
	for _, tt := range tests {
		got, err := tt.keys.Open(ctx, box, ad)
		if !errors.Is(err, tt.want) || err == nil && string(got) != "secret" {
			t.Errorf("%s: Open() = %q, %v, want secret, %v", tt.name, got, err, tt.want)
		}
		if got := tt.keys.Current(box); got != tt.current {
			t.Errorf("%s: Current() = %t, want %t", tt.name, got, tt.current)
		}
	}
	if got, err := after.Open(ctx, sealWith(t, during, "new", ad), ad); err != nil || string(got) != "new" {
		t.Errorf("Open() of what the first of two keys sealed = %q, %v, want new", got, err)
	}
}

func sealWith(t testing.TB, keys *seal.Keys, plaintext string, ad []byte) []byte {
	t.Helper()
	box, err := keys.Seal(context.Background(), []byte(plaintext), ad)
	if err != nil {
		t.Fatalf("Seal() = %v, want no error", err)
	}
	return box
}

func TestKeysRefuseChanges(t *testing.T) {
	keys, ad := newKeys(t), []byte("place")
	box := sealWith(t, keys, "secret", ad)
	for i := range box {
		changed := bytes.Clone(box)
		changed[i] ^= 1
		want := seal.ErrTampered
		if 1 <= i && i < 9 {
			want = seal.ErrUnknownKey
		}
		if got, err := keys.Open(t.Context(), changed, ad); !errors.Is(err, want) || !errors.Is(err, seal.ErrUnsealed) || got != nil {
			t.Errorf("Open(byte %d changed) = %q, %v, want %v", i, got, err, want)
		}
	}
	for n := range len(box) {
		if got, err := keys.Open(t.Context(), box[:n], ad); !errors.Is(err, seal.ErrTampered) || got != nil {
			t.Errorf("Open(first %d bytes) = %q, %v, want %v", n, got, err, seal.ErrTampered)
		}
	}
	for _, other := range []string{"", "plac", "place2", "Place"} {
		if _, err := keys.Open(t.Context(), box, []byte(other)); !errors.Is(err, seal.ErrTampered) {
			t.Errorf("Open(for %q) = %v, want %v", other, err, seal.ErrTampered)
		}
	}
}

func TestKeysNeverSealAlike(t *testing.T) {
	keys := newKeys(t)
	seen := map[string]bool{}
	for range 1000 {
		nonce := string(sealWith(t, keys, "same", nil)[9:21])
		if seen[nonce] {
			t.Fatalf("Seal() used the nonce %x twice", nonce)
		}
		seen[nonce] = true
	}
}

// TestKeyID checks that the ID in a sealed value contains no part of the key.
func TestKeyID(t *testing.T) {
	k := seal.NewKey()
	box := sealWith(t, ring(t, k), "secret", nil)
	for i := range 25 {
		if bytes.Contains(box, k[i:i+8]) {
			t.Errorf("a sealed value contains bytes %d to %d of its key", i, i+7)
		}
	}
	if other := sealWith(t, newKeys(t), "secret", nil); bytes.Equal(box[1:9], other[1:9]) {
		t.Errorf("two keys have the id %x", box[1:9])
	}
}

func TestKeysAllocate(t *testing.T) {
	keys, ad, plain := newKeys(t), []byte("place"), make([]byte, 2048)
	if n := testing.AllocsPerRun(100, func() { _, _ = keys.Seal(context.Background(), plain, ad) }); n > 1 {
		t.Errorf("Seal allocates %v times, want once", n)
	}
	box := sealWith(t, keys, string(plain), ad)
	if n := testing.AllocsPerRun(100, func() { _, _ = keys.Open(context.Background(), box, ad) }); n > 1 {
		t.Errorf("Open allocates %v times, want once", n)
	}
}

func TestNewKeysRefuses(t *testing.T) {
	tests := []struct {
		name string
		keys [][]byte
		want string
	}{
		{"none", [][]byte{nil}, "key 1: 0 bytes long"},
		{"short", [][]byte{key(1)[:31]}, "key 1: 31 bytes long"},
		{"long", [][]byte{append(key(1), 1)}, "key 1: 33 bytes long"},
		{"aes-128", [][]byte{key(1)[:16]}, "key 1: 16 bytes long"},
		{"zero", [][]byte{key(1), make([]byte, 32)}, "key 2: all zero"},
		{"duplicate", [][]byte{key(1), key(2), key(1)}, "key 3 is key 1 again"},
	}
	for _, tt := range tests {
		keys, err := seal.NewKeys(tt.keys[0], tt.keys[1:]...)
		if keys != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("NewKeys(%s) = %v, %v, want an error with %q", tt.name, keys, err, tt.want)
		}
	}
}

func TestNewKeysCopies(t *testing.T) {
	k := seal.NewKey()
	keys := ring(t, k)
	box := sealWith(t, keys, "secret", nil)
	clear(k)
	if _, err := keys.Open(t.Context(), box, nil); err != nil {
		t.Errorf("Open() after the caller cleared its key = %v, want no error", err)
	}
}

func TestParseKeys(t *testing.T) {
	a, b := bytes.Repeat([]byte{0xfb, 0xff}, 16), key(7)
	want := ring(t, a, b)
	for _, text := range []string{
		base64.StdEncoding.EncodeToString(a) + "," + base64.StdEncoding.EncodeToString(b),
		base64.URLEncoding.EncodeToString(a) + "," + base64.RawURLEncoding.EncodeToString(b),
		" " + base64.RawStdEncoding.EncodeToString(a) + " ,\n" + base64.URLEncoding.EncodeToString(b) + "\n",
	} {
		keys, err := seal.ParseKeys(text)
		if err != nil {
			t.Errorf("ParseKeys(%q) = %v, want no error", text, err)
			continue
		}
		box := sealWith(t, keys, "secret", nil)
		if !want.Current(box) {
			t.Errorf("ParseKeys(%q) does not seal with the first key", text)
		}
		if _, err := keys.Open(t.Context(), sealWith(t, ring(t, b), "old", nil), nil); err != nil {
			t.Errorf("ParseKeys(%q) does not open with the second key: %v", text, err)
		}
	}
}

func TestParseKeysRefuses(t *testing.T) {
	good := base64.StdEncoding.EncodeToString(key(7))
	for _, text := range []string{"", " \n", ",", good + ",", "," + good, good[:20], good + "AAAA", "*" + good[1:], good + "," + good, "0x" + good, base64.StdEncoding.EncodeToString(make([]byte, 32))} {
		keys, err := seal.ParseKeys(text)
		if keys != nil || err == nil {
			t.Errorf("ParseKeys(%q) = %v, %v, want an error", text, keys, err)
			continue
		}
		if strings.Contains(err.Error(), good[:8]) {
			t.Errorf("ParseKeys(%q) = %v, want no part of the key in it", text, err)
		}
	}
}

func TestKeysWithoutKey(t *testing.T) {
	for _, keys := range []*seal.Keys{nil, {}} {
		if _, err := keys.Seal(t.Context(), nil, nil); err == nil {
			t.Errorf("Seal() without a key = nil, want an error")
		}
		if _, err := keys.Open(t.Context(), make([]byte, 40), nil); !errors.Is(err, seal.ErrUnsealed) {
			t.Errorf("Open() without a key = %v, want %v", err, seal.ErrUnsealed)
		}
	}
}

// FuzzKeys opens arbitrary bytes, which must neither panic nor succeed. It also
// seals and opens them.
func FuzzKeys(f *testing.F) {
	keys := ring(f, key(1), key(2))
	f.Add([]byte(nil), []byte(nil))
	f.Add([]byte("value"), []byte("place"))
	f.Add(sealWith(f, keys, "value", []byte("place")), []byte("elsewhere"))
	f.Add(sealWith(f, ring(f, key(3)), "value", nil), []byte(nil))
	f.Fuzz(func(t *testing.T, data, ad []byte) {
		ctx := context.Background()
		if got, err := keys.Open(ctx, data, ad); err == nil {
			if again, err := ring(t, key(1), key(2)).Open(ctx, data, ad); err != nil || !bytes.Equal(got, again) {
				t.Errorf("Open() = %q, and then %q, %v", got, again, err)
			}
		} else if !errors.Is(err, seal.ErrUnsealed) {
			t.Errorf("Open() = %v, want an error that wraps %v", err, seal.ErrUnsealed)
		}
		box, err := keys.Seal(ctx, data, ad)
		if err != nil {
			t.Fatalf("Seal() = %v, want no error", err)
		}
		if got, err := keys.Open(ctx, box, ad); err != nil || !bytes.Equal(got, data) {
			t.Errorf("Open(Seal(%q)) = %q, %v", data, got, err)
		}
		if _, err := keys.Open(ctx, box, append(bytes.Clone(ad), 0)); !errors.Is(err, seal.ErrTampered) {
			t.Errorf("Open() for another place = %v, want %v", err, seal.ErrTampered)
		}
	})
}
