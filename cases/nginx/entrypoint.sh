#!/bin/sh
# Every script of a directory, then the command.
set -e
if [ "$1" = "nginx" ] || [ "$1" = "nginx-debug" ]; then
    if /usr/bin/find "/docker-entrypoint.d/" -mindepth 1 -maxdepth 1 -type f -print -quit 2>/dev/null | read v; then
        for script in $(find "/docker-entrypoint.d/" -follow -type f -print | sort -V); do
            case "$script" in
                *.sh) [ -x "$script" ] && "$script" ;;
                *) echo "ignoring $script" ;;
            esac
        done
    fi
fi
exec "$@"
