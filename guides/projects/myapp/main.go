// Command myapp is the server that the guides build: it answers over HTTP, knows time zones and certificates where they are.
package main

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/google/uuid"
)

var version = "dev"

func main() {
	if len(os.Args) > 1 && os.Args[1] == "--version" {
		fmt.Println("myapp", version)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]string{"message": "hello", "version": version})
	})
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]string{"status": "healthy"})
	})
	mux.HandleFunc("/name", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]string{"name": uuid.NewSHA1(uuid.NameSpaceURL, []byte(r.URL.RawQuery)).String()})
	})
	mux.HandleFunc("/zone", func(w http.ResponseWriter, _ *http.Request) {
		zone, err := time.LoadLocation("Europe/Vienna")
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotImplemented)
			return
		}
		answer(w, map[string]string{"noon": time.Date(2024, 7, 1, 10, 0, 0, 0, time.UTC).In(zone).Format(time.Kitchen)})
	})
	mux.HandleFunc("/certificates", func(w http.ResponseWriter, _ *http.Request) {
		pool, err := x509.SystemCertPool()
		if err != nil || pool.Equal(x509.NewCertPool()) {
			http.Error(w, "no certificates", http.StatusNotImplemented)
			return
		}
		answer(w, map[string]string{"certificates": "some"})
	})
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	log.Fatal(http.ListenAndServe(":"+port, mux))
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}
