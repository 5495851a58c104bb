package storage

// For the fuzz target of the file format.
var (
	EncodeFile = encodeFile
	DecodeFile = decodeFile
	FileName   = fileName
	KeyOf      = keyOf
)

// Explain gives the tests errors of the operating system that they cannot provoke.
func (f *File) Explain(err error) error { return f.explain("put", err) }
