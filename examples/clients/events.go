package clients

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
)

// Events reads a stream of server-sent events and calls each with the data of
// one event, until the stream ends, each returns an error, or ctx ends. It
// returns nil if the server ended the stream.
//
// The token is that of the moment when the stream begins. A server that ends
// the stream when the token expires is called again by the program, and gets
// a new token then.
func Events(ctx context.Context, client *http.Client, url string, each func(data string) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the stream was answered with %s", resp.Status)
	}
	var data []string
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if line, ok := strings.CutPrefix(lines.Text(), "data:"); ok {
			data = append(data, strings.TrimPrefix(line, " "))
		} else if lines.Text() == "" && data != nil {
			if err := each(strings.Join(data, "\n")); err != nil {
				return err
			}
			data = nil
		}
	}
	return lines.Err()
}
