package filestore

import (
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/authtrip/authtrip/storage"
)

// A file is magic, format, version, length and checksum, all little endian, and then the value. The checksum is of all
// that stands before and after it.
const (
	fileMagic   = "authtrp"
	fileFormat  = 1
	fileVersion = 8
	fileLength  = 16
	fileSum     = 20
	fileHeader  = 24
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli) // has an instruction of its own on most processors

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

// decodeFile returns the record in the content of a file. Its value is a part of data.
func decodeFile(data []byte) (storage.Record, error) {
	h, err := decodeHeader(data)
	if err != nil {
		return storage.Record{}, err
	}
	value := data[fileHeader:]
	switch {
	case len(value) != h.length:
		return storage.Record{}, fmt.Errorf("%w: it should have %d bytes more or less", storage.ErrCorrupt, max(h.length-len(value), len(value)-h.length))
	case checksum(data) != h.sum:
		return storage.Record{}, fmt.Errorf("%w: the checksum is wrong", storage.ErrCorrupt)
	}
	return storage.NewRecord(value[:len(value):len(value)], h.version), nil
}

func decodeHeader(data []byte) (header, error) {
	if len(data) < fileHeader || string(data[:len(fileMagic)]) != fileMagic {
		return header{}, fmt.Errorf("%w: it does not begin like one", storage.ErrCorrupt)
	}
	if format := data[len(fileMagic)]; format != fileFormat {
		return header{}, fmt.Errorf("%w: it has format %d, and this program knows only %d", storage.ErrCorrupt, format, fileFormat)
	}
	h := header{
		version: storage.Version(binary.LittleEndian.Uint64(data[fileVersion:])),
		length:  int(binary.LittleEndian.Uint32(data[fileLength:])),
		sum:     binary.LittleEndian.Uint32(data[fileSum:]),
	}
	if h.version == 0 {
		return header{}, fmt.Errorf("%w: its version is zero", storage.ErrCorrupt)
	}
	return h, nil
}

func checksum(data []byte) uint32 {
	sum := crc32.Checksum(data[:fileSum], castagnoli)
	return crc32.Update(sum, castagnoli, data[fileHeader:])
}

// keyPrefix begins the names of all files that hold a record. It keeps them apart from names that Windows reserves.
const keyPrefix = "k-"

// Names are lower-case base32: on file systems that know no case, keys that differ by it only have files of their own.
var nameCode = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// fileName returns the name of the file of key.
func fileName(key string) string {
	name := make([]byte, len(keyPrefix), len(keyPrefix)+nameCode.EncodedLen(storage.MaxKey))
	copy(name, keyPrefix)
	return string(nameCode.AppendEncode(name, []byte(key)))
}

// keyOf returns the key whose file has this name, if it is one of ours.
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
