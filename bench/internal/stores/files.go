package stores

import (
	"encoding/binary"
	"os"
	"path/filepath"
)

// bareFiles is the least that keeps values in files of a directory and survives
// a power failure: no versions, no checksums, no locks between processes.
type bareFiles string

func (d bareFiles) create() error { return os.MkdirAll(string(d), 0o700) }

func (d bareFiles) load(worker int) (func() error, error) {
	name := filepath.Join(string(d), "load-"+key(worker))
	err := os.WriteFile(name, record(0), 0o600)
	return func() error {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }() // only read
		data := make([]byte, Size+1)
		if n, err := file.Read(data); err != nil || n != Size {
			return errWrong
		}
		return nil
	}, err
}

func (d bareFiles) save(worker int) (func() error, error) {
	name := filepath.Join(string(d), "save-"+key(worker))
	value, n := record(0), uint64(0)
	dir, err := os.Open(string(d))
	return func() error {
		n++
		binary.LittleEndian.PutUint64(value, n)
		if err := writeSynced(name+".tmp", value); err != nil {
			return err
		}
		if err := os.Rename(name+".tmp", name); err != nil {
			return err
		}
		return dir.Sync()
	}, err
}

func writeSynced(name string, value []byte) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.Write(value); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return file.Close()
}
