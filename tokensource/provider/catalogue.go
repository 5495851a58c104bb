package provider

import (
	"cmp"
	_ "embed" // of the data
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/authtrip/authtrip/tokensource/provider/internal/format"
)

//go:embed catalogue.json
var data []byte

// own is the catalogue of this package. A program uses one entry or two, so
// each is decoded when it is asked for. A test loads the data as [Load] does,
// with all checks.
var own = sync.OnceValues(func() (*Catalogue, error) {
	entries, err := format.Index(data)
	return &Catalogue{entries: entries}, err
})

// A Catalogue holds the facts about many authorization servers, by name. [Load]
// makes one. It is safe for concurrent use.
type Catalogue struct {
	entries map[string]func() (*format.Entry, error) // never changed after Load
	plain   sync.Map                                 // by name, a *Provider that was made without variables
}

// Get returns the facts about a server that authtrip knows, such as "github".
// Each call returns a new value, so a caller may change it.
//
// Some entries need more than their name, such as the tenant. Then the error
// names the function that takes it, such as [Entra]. [Names] lists all entries.
func Get(name string) (*Provider, error) {
	c, err := own()
	if err != nil {
		return nil, err
	}
	return c.Get(name, nil)
}

// Names returns the names of all entries that [Get] knows, sorted.
func Names() []string {
	c, err := own()
	if err != nil {
		return nil
	}
	return c.Names()
}

// Load reads the files *.json at the root of fsys, which have the format that
// catalogue.schema.json describes: one object with a list of entries. Files
// *.schema.json are left out. It refuses a member that the format does not
// know, a name that is there twice, and facts that [Provider.Validate] refuses.
func Load(fsys fs.FS) (*Catalogue, error) {
	files, err := fs.Glob(fsys, "*.json")
	if err != nil {
		return nil, err
	}
	files = slices.DeleteFunc(files, func(name string) bool { return strings.HasSuffix(name, ".schema.json") })
	if len(files) == 0 {
		return nil, errors.New("provider: there is no file *.json")
	}
	c := &Catalogue{entries: map[string]func() (*format.Entry, error){}}
	for _, file := range files {
		text, err := fs.ReadFile(fsys, file)
		if err == nil {
			err = c.add(text)
		}
		if err != nil {
			return nil, fmt.Errorf("provider: %s: %w", file, err)
		}
	}
	return c, nil
}

// add adds the entries of a file.
func (c *Catalogue) add(text []byte) error {
	entries, err := format.Read(text)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if c.entries[e.Name] != nil {
			return fmt.Errorf("entry %s: the name is there twice", e.Name)
		}
		c.entries[e.Name] = func() (*format.Entry, error) { return e, nil }
		p, err := c.Get(e.Name, e.Examples())
		if err == nil {
			err = p.Validate()
		}
		if err != nil {
			return fmt.Errorf("entry %s: %w", e.Name, err)
		}
	}
	return nil
}

// Names returns the names of all entries, sorted.
func (c *Catalogue) Names() []string { return slices.Sorted(maps.Keys(c.entries)) }

// Get returns the facts of an entry, with vars in the places of its variables,
// such as the tenant. Nil vars mean the defaults. Each call returns a new
// value. It refuses a name that is not there, a variable without a value or a
// default, and a value that the pattern of its variable does not allow.
//
// A variable that is a host must be a name in the public DNS, see
// [InsecureLocal]. A file of your own says with "host" which variables that
// are.
func (c *Catalogue) Get(name string, vars map[string]string) (*Provider, error) {
	return c.get(name, vars, false)
}

func (c *Catalogue) get(name string, vars map[string]string, local bool) (*Provider, error) {
	if p, ok := c.plain.Load(name); ok && len(vars) == 0 {
		return p.(*Provider).Clone(), nil //nolint:forcetypeassert // the map has nothing else
	}
	entry := c.entries[name]
	if entry == nil {
		return nil, fmt.Errorf("provider: there is no entry %q: Names returns those that there are, and any other server is a Provider of your own", name)
	}
	p, err := of(entry, vars, local)
	if err != nil {
		return nil, fmt.Errorf("provider %s: %w", name, err)
	}
	if len(vars) == 0 {
		c.plain.Store(name, p)
	}
	return p.Clone(), nil // p shares lists with the entry
}

// of returns the Provider that an entry describes.
func of(entry func() (*format.Entry, error), vars map[string]string, local bool) (*Provider, error) {
	e, err := entry()
	if err != nil {
		return nil, err
	}
	if vars, err = hosts(e, vars, local); err != nil {
		return nil, err
	}
	filled, err := e.Fill(vars)
	if errors.Is(err, format.ErrMissing) {
		return nil, fmt.Errorf("%w: use %s", err, cmp.Or(e.Function, "Catalogue.Get with a value for it"))
	}
	if err != nil {
		return nil, err
	}
	return made(filled)
}

// filled returns an entry of this package with the value of its variables.
func filled(name string, vars map[string]string) (*Provider, error) {
	c, err := own()
	if err != nil {
		return nil, err
	}
	return c.Get(name, vars)
}
