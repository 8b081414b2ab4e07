// Command app says where it runs, as the service of the guide does.
package main

import (
	"encoding/json"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"
)

var started = time.Now()

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		host, _ := os.Hostname()
		answer(w, map[string]any{
			"service": map[string]string{"name": "devops-info-service", "version": "1.0.0", "framework": "Go net/http"},
			"system":  map[string]any{"hostname": host, "platform": runtime.GOOS, "platform_version": platform(), "architecture": runtime.GOARCH},
			"runtime": map[string]any{"uptime_seconds": int(time.Since(started).Seconds()), "current_time": time.Now().UTC().Format(time.RFC3339)},
		})
	})
	http.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"status": "healthy", "uptime_seconds": int(time.Since(started).Seconds())})
	})
	if err := http.ListenAndServe(":8000", nil); err != nil {
		panic(err)
	}
}

// platform is the distribution's own name for itself.
func platform() string {
	release, _ := os.ReadFile("/etc/os-release")
	for _, line := range strings.Split(string(release), "\n") {
		if name, found := strings.CutPrefix(line, "PRETTY_NAME="); found {
			return strings.Trim(name, `"`)
		}
	}
	return "unknown"
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}
