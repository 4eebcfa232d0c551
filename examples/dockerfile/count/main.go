// Command count prints how many words stand on its standard input.
package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	words := bufio.NewScanner(os.Stdin)
	words.Split(bufio.ScanWords)
	count := 0
	for words.Scan() {
		count++
	}
	fmt.Println(count)
}
