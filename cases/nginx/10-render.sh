#!/bin/sh
set -e
for template in /etc/nginx/templates/*.template; do
    envsubst '$SITE_NAME' < "$template" > "/etc/nginx/conf.d/$(basename "$template" .template)"
done
if [ -n "$BASIC_PASSWORD" ]; then
    printf 'admin:%s\n' "$(openssl passwd -apr1 "$BASIC_PASSWORD")" > /etc/nginx/htpasswd
fi
