package filestore

// These names are for the tests of the file format.
var (
	Encode   = encodeFile
	Decode   = decodeFile
	FileName = fileName
	KeyOf    = keyOf
	ShardOf  = shardOf
)

// Explain explains errors of the operating system that the tests cannot cause.
func (f *Store) Explain(err error) error { return f.explain("put", err) }
