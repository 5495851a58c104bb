package main

import (
	"context"
	"fmt"
	"os"

	"github.com/authtrip/authtrip/bench/internal/paired"
	"github.com/authtrip/authtrip/bench/internal/stores"
)

// stores is the section on stores, sealing, and the stored record.
func (r *report) stores() error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a directory of temporary files
	pairs, closeAll, err := stores.Pairs(dir)
	if err != nil {
		return err
	}
	defer closeAll()
	t := &table{title: "**A record of 2,048 bytes**", head: []string{"", "goroutines", "time", "the same without authtrip", "ratio"}}
	for _, p := range pairs {
		for _, goroutines := range p.Goroutines {
			results, err := paired.Measure(r.scale.network, p.Ours.Contender("ours", goroutines), p.Bare.Contender("bare", goroutines))
			if err != nil {
				return fmt.Errorf("%s: %w", p.Name, err)
			}
			t.add(p.Name, fmt.Sprint(goroutines), nanos(results.Nanos("ours")), nanos(results.Nanos("bare"))+", "+p.Against,
				ratio(results.Ratio("ours", "bare"), p.Goal...))
		}
	}
	list := []fmt.Stringer{t}
	if r.scale.modules {
		more, err := moduleTable(context.Background())
		if err != nil {
			return err
		}
		list = append(list, more)
	}
	return r.show("stores", list...)
}
