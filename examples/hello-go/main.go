// A command-line program that does its work and ends.
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	whom := "world"
	if len(os.Args) > 1 {
		whom = strings.Join(os.Args[1:], " ")
	}
	fmt.Printf("Hello, %s!\n", whom)
}
