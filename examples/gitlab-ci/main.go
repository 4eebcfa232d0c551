// A service of one page, for the image that .gitlab-ci.yml makes.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	config := flag.String("config", "conf/server.toml", "the configuration file")
	address := flag.String("address", ":8080", "where to listen")
	flag.Parse()
	text, err := os.ReadFile(*config)
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%s\n%s", os.Getenv("ENVIRONMENT"), text)
	})
	log.Fatal(http.ListenAndServe(*address, nil))
}
