package oauthtest

import (
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
)

// ServeHTTP answers r as the provider's server would. At a host that is not the
// provider's, such as a listener's, the path alone decides. A fault of the
// connection is a panic with http.ErrAbortHandler, which a net/http server
// turns into a closed connection.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rep := s.answer(r, r.TLS != nil, false)
	switch {
	case rep.drop != nil:
		abort(w, rep.drop)
	case rep.http10:
		writeHTTP10(w, r, rep)
	default:
		writeReply(w, r, rep)
	}
}

func writeReply(w http.ResponseWriter, r *http.Request, rep *reply) {
	maps.Copy(w.Header(), rep.header)
	if rep.stream == nil {
		w.Header().Set("Content-Length", strconv.Itoa(len(rep.body)))
	}
	w.WriteHeader(rep.status)
	body := rep.reader(r.Context())
	defer body.Close()
	flush := http.NewResponseController(w)
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		w.Write(buf[:n])
		if rep.stream != nil || rep.pause > 0 || err != nil && err != io.EOF {
			_ = flush.Flush()
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// abort breaks the connection. It resets it if that was asked for and the
// connection can do it.
func abort(w http.ResponseWriter, cause error) {
	if errors.Is(cause, errReset) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			conn.Close()
			return
		}
	}
	panic(http.ErrAbortHandler)
}

// writeHTTP10 answers as an old server does: without a length. The end of the
// connection is the end of the body.
func writeHTTP10(w http.ResponseWriter, r *http.Request, rep *reply) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer conn.Close()
	resp := &http.Response{
		StatusCode: rep.status, ProtoMajor: 1, ProtoMinor: 0, Header: rep.header, Close: true,
		ContentLength: -1, Body: rep.reader(r.Context()),
	}
	_ = resp.Write(conn)
}
