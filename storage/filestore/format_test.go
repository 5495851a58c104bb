package filestore_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/authtrip/authtrip/storage/filestore"
)

// Every later version must read what this version stores, and processes of
// different versions may share a store. If a test in this file fails, the code
// must change back or become another format: the literals never change.

const (
	fileOfFormat1    = "61757468747270" + "01" + "0102030405060708" + "05000000" + "3d4419ae" + "76616c7565"
	versionOfFormat1 = 0x0807060504030201
)

// namesOfFormat1 are keys, the names of their files, and the numbers of their
// locks. Every digit occurs in the names.
var namesOfFormat1 = []struct {
	key, name string
	shard     int
}{
	{"k", "k-dc", 10},
	{"K", "k-9c", 10},
	{"A-z_0.9", "k-84mnknpg5osg", 5},
	{"_____", "k-btflunqv", 10},
	{
		"grant-5887d27b558679bae27ced4f42768b2b13a6bef184e157841e2d76491f6b2f7a",
		"k-ctp62rjk5kqjge1ncgp3eohl6ks3cdppc9gmachncdim8d366gp3edhoc8p64c9jc4r64pb664s38p9h6krjgd1hckp68dpm6gsj2phmc8p6cdr1",
		21,
	},
	{
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-",
		"k-85146h258p3kgiaa9d64qjifa18l4kqkalb5em2pb9gm4or4clj6eq39d9lmorbedto72sjjehqnctrof5t30c9i6cq3adhn70sisnpd",
		0,
	},
}

func TestFormat(t *testing.T) {
	if got := hex.EncodeToString(filestore.Encode(versionOfFormat1, []byte("value"))); got != fileOfFormat1 {
		t.Errorf("Encode() = %s, want %s: other versions would call it damaged", got, fileOfFormat1)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "k-dc"), unhex(t, fileOfFormat1), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := openStore(t, dir, nil).Get(t.Context(), "k")
	if err != nil || string(r.Value()) != "value" || r.Version != versionOfFormat1 {
		t.Errorf("Get() of a stored file = %q, version %x, %v, want value, version %x", r.Value(), r.Version, err, versionOfFormat1)
	}
}

func TestNamesAndLocks(t *testing.T) {
	dir := t.TempDir()
	f := openStore(t, dir, nil)
	want := make([]string, 0, 32+len(namesOfFormat1))
	for i := range 32 {
		want = append(want, fmt.Sprintf("lock-%02x", i))
	}
	for _, tt := range namesOfFormat1 {
		put(t, f, tt.key, "value", 0)
		want = append(want, tt.name)
		if got := filestore.ShardOf(tt.key); got != tt.shard {
			t.Errorf("ShardOf(%q) = %d, want %d: processes would not exclude each other", tt.key, got, tt.shard)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the files of a store are %q, want %q", got, want)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
