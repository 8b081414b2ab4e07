// A service that is built and run in the image of its toolchain, with cgo for names and users.
package main

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log"
	"mime"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"
)

//go:embed web/embedded.html
var embedded embed.FS

func main() {
	if len(os.Args) > 1 && os.Args[1] == "check" {
		answer, err := http.Get("http://127.0.0.1:8080/")
		if err != nil || answer.StatusCode != 200 {
			log.Fatal("not healthy")
		}
		return
	}
	mux := http.NewServeMux()
	page := func(path string, answer func(argument string) (string, error)) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			text, err := answer(strings.TrimPrefix(r.URL.Path, path))
			if err != nil {
				http.Error(w, fmt.Sprint(err), 500)
				return
			}
			io.WriteString(w, text)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		template.Must(template.ParseGlob("web/*.html")).ExecuteTemplate(w, "index.html", []string{"zone", "static"})
	})
	mux.Handle("/static/", http.StripPrefix("/static/", http.FileServer(http.Dir("web/static"))))
	page("/embedded", func(string) (string, error) { b, err := embedded.ReadFile("web/embedded.html"); return string(b), err })
	page("/zone/", func(name string) (string, error) {
		zone, err := time.LoadLocation(name)
		if err != nil {
			return "", errors.New("no such zone")
		}
		return time.Unix(1700000000, 0).In(zone).String(), nil
	})
	page("/local", func(string) (string, error) { return time.Unix(1700000000, 0).Local().String(), nil })
	page("/user/", func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", errors.New("no such user")
		}
		groups, _ := u.GroupIds()
		return u.HomeDir + strings.Join(groups, ","), nil
	})
	page("/port/", func(name string) (string, error) { p, err := net.LookupPort("tcp", name); return fmt.Sprint(p), err })
	page("/lookup/", func(name string) (string, error) {
		if _, err := net.LookupHost(name); err != nil {
			return "unknown", nil
		}
		return "found", nil
	})
	page("/mime/", func(name string) (string, error) { return mime.TypeByExtension("." + name), nil })
	page("/fetch/", func(address string) (string, error) {
		answer, err := http.Get("https://" + address + "/")
		var untrusted *tls.CertificateVerificationError
		if errors.As(err, &untrusted) {
			return "not trusted", nil
		}
		if err != nil {
			return "", err
		}
		b, err := io.ReadAll(answer.Body)
		return string(b), err
	})
	page("/migrations", func(string) (string, error) {
		names, err := filepath.Glob("migrations/*.sql")
		sort.Strings(names)
		var all strings.Builder
		for _, name := range names {
			b, _ := os.ReadFile(name)
			all.WriteString(name + ": " + string(b))
		}
		return all.String(), err
	})
	page("/run", func(string) (string, error) { b, err := exec.Command("git", "--version").Output(); return string(b), err })
	page("/run-helper", func(string) (string, error) { b, err := exec.Command("gzip", "-dc", "web/static/a.txt.gz").Output(); return string(b), err })
	page("/fail", func(string) (string, error) { panic("on purpose") })
	mux.HandleFunc("/json", func(w http.ResponseWriter, r *http.Request) {
		var value map[string]any
		if json.NewDecoder(r.Body).Decode(&value) != nil {
			http.Error(w, "no JSON", 400)
			return
		}
		w.WriteHeader(201)
		json.NewEncoder(w).Encode(value)
	})
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, r *http.Request) {
		z := gzip.NewWriter(w)
		defer z.Close()
		z.Write([]byte("zipped"))
	})
	server := &http.Server{Addr: ":8080", Handler: mux}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		for s := range signals {
			if s == syscall.SIGHUP {
				log.Print("reloaded ", len(template.Must(template.ParseGlob("web/*.html")).Templates()))
				continue
			}
			log.Print("ending")
			server.Shutdown(context.Background())
		}
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
}
