//! Configuration of the programs of the table, on small trees.

use super::edges;
use crate::scripts::testing::{Image, compare};

fn check(path: &str, text: &str, others: &[&str], expected: &str) {
    let mut files = vec![(path, text)];
    files.extend(others.iter().map(|other| (*other, "x")));
    let image = Image::new(&files);
    let world = image.world();
    let node = world.tree.get(path).unwrap();
    compare(path, &edges(&world, node, text.as_bytes()), expected);
}

#[test]
fn nginx() {
    check(
        "etc/nginx/nginx.conf",
        "load_module modules/ngx_x.so;\nload_module /usr/lib/nginx/modules/ngx_y.so;\n\
         http {\n include mime.types;\n include /etc/nginx/conf.d/*.conf; # include none.conf\n\
         include snippets/ssl.conf;\n root /srv/www;\n ssl_certificate certs/a.pem;\n location /x/ { alias /srv/x; }\n\
         # include off.conf;\n}",
        &[
            "usr/share/nginx/modules/ngx_x.so",
            "usr/lib/nginx/modules/ngx_y.so",
            "etc/nginx/mime.types",
            "etc/nginx/conf.d/a.conf",
            "etc/nginx/conf.d/b.conf",
            "etc/nginx/snippets/ssl.conf",
            "srv/www/index.html",
            "srv/x/y",
            "etc/nginx/certs/a.pem",
            "etc/nginx/off.conf",
            "etc/nginx/none.conf",
        ],
        "Names /usr/share/nginx/modules/ngx_x.so
        Names /usr/lib/nginx/modules/ngx_y.so
        Names /etc/nginx/mime.types
        Names /etc/nginx/conf.d/a.conf
        Names /etc/nginx/conf.d/b.conf
        Names /etc/nginx/snippets/ssl.conf
        Names /etc/nginx/certs/a.pem
        Family /srv/www
        Family /srv/x",
    );
}

#[test]
fn apache_php_and_postgresql() {
    check(
        "etc/apache2/mods-enabled/rewrite.load",
        "LoadModule rewrite_module /usr/lib/apache2/modules/mod_rewrite.so\nLoadModule x modules/mod_x.so\n",
        &[
            "usr/lib/apache2/modules/mod_rewrite.so",
            "usr/lib/apache2/modules/mod_x.so",
        ],
        "Names /usr/lib/apache2/modules/mod_rewrite.so
        Names /usr/lib/apache2/modules/mod_x.so",
    );
    check(
        "usr/local/etc/php/conf.d/docker-php-ext-gd.ini",
        "extension=gd\nzend_extension = opcache.so\n;extension=off\nsendmail_path = /usr/sbin/sendmail -t\n",
        &[
            "usr/local/lib/php/extensions/no-debug-non-zts-20220829/gd.so",
            "usr/local/lib/php/extensions/no-debug-non-zts-20220829/opcache.so",
            "usr/local/lib/php/extensions/no-debug-non-zts-20220829/off.so",
            "usr/sbin/sendmail",
        ],
        "Opens /usr/local/lib/php/extensions/no-debug-non-zts-20220829/gd.so
        Opens /usr/local/lib/php/extensions/no-debug-non-zts-20220829/opcache.so
        Names /usr/sbin/sendmail
        Runs /usr/sbin/sendmail",
    );
    check(
        "var/lib/postgresql/data/postgresql.conf",
        "shared_preload_libraries = 'pg_stat_statements, auto_explain' # (change requires restart)\n\
         include_dir = 'conf.d'\n#archive_command = 'cp %p /x'\narchive_command = 'gzip < %p > /backup/%f'\n",
        &[
            "usr/lib/postgresql/15/lib/pg_stat_statements.so",
            "usr/lib/postgresql/15/lib/auto_explain.so",
            "var/lib/postgresql/data/conf.d/a.conf",
            "usr/bin/gzip",
        ],
        "Opens /usr/lib/postgresql/15/lib/pg_stat_statements.so
        Opens /usr/lib/postgresql/15/lib/auto_explain.so
        Family /var/lib/postgresql/data/conf.d
        Runs /usr/bin/gzip",
    );
}

#[test]
fn pam_and_others() {
    check(
        "etc/pam.d/login",
        "auth [success=1 default=ignore] pam_unix.so nullok\n@include common-auth\nsession optional pam_none.so\n",
        &[
            "usr/lib/x86_64-linux-gnu/security/pam_unix.so",
            "etc/pam.d/common-auth",
        ],
        "Opens /usr/lib/x86_64-linux-gnu/security/pam_unix.so
        Names /usr/lib/x86_64-linux-gnu/security/pam_unix.so
        Names /etc/pam.d/common-auth",
    );
    check(
        "opt/app/etc/app.conf",
        "key_file=keys/a.key\nwords and more\nurl=http://x/etc/hosts",
        &["opt/app/etc/keys/a.key", "etc/hosts", "opt/app/etc/words"],
        "Names /opt/app/etc/keys/a.key",
    );
    check("home/x.txt", "/etc/hosts", &["etc/hosts"], "");
}

#[test]
fn delegates_of_imagemagick() {
    check(
        "etc/ImageMagick-6/delegates.xml",
        r#"<delegate decode="ps" command="&quot;gs&quot; -q -sOutputFile=%o %i"/>
        <delegate decode="dng:decode" stealth="True" command="&quot;ufraw-batch&quot; --silent"/>"#,
        &["usr/bin/gs"],
        "Runs /usr/bin/gs",
    );
}
