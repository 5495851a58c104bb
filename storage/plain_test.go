package storage_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/authtrip/authtrip/storage"
	"github.com/authtrip/authtrip/storage/storagetest"
)

// above is a wrapper that stands above a sealed store, where it hides that the
// store is sealed.
type above struct{ storage.Store }

// keeping is a Volatile whose records outlive the process.
type keeping struct{ storage.Store }

func (keeping) Volatile() bool { return false }

func TestCheckSealed(t *testing.T) {
	memory := storage.NewMemory()
	sealed := sealedStore(t, plain{memory}, newKeys(t))
	for name, store := range map[string]storage.Store{
		"memory":                   memory,
		"memory behind a wrapper":  listed{storagetest.NewFaulty(memory, nil), memory},
		"process of a network":     storagetest.NewNetwork(memory, nil).Process("p"),
		"sealed":                   sealed,
		"sealed, lists":            sealedStore(t, onlyList{memory}, newKeys(t)),
		"sealed, notifies":         sealedStore(t, onlyWatch{memory}, newKeys(t)),
		"sealed, lists, notifies":  sealedStore(t, memory, newKeys(t)),
		"sealed, keeps":            sealedStore(t, keeping{memory}, newKeys(t)),
		"wrapper with own promise": struct{ *storage.Memory }{memory},
	} {
		if err := storage.CheckSealed(store); err != nil {
			t.Errorf("CheckSealed(%s) = %v, want no error", name, err)
		}
	}
	for name, store := range map[string]storage.Store{
		"a store of somebody":      plain{memory},
		"one that outlives":        keeping{memory},
		"a wrapper above a sealed": above{sealed},
	} {
		if err := storage.CheckSealed(store); !errors.Is(err, storage.ErrPlain) || !strings.Contains(err.Error(), "storage.Sealed") {
			t.Errorf("CheckSealed(%s) = %v, want %v with the advice", name, err, storage.ErrPlain)
		}
	}
}
