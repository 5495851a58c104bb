package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Read returns the entries of a data file. It refuses members that the format
// does not know, members that are there twice, and entries that cannot be
// right. A misspelt member would otherwise be a fact that silently is missing.
func Read(data []byte) ([]*Entry, error) {
	if err := unique(json.NewDecoder(bytes.NewReader(data))); err != nil {
		return nil, err
	}
	var f file
	if err := strict(data, &f); err != nil {
		return nil, err
	}
	if len(f.Providers) == 0 {
		return nil, errors.New(`"providers" is missing or empty`)
	}
	list := make([]*Entry, len(f.Providers))
	for i, raw := range f.Providers {
		e, err := decode(raw)
		if err == nil {
			err = e.check()
		}
		if err != nil {
			return nil, fmt.Errorf("entry %d (%s): %w", i+1, e.Name, err)
		}
		list[i] = e
	}
	return list, nil
}

// Index returns the entries of a data file by name, without the checks of
// [Read]. Each is decoded when its function is called for the first time.
func Index(data []byte) (map[string]func() (*Entry, error), error) {
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	entries := make(map[string]func() (*Entry, error), len(f.Providers))
	for _, raw := range f.Providers {
		var named struct {
			Name string `json:"name"`
		}
		if err := json.Unmarshal(raw, &named); err != nil {
			return nil, err
		}
		entries[named.Name] = sync.OnceValues(func() (*Entry, error) { return decode(raw) })
	}
	return entries, nil
}

func decode(raw json.RawMessage) (*Entry, error) {
	e := &Entry{raw: raw}
	return e, strict(raw, e)
}

func strict(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is text behind the object")
	}
	return nil
}

// unique reads one value, and refuses an object that has a member twice.
func unique(dec *json.Decoder) error {
	t, err := dec.Token()
	if err != nil {
		return err
	}
	open, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for dec.More() {
		if open == '{' {
			key, err := dec.Token()
			if err != nil {
				return err
			}
			name, _ := key.(string)
			if seen[name] {
				return fmt.Errorf("member %q is there twice", name)
			}
			seen[name] = true
		}
		if err := unique(dec); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}
