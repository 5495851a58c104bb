package userstore

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
)

// write creates the file. The error wraps fs.ErrExist if it exists already: a
// process must not replace the key of another one.
//
// The file gets its name when it is complete. Where the file system has no
// links, it is created and then written. A process that meets it meanwhile
// waits.
func (h *holder) write(n *note) error {
	name, text, err := h.draft(n)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(name) }()
	err = link(name, h.file())
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = h.writeInPlace(text)
	}
	if err != nil {
		return err
	}
	h.syncDir()
	return nil
}

// replace writes the file in place of the one that is there.
func (h *holder) replace(n *note) error {
	name, _, err := h.draft(n)
	if err != nil {
		return err
	}
	if err := os.Rename(name, h.file()); err != nil {
		_ = os.Remove(name)
		return err
	}
	h.syncDir()
	return nil
}

// draft writes a complete file under a name of its own.
func (h *holder) draft(n *note) (name string, text []byte, err error) {
	text, err = json.Marshal(n)
	if err != nil {
		return "", nil, err
	}
	file, err := os.CreateTemp(h.path, keyFile+"-*") // mode 0600
	if err != nil {
		return "", nil, err
	}
	if err := fill(file, text); err != nil {
		_ = os.Remove(file.Name())
		return "", nil, err
	}
	return file.Name(), text, nil
}

// link is os.Link. Tests replace it.
var link = os.Link

// fill writes a file that is durable, and closes it.
func fill(file *os.File, text []byte) error {
	_, err := file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func (h *holder) writeInPlace(text []byte) error {
	file, err := os.OpenFile(h.file(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return fill(file, text)
}

// syncDir makes the name of the file durable, before any record is sealed with
// its key. Not every system can sync a folder.
func (h *holder) syncDir() {
	dir, err := os.Open(h.path)
	if err != nil {
		return
	}
	_ = dir.Sync()
	_ = dir.Close()
}
