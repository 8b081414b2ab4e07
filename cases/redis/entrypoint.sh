#!/bin/sh
set -e
# First argument is a flag, or a file of settings.
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
    set -- redis-server "$@"
fi
if [ "$1" = "redis-server" ] && [ "$(id -u)" = "0" ]; then
    find . \! -user redis -exec chown redis '{}' +
    exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
fi
if [ "$1" = "check" ]; then
    exec redis-check-aof --fix "$2"
fi
um="$(umask)"
if [ "$um" = "0022" ]; then
    umask 0077
fi
exec "$@"
