#!/bin/sh
set -e
case "$1" in
    serve)
        tries=0
        until python3 -c 'import os, socket; socket.create_connection((os.environ["DB_HOST"], 5432), 2)' 2>/dev/null; do
            tries=$((tries + 1))
            if [ "$tries" -gt 20 ]; then echo "no database at $DB_HOST" >&2; exit 1; fi
            sleep 0.5
        done
        python3 manage.py migrate --noinput
        exec gunicorn --bind 0.0.0.0:8000 --workers 2 wsgi:application
        ;;
    manage)
        shift
        exec python3 manage.py "$@"
        ;;
    report)
        exec awk -F, '{ sum += $2 } END { printf "%.2f\n", sum }' "${2:-/srv/site/prices.csv}"
        ;;
    *)
        exec "$@"
        ;;
esac
