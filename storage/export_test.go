package storage

// For the tests of the file format.
var (
	EncodeFile = encodeFile
	DecodeFile = decodeFile
	FileName   = fileName
	KeyOf      = keyOf
	ShardOf    = shardOf
)

// Explain gives the tests errors of the operating system that they cannot provoke.
func (f *File) Explain(err error) error { return f.explain("put", err) }
