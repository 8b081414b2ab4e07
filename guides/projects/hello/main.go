// Command app says hello and ends.
package main

import "fmt"

func main() {
	fmt.Println("Hello from a small image")
}
