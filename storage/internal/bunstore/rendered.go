package bunstore

import (
	"bytes"
	"io"
	"io/fs"
	"time"
)

// Rendered is the migrations with a host's own table names written into them, for hosts with a migration tool of their own.
func Rendered(files fs.FS, n Names) fs.FS { return renderedFS{files, n} }

type renderedFS struct {
	files fs.FS
	names Names
}

// Open renders a file; folders come as they are.
func (r renderedFS) Open(name string) (fs.File, error) {
	f, err := r.files.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		return f, err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	text = []byte(r.names.SQL(string(text)))
	return &renderedFile{bytes.NewReader(text), renderedInfo{info, int64(len(text))}}, nil
}

type renderedFile struct {
	*bytes.Reader
	info renderedInfo
}

func (f *renderedFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *renderedFile) Close() error               { return nil }

type renderedInfo struct {
	fs.FileInfo
	size int64
}

func (i renderedInfo) Size() int64        { return i.size }
func (i renderedInfo) ModTime() time.Time { return time.Time{} }
