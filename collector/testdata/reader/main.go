// A program that links the collector and nothing else of the house, for a test
// that looks for ways to write in it.
package main

import (
	"context"
	"fmt"
	"os"

	"millwright/collector"
	"millwright/plant"
)

func main() {
	s := &collector.Source{Name: "PLC", URL: os.Args[1]}
	tags, err := collector.Discover(context.Background(), s.URL, s.Security, "")
	fmt.Println(tags, err)
	fmt.Println(collector.Probe(context.Background(), s.URL, s.Security))
	fmt.Println(s.Run(context.Background(), plant.SinkFunc(func(context.Context, plant.Batch) error { return nil })))
}
