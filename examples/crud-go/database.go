package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sort"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// connect waits a little for a database that is still starting. A certificate
// that does not verify will not get better by waiting.
func connect(ctx context.Context, url string) (*pgxpool.Pool, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		err = pool.Ping(ctx)
		var certificate *tls.CertificateVerificationError
		switch {
		case err == nil:
			return pool, nil
		case attempt == 10 || errors.As(err, &certificate) || ctx.Err() != nil:
			pool.Close()
			return nil, err
		}
		slog.Warn("waiting for the database", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// migrate applies the .sql files that were not applied yet, in the order of
// their names, all or none.
func migrate(ctx context.Context, pool *pgxpool.Pool, files fs.FS) error {
	names, err := fs.Glob(files, "*.up.sql")
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return errors.New("no migration files found")
	}
	sort.Strings(names)

	transaction, err := pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = transaction.Rollback(context.WithoutCancel(ctx)) }()
	// Two instances that start at once take turns.
	const prepare = `SELECT pg_advisory_xact_lock(72653);
		CREATE TABLE IF NOT EXISTS schema_migrations (name text PRIMARY KEY)`
	if _, err := transaction.Exec(ctx, prepare); err != nil {
		return err
	}
	for _, name := range names {
		done, err := transaction.Exec(ctx, `INSERT INTO schema_migrations VALUES ($1) ON CONFLICT DO NOTHING`, name)
		if err != nil {
			return err
		}
		if done.RowsAffected() == 0 {
			continue
		}
		statements, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		if _, err := transaction.Exec(ctx, string(statements)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		slog.Info("migrated", "file", name)
	}
	return transaction.Commit(ctx)
}
