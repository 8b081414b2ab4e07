package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

type api struct {
	pool *pgxpool.Pool
	zone *time.Location
}

type user struct {
	ID        int64  `json:"id"`
	Username  string `json:"username"`
	Email     string `json:"email"`
	CreatedAt string `json:"created_at"`
}

func (a *api) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", a.health)
	mux.HandleFunc("GET /api/v1/users", a.list)
	mux.HandleFunc("POST /api/v1/users", a.create)
	mux.HandleFunc("GET /api/v1/users/{id}", a.read)
	mux.HandleFunc("PUT /api/v1/users/{id}", a.update)
	mux.HandleFunc("DELETE /api/v1/users/{id}", a.remove)
	return mux
}

func (a *api) health(w http.ResponseWriter, r *http.Request) {
	if err := a.pool.Ping(r.Context()); err != nil {
		answer(w, http.StatusServiceUnavailable, map[string]string{"status": "unhealthy"})
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "healthy", "time_zone": a.zone.String()})
}

const columns = `id, username, email, created_at`

func (a *api) list(w http.ResponseWriter, r *http.Request) {
	rows, err := a.pool.Query(r.Context(), `SELECT `+columns+` FROM users ORDER BY id`)
	if err != nil {
		fail(w, err)
		return
	}
	users, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (user, error) { return a.scan(row) })
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, users)
}

func (a *api) create(w http.ResponseWriter, r *http.Request) {
	given, ok := body(w, r)
	if !ok {
		return
	}
	row := a.pool.QueryRow(r.Context(),
		`INSERT INTO users (username, email) VALUES ($1, $2) RETURNING `+columns, given.Username, given.Email)
	a.one(w, row, http.StatusCreated)
}

func (a *api) read(w http.ResponseWriter, r *http.Request) {
	if id, ok := identifier(w, r); ok {
		a.one(w, a.pool.QueryRow(r.Context(), `SELECT `+columns+` FROM users WHERE id = $1`, id), http.StatusOK)
	}
}

func (a *api) update(w http.ResponseWriter, r *http.Request) {
	id, ok := identifier(w, r)
	if !ok {
		return
	}
	given, ok := body(w, r)
	if !ok {
		return
	}
	row := a.pool.QueryRow(r.Context(),
		`UPDATE users SET username = $2, email = $3 WHERE id = $1 RETURNING `+columns, id, given.Username, given.Email)
	a.one(w, row, http.StatusOK)
}

func (a *api) remove(w http.ResponseWriter, r *http.Request) {
	id, ok := identifier(w, r)
	if !ok {
		return
	}
	done, err := a.pool.Exec(r.Context(), `DELETE FROM users WHERE id = $1`, id)
	switch {
	case err != nil:
		fail(w, err)
	case done.RowsAffected() == 0:
		fail(w, pgx.ErrNoRows)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (a *api) one(w http.ResponseWriter, row pgx.Row, status int) {
	found, err := a.scan(row)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, status, found)
}

func (a *api) scan(row pgx.Row) (user, error) {
	var found user
	var created time.Time
	err := row.Scan(&found.ID, &found.Username, &found.Email, &created)
	found.CreatedAt = created.In(a.zone).Format(time.RFC3339)
	return found, err
}

func identifier(w http.ResponseWriter, r *http.Request) (int64, bool) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		answer(w, http.StatusBadRequest, problem("id is not a number"))
	}
	return id, err == nil
}

func body(w http.ResponseWriter, r *http.Request) (user, bool) {
	var given user
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&given)
	if err != nil || given.Username == "" || given.Email == "" {
		answer(w, http.StatusBadRequest, problem("username and email are required"))
		return user{}, false
	}
	return given, true
}

func fail(w http.ResponseWriter, err error) {
	var database *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		answer(w, http.StatusNotFound, problem("no such user"))
	case errors.As(err, &database) && database.Code == "23505":
		answer(w, http.StatusConflict, problem("username or email is taken"))
	default:
		slog.Error("request failed", "error", err)
		answer(w, http.StatusInternalServerError, problem("internal error"))
	}
}

func problem(text string) map[string]string { return map[string]string{"error": text} }

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		slog.Error("answer", "error", err)
	}
}
