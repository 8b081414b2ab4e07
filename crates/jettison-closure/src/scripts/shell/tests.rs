use crate::scripts::testing::Image;

const PROGRAMS: &[&str] = &[
    "bin/sh",
    "bin/bash",
    "usr/bin/gunzip",
    "usr/bin/openssl",
    "usr/bin/mysql",
    "usr/bin/id",
    "usr/bin/find",
    "usr/bin/chown",
    "usr/bin/dirname",
    "usr/bin/sed",
    "usr/bin/gosu",
    "usr/bin/cat",
    "usr/bin/env",
    "usr/bin/xargs",
    "usr/bin/echo",
    "usr/bin/test",
    "opt/pg/bin/initdb",
    "opt/pg/bin/postgres",
    "usr/bin/readlink",
    "usr/bin/basename",
];

fn image(script: &str, more: &[(&str, &str)]) -> Image {
    let script = format!("#!/bin/sh\n{script}");
    let mut files: Vec<(&str, &str)> = PROGRAMS.iter().map(|path| (*path, "\x7fELF")).collect();
    files.push(("app/entry", &script));
    files.extend(more);
    Image::new(&files).env("HOME", "/root").env("PG", "/opt/pg")
}

#[track_caller]
fn check(script: &str, more: &[(&str, &str)], expected: &str) {
    image(script, more).check("app/entry", &format!("Interpreter /bin/sh\n{expected}"));
}

/// The programs alone.
#[track_caller]
fn runs(script: &str, expected: &str) {
    let edges = image(script, &[]).edges("app/entry");
    let mut found: Vec<String> = edges
        .iter()
        .filter(|edge| edge.how == crate::How::Runs)
        .map(|edge| String::from_utf8_lossy(edge.to.file_name()).into_owned())
        .collect();
    found.sort();
    assert_eq!(found.join(" "), expected, "{script}");
}

#[test]
fn commands_of_every_branch() {
    runs(
        "if false; then openssl req; else gunzip x; fi",
        "gunzip openssl",
    );
    runs(
        "case $f in *.sql.gz) gunzip -c $f | mysql ;; *) cat $f ;; esac",
        "cat gunzip mysql",
    );
    runs(
        "newcert() { openssl x; }\n( gunzip y ) &\n",
        "gunzip openssl",
    );
    runs("x=$(id -u)\ny=`basename $x`\n", "basename id");
    runs(
        "while cat x; do mysql; done < <(gunzip z)",
        "cat gunzip mysql",
    );
    runs(
        "trap 'openssl bye' EXIT; eval 'gunzip x'; eval \"$CMD\"",
        "gunzip openssl",
    );
    runs(
        "cat <<EOF\n$(gunzip x) \"quoted\" `mysql`\nEOF\ncat <<'EOF'\n$(openssl)\nEOF\n",
        "cat gunzip mysql",
    );
    runs("echo openssl; printf gunzip; test -f mysql; true", "");
    runs(
        "xargs echo; find . -exec test {} \\; ; env echo",
        "echo env find test xargs",
    );
    runs(
        "command -v openssl >/dev/null && exec gunzip; which mysql; type id",
        "gunzip id mysql openssl",
    );
    runs(
        "command gunzip; builtin echo x; \\mysql; ! id",
        "gunzip id mysql",
    );
    runs("set -- gosu redis \"$0\" \"$@\"; exec \"$@\"", "gosu");
    runs("A=b C=d env -i gunzip", "env gunzip");
    runs(
        "$SUDO gunzip; ${SUDO:-} mysql; ${P:-openssl} x",
        "gunzip mysql openssl",
    );
    runs(
        "run() { \"$@\"; }\nrun gunzip x\nlog() { echo; }\nlog mysql",
        "gunzip",
    );
}

#[test]
fn words_have_the_values_of_their_variables() {
    runs("TOOL=gunzip\n$TOOL x", "gunzip");
    runs("T='gosu redis mysql'\nexec $T", "gosu mysql");
    runs(
        "for t in gunzip mysql; do $t --version; done",
        "gunzip mysql",
    );
    runs("\"$PG\"/bin/initdb; ${PG}/bin/postgres", "initdb postgres");
    runs("\"$UNSET/bin/mysql\"", "mysql");
    runs("PATH=\"$PG/bin:$PATH\"\ninitdb", "initdb");
    runs("export PATH=$PATH:/opt/pg/bin\ninitdb", "initdb");
    runs(": ${T:=gunzip}\n$T", "gunzip");
    runs("local T=gunzip; declare -r U=mysql\n$T; $U", "gunzip mysql");
    runs("D=$(dirname /opt/pg/bin/x)\n$D/initdb", "dirname initdb");
    runs("T=/opt/pg/bin/x; ${T%/*}/initdb", "initdb");
    runs("cd /opt/pg/bin && ./initdb", "initdb");
}

#[test]
fn files_that_are_sourced_read_and_named() {
    check(
        ". \"$(dirname \"$0\")/lib.sh\"\ngreet",
        &[
            ("app/lib.sh", "greet() { gunzip $FILE; }\nFILE=/app/x.gz"),
            ("app/x.gz", ""),
        ],
        "Imports /app/lib.sh\nRuns /usr/bin/dirname\nRuns /usr/bin/gunzip\nNames /app/x.gz",
    );
    check(
        "HERE=\"$(cd \"${BASH_SOURCE%/*}\" && pwd)\"\nsource $HERE/conf\nexec $TOOL",
        &[("app/conf", "TOOL=mysql")],
        "Imports /app/conf\nRuns /usr/bin/mysql\nNames /app",
    );
    check(
        "for f in /init.d/*; do case $f in *.sh) . \"$f\" ;; *.gz) gunzip -c \"$f\" ;; esac; done",
        &[("init.d/10.sh", "mysql"), ("init.d/20.gz", "")],
        "Family /init.d\nImports /init.d/10.sh\nImports /init.d/20.gz\nRuns /usr/bin/mysql\nRuns /usr/bin/gunzip",
    );
    check(
        "[ -f /etc/app.conf ] && cat < /etc/other > /etc/new; [[ -x /opt/pg/bin/initdb ]]",
        &[("etc/app.conf", ""), ("etc/other", "")],
        "Names /etc/app.conf\nNames /etc/other\nRuns /usr/bin/cat\nNames /opt/pg/bin/initdb",
    );
    check(
        "cat /etc/ssl/*.pem /etc/rc*",
        &[("etc/ssl/a.pem", ""), ("etc/rc.local", "")],
        "Runs /usr/bin/cat\nFamily /etc/ssl\nNames /etc/rc.local",
    );
}

/// What lies where a program is started is the application's own business: a
/// packaged script that is handed a name says nothing of it.
#[test]
fn any_file_of_the_working_directory() {
    let script =
        "#!/bin/sh\nfor f; do case $f in */*) ;; *) f=./$f ;; esac; cat \"$f\" ./$1; done\n";
    let files = [
        ("bin/sh", "\x7fELF"),
        ("usr/bin/cat", "\x7fELF"),
        ("usr/bin/ldd", script),
        ("app/ldd", script),
        ("app/data", ""),
    ];
    let image = Image::new(&files).below("app");
    image.check("usr/bin/ldd", "Interpreter /bin/sh\nRuns /usr/bin/cat");
    image.check(
        "app/ldd",
        "Interpreter /bin/sh\nRuns /usr/bin/cat\nFamily /app",
    );
}

/// Scripts in the style of well-known images.
#[test]
fn entry_points() {
    // A database that initialises itself from a directory of files.
    check(
        r#"set -Eeuo pipefail
_main() {
    if [ "${1:0:1}" = '-' ]; then set -- postgres "$@"; fi
    if [ "$(id -u)" = '0' ]; then
        find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
        exec gosu postgres "${BASH_SOURCE[0]}" "$@"
    fi
    docker_process_init_files /docker-entrypoint-initdb.d/*
    exec "$@"
}
docker_process_init_files() {
    local f
    for f; do
        case "$f" in
            *.sh) if [ -x "$f" ]; then "$f"; else . "$f"; fi ;;
            *.sql.gz) gunzip -c "$f" | mysql; printf '\n' ;;
            *) echo "$0: ignoring $f" ;;
        esac
    done
}
if ! _is_sourced; then _main "$@"; fi
"#,
        &[
            ("docker-entrypoint-initdb.d/10-x.sql", ""),
            ("usr/local/bin/postgres", "\x7fELF"),
        ],
        "Runs /usr/bin/id
         Runs /usr/bin/find
         Runs /usr/bin/chown
         Runs /usr/bin/gosu
         Runs /usr/local/bin/postgres
         Runs /usr/bin/gunzip
         Runs /usr/bin/mysql
         Family /docker-entrypoint-initdb.d",
    );
    // A web server with a directory of hooks.
    check(
        r#"set -e
entrypoint_log() { if [ -z "${QUIET:-}" ]; then echo "$@"; fi }
if [ "$1" = "nginx" ] || [ "$1" = "nginx-debug" ]; then
    if /usr/bin/find "/docker-entrypoint.d/" -mindepth 1 -maxdepth 1 -type f -print -quit 2>/dev/null | read v; then
        find "/docker-entrypoint.d/" -follow -type f -print | sort -V | while read -r f; do
            case "$f" in
                *.envsh) . "$f" ;;
                *.sh) "$f" ;;
            esac
        done
    fi
fi
exec "$@"
"#,
        &[
            ("docker-entrypoint.d/20-envsubst.sh", ""),
            ("usr/bin/sort", "\x7fELF"),
        ],
        "Runs /usr/bin/find
         Runs /usr/bin/sort
         Family /docker-entrypoint.d
         Names /docker-entrypoint.d",
    );
    // A Java server's launcher, with tests for tools and settings beside it.
    check(
        r#"PRG="$0"
while [ -h "$PRG" ]; do
  ls=`ls -ld "$PRG"`
  PRG=`dirname "$PRG"`/x
done
PRGDIR=`dirname "$PRG"`
[ -z "$HOME_DIR" ] && HOME_DIR=`cd "$PRGDIR/.." >/dev/null; pwd`
[ -r "$HOME_DIR/bin/setenv.sh" ] && . "$HOME_DIR/bin/setenv.sh"
if [ -n "$JAVA_HOME" ]; then _RUN="$JAVA_HOME/bin/java"; else _RUN=$(command -v java); fi
eval exec "\"$_RUN\"" -jar "\"$HOME_DIR/server.jar\"" "$@"
"#,
        &[
            ("bin/setenv.sh", "JAVA_HOME=/opt/jdk"),
            ("opt/jdk/bin/java", "\x7fELF"),
            ("server.jar", "PK"),
        ],
        "Runs /usr/bin/dirname
         Imports /bin/setenv.sh
         Names /bin/setenv.sh
         Runs /opt/jdk/bin/java
         Names /server.jar
         Imports /server.jar
         Names /app
         Names /opt/jdk
         Names /opt/jdk/bin/java",
    );
}

#[test]
fn text_that_does_not_parse_is_scanned() {
    runs(
        "if true; then openssl x; # no end\nfoo (gunzip)\n",
        "gunzip openssl",
    );
}

/// Without bounds these would take hours; a busy machine takes its time.
const MOST_SECONDS: u64 = 300;

/// Parsing and evaluating are bounded whatever the text is.
#[test]
fn hostile_texts_end() {
    let started = std::time::Instant::now();
    let deep = "$(".repeat(5000);
    let backquotes = "`".repeat(9999);
    let doubling = (0..200)
        .map(|n| format!("A{}=$A{n}$A{n}\n", n + 1))
        .collect::<String>();
    let product = format!(
        "for a in {}; do $a$a$a$a$a$a$a$a; done",
        "x y z ".repeat(5000)
    );
    let evals = "eval 'eval \"eval ".repeat(500);
    let append = "A+=x\n".repeat(5000) + "$A";
    let globs = "cat /*/*/*/*\n".repeat(5000);
    let dots = ". /app/entry\n".repeat(5000);
    for text in [
        deep,
        backquotes,
        format!("A0=xx\n{doubling}"),
        product,
        evals,
        append,
        globs,
        dots,
    ] {
        image(&text, &[]).edges("app/entry");
    }
    assert!(
        started.elapsed().as_secs() < MOST_SECONDS,
        "{:?}",
        started.elapsed()
    );
}
