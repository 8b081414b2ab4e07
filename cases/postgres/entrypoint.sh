#!/usr/bin/env bash
set -Eeo pipefail
if [ "${1:0:1}" = '-' ]; then
    set -- postgres "$@"
fi
if [ "$1" = 'postgres' ] && [ "$(id -u)" = '0' ]; then
    mkdir -p "$PGDATA"
    find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
    chmod 00700 "$PGDATA" || :
    exec setpriv --reuid=postgres --regid=postgres --init-groups "${BASH_SOURCE[0]}" "$@"
fi
if [ "$1" = 'backup' ]; then
    exec pg_dump --host "${2:-localhost}" --username "${POSTGRES_USER:-app}" --format=plain "${POSTGRES_USER:-app}"
fi
if [ "$1" = 'postgres' ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --username="${POSTGRES_USER:-app}" --pwfile=<(printf '%s\n' "${POSTGRES_PASSWORD:-app}") ${POSTGRES_INITDB_ARGS} \
        --auth-host=scram-sha-256 --auth-local=trust
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
    psql() { command psql --username "${POSTGRES_USER:-app}" --no-password -v ON_ERROR_STOP=1 "$@"; }
    psql --dbname postgres -c "CREATE DATABASE \"${POSTGRES_USER:-app}\""
    for file in /initdb.d/*; do
        case "$file" in
            *.sh) . "$file" ;;
            *.sql) psql --dbname "${POSTGRES_USER:-app}" -f "$file" ;;
            *.sql.gz) gunzip -c "$file" | psql --dbname "${POSTGRES_USER:-app}" ;;
            *.sql.xz) xzcat "$file" | psql --dbname "${POSTGRES_USER:-app}" ;;
        esac
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
fi
if [ "$1" = 'postgres' ]; then
    set -- "$@" -c listen_addresses='*' -c ssl=on -c ssl_cert_file=/etc/postgresql/tls/peer.crt -c ssl_key_file=/etc/postgresql/tls/peer.key
fi
exec "$@"
