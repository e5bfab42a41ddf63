// A program that writes, which the test of collector/testdata/reader must see.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/ua"
)

func main() {
	c, err := opcua.NewClient(os.Args[1])
	if err == nil {
		_, err = c.Write(context.Background(), &ua.WriteRequest{})
	}
	fmt.Println(err)
}
