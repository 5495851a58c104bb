package filestore

import (
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/authtrip/authtrip/storage"
)

// A file holds the magic, the format, the version, the length and the
// checksum, all in little endian, and then the value. The checksum covers
// everything before and after it.
const (
	fileMagic   = "authtrp"
	fileFormat  = 1
	fileVersion = 8
	fileLength  = 16
	fileSum     = 20
	fileHeader  = 24
)

// castagnoli is the polynomial for which most processors have an instruction.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type header struct {
	version storage.Version
	length  int
	sum     uint32
}

// encodeFile returns the content of the file of a record.
func encodeFile(version storage.Version, value []byte) []byte {
	data := make([]byte, fileHeader, fileHeader+len(value))
	copy(data, fileMagic)
	data[len(fileMagic)] = fileFormat
	binary.LittleEndian.PutUint64(data[fileVersion:], uint64(version))
	binary.LittleEndian.PutUint32(data[fileLength:], uint32(len(value)))
	data = append(data, value...)
	binary.LittleEndian.PutUint32(data[fileSum:], checksum(data))
	return data
}

// decodeFile returns the record in the content of a file. The value of the
// record is a part of data.
func decodeFile(data []byte) (storage.Record, error) {
	h, err := decodeHeader(data)
	if err != nil {
		return storage.Record{}, err
	}
	value := data[fileHeader:]
	switch {
	case len(value) != h.length:
		return storage.Record{}, fmt.Errorf("%w: the value has %d bytes, and the header says %d", storage.ErrCorrupt, len(value), h.length)
	case checksum(data) != h.sum:
		return storage.Record{}, fmt.Errorf("%w: the checksum is wrong", storage.ErrCorrupt)
	}
	return storage.NewRecord(value[:len(value):len(value)], h.version), nil
}

func decodeHeader(data []byte) (header, error) {
	if len(data) < fileHeader || string(data[:len(fileMagic)]) != fileMagic {
		return header{}, fmt.Errorf("%w: the file has another beginning", storage.ErrCorrupt)
	}
	if format := data[len(fileMagic)]; format != fileFormat {
		return header{}, fmt.Errorf("%w: the file has format %d, and this program knows only %d", storage.ErrCorrupt, format, fileFormat)
	}
	h := header{
		version: storage.Version(binary.LittleEndian.Uint64(data[fileVersion:])),
		length:  int(binary.LittleEndian.Uint32(data[fileLength:])),
		sum:     binary.LittleEndian.Uint32(data[fileSum:]),
	}
	if h.version == 0 {
		return header{}, fmt.Errorf("%w: the version is zero", storage.ErrCorrupt)
	}
	return h, nil
}

func checksum(data []byte) uint32 {
	sum := crc32.Checksum(data[:fileSum], castagnoli)
	return crc32.Update(sum, castagnoli, data[fileHeader:])
}

// keyPrefix begins the names of all files that hold a record. With it, no name
// is one that Windows reserves.
const keyPrefix = "k-"

// nameCode encodes keys in lower-case base32. On a file system that ignores
// case, keys that differ only in case still have different files.
var nameCode = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// fileName returns the name of the file of key.
func fileName(key string) string {
	name := make([]byte, len(keyPrefix), len(keyPrefix)+nameCode.EncodedLen(storage.MaxKey))
	copy(name, keyPrefix)
	return string(nameCode.AppendEncode(name, []byte(key)))
}

// keyOf returns the key whose file has this name. It reports false for a file
// that is no record.
func keyOf(name string) (string, bool) {
	code, ok := strings.CutPrefix(name, keyPrefix)
	if !ok {
		return "", false
	}
	key, err := nameCode.DecodeString(code)
	if err != nil || storage.CheckKey(string(key)) != nil || fileName(string(key)) != name {
		return "", false
	}
	return string(key), true
}
