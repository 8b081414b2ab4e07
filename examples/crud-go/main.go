// A service that keeps users in PostgreSQL: migrations at start, TLS to the
// database, times shown in the configured zone.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// version is set by the linker.
var version = "dev"

func main() {
	if err := run(); err != nil {
		slog.Error("stopped", "error", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()

	zone, err := time.LoadLocation(variable("APP_TIMEZONE", "Europe/Tallinn"))
	if err != nil {
		return fmt.Errorf("time zone: %w", err)
	}
	pool, err := connect(ctx, databaseURL())
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer pool.Close()
	if err := migrate(ctx, pool, os.DirFS(variable("MIGRATIONS_DIR", "./migrations"))); err != nil {
		return fmt.Errorf("migrations: %w", err)
	}

	api := &api{pool: pool, zone: zone}
	server := &http.Server{
		Addr:              net.JoinHostPort(variable("HOST", "0.0.0.0"), variable("PORT", "8080")),
		Handler:           api.routes(),
		ReadHeaderTimeout: 5 * time.Second,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	slog.Info("listening", "address", server.Addr, "version", version, "time", time.Now().In(zone).Format(time.RFC3339))

	select {
	case err := <-failed:
		if !errors.Is(err, http.ErrServerClosed) {
			return err
		}
	case <-ctx.Done():
	}
	deadline, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	if err := server.Shutdown(deadline); err != nil {
		return err
	}
	slog.Info("stopped")
	return nil
}

// databaseURL is made of POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_HOST,
// POSTGRES_PORT, POSTGRES_DB and POSTGRES_SSL_MODE.
func databaseURL() string {
	database := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(variable("POSTGRES_USER", "postgres"), os.Getenv("POSTGRES_PASSWORD")),
		Host:     net.JoinHostPort(variable("POSTGRES_HOST", "localhost"), variable("POSTGRES_PORT", "5432")),
		Path:     "/" + variable("POSTGRES_DB", "postgres"),
		RawQuery: url.Values{"sslmode": {variable("POSTGRES_SSL_MODE", "require")}}.Encode(),
	}
	return database.String()
}

func variable(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
