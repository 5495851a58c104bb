package sqlitestore

import (
	"errors"
	"strings"
)

const (
	defaultTable = "authtrip_records"
	maxTable     = 63 // bytes, as in PostgreSQL, so that both stores can have the same name
)

// Schema returns the SQL that creates the table, for migrations of your own.
// CreateTable and Open run the same SQL. An empty name means
// "authtrip_records". It returns an error if Options.Table does not allow the
// name.
func Schema(table string) (string, error) {
	if table == "" {
		table = defaultTable
	}
	if err := checkTable(table); err != nil {
		return "", err
	}
	return newQueries(table).schema, nil
}

// checkTable refuses names that are not plain. The error does not show the
// name, which may come from anywhere.
func checkTable(name string) error {
	if name == "" || len(name) > maxTable || !plain(name) {
		return errors.New("sqlitestore: bad table name: use 1 to 63 of [A-Za-z0-9_], not beginning with a digit")
	}
	if strings.HasPrefix(strings.ToLower(name), "sqlite_") {
		return errors.New("sqlitestore: bad table name: SQLite keeps names that begin with sqlite_ to itself")
	}
	return nil
}

func plain(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		digit := '0' <= c && c <= '9'
		if !letter && (!digit || i == 0) {
			return false
		}
	}
	return true
}

// queries are all statements that a store makes.
type queries struct {
	table                           string
	schema                          string
	get, create, swap, remove, list string
	nothing                         string // writes nothing, but fails where nothing can be written
}

// newQueries returns the statements for a table whose name was checked. The
// table keeps its rowid: values are too long to lie in an index, and a swap
// then writes to one tree only.
func newQueries(table string) queries {
	in := func(query string) string { return strings.Replace(query, "$table", `"`+table+`"`, 1) }
	return queries{
		table: table,
		schema: in(`CREATE TABLE IF NOT EXISTS $table (
	"key" TEXT NOT NULL PRIMARY KEY,
	"version" INTEGER NOT NULL CHECK ("version" <> 0),
	"value" BLOB NOT NULL
) STRICT`),
		get:     in(`SELECT "version", "value" FROM $table WHERE "key" = ?`),
		create:  in(`INSERT INTO $table ("key", "version", "value") VALUES (?, ?, ?) ON CONFLICT DO NOTHING`),
		swap:    in(`UPDATE $table SET "version" = ?, "value" = ? WHERE "key" = ? AND "version" = ?`),
		remove:  in(`DELETE FROM $table WHERE "key" = ? AND "version" = ?`),
		list:    in(`SELECT "key" FROM $table WHERE "key" > ? ORDER BY "key" LIMIT ?`),
		nothing: in(`DELETE FROM $table WHERE FALSE`),
	}
}
