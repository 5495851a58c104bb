package storage

// For the fuzz target of the file format.
var (
	EncodeFile = encodeFile
	DecodeFile = decodeFile
	FileName   = fileName
	KeyOf      = keyOf
)
