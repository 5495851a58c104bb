package postgresstore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

const (
	defaultTable = "authtrip_records"
	maxName      = 63 // bytes; PostgreSQL cuts off the rest
)

// table is a table's name, in one or two parts that checkName has passed.
type table struct {
	name pgx.Identifier
}

func parseTable(name string) (table, error) {
	if name == "" {
		name = defaultTable
	}
	parts := strings.Split(name, ".")
	if len(parts) > 2 {
		return table{}, fmt.Errorf("postgresstore: Table has %d parts: name it table, or schema.table", len(parts))
	}
	for _, part := range parts {
		if err := checkName("Table", part); err != nil {
			return table{}, err
		}
	}
	return table{parts}, nil
}

// String returns the name as it stands in an SQL statement.
func (t table) String() string { return t.name.Sanitize() }

// channelOf returns the channel of that name. Without a name it returns the
// channel of a table.
func channelOf(name string, t table) (string, error) {
	if name != "" {
		return name, checkName("Channel", name)
	}
	name = strings.Join(t.name, ".")
	if len(name) > maxName {
		sum := sha256.Sum256([]byte(name))
		name = defaultTable + "_" + hex.EncodeToString(sum[:16])
	}
	return name, nil
}

// checkName refuses a name that is no plain identifier. SQL statements quote
// names nevertheless.
func checkName(option, name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("postgresstore: %s has a name of %d bytes, not 1 to %d", option, len(name), maxName)
	}
	for i := range len(name) {
		if !nameByte(name[i], i == 0) {
			return fmt.Errorf("postgresstore: %s %q: byte %d is not one of [A-Za-z0-9_], or is a digit at the start", option, name, i)
		}
	}
	return nil
}

func nameByte(c byte, first bool) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
		return true
	}
	return '0' <= c && c <= '9' && !first
}
