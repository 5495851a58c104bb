package filestore

// For the tests of the file format.
var (
	Encode   = encodeFile
	Decode   = decodeFile
	FileName = fileName
	KeyOf    = keyOf
	ShardOf  = shardOf
)

// Explain gives the tests errors of the operating system that they cannot provoke.
func (f *Store) Explain(err error) error { return f.explain("put", err) }
