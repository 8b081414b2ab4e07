use crate::scripts::testing::Image;

fn image() -> Image {
    let mut files = vec![
        ("usr/bin/env", "\x7fELF"),
        ("usr/bin/tini", "\x7fELF"),
        ("usr/sbin/gosu", "\x7fELF"),
        ("usr/bin/redis-server", "\x7fELF"),
        ("usr/bin/gzip", "\x7fELF"),
        ("usr/bin/find", "\x7fELF"),
        ("usr/bin/wc", "\x7fELF"),
        ("usr/bin/awk", "\x7fELF"),
        ("usr/bin/date", "\x7fELF"),
        ("usr/bin/supervisord", "#!/usr/bin/env missing\n"),
        ("usr/sbin/cron", "\x7fELF"),
        ("usr/bin/runsvdir", "\x7fELF"),
        ("bin/sh", "\x7fELF"),
        ("bin/bash", "\x7fELF"),
        ("etc/redis.conf", "dir /data"),
        ("entry.sh", "#!/bin/sh\nexec \"$@\"\n"),
    ];
    files.extend([
        (
            "etc/supervisor/supervisord.conf",
            "[supervisord]\nnodaemon=true\n[include]\nfiles = conf.d/*.conf\n",
        ),
        (
            "etc/supervisor/conf.d/a.conf",
            "[program:a]\ncommand=/usr/bin/redis-server %(ENV_CONF)s ; why\n",
        ),
        ("etc/service/a/run", "#!/bin/sh\nexec redis-server\n"),
        (
            "etc/cron.d/job",
            "# x\nSHELL=/bin/sh\n*/5 * * * * root cd / && gzip -k /etc/redis.conf\n",
        ),
    ]);
    Image::new(&files).env("CONF", "/etc/redis.conf")
}

#[test]
fn programs_and_their_files() {
    let image = image();
    image.check_command(
        &["redis-server", "/etc/redis.conf"],
        "Runs /usr/bin/redis-server\nNames /etc/redis.conf",
    );
    image.check_command(
        &["redis-server", "--include=etc/redis.conf"],
        "Runs /usr/bin/redis-server\nNames /etc/redis.conf",
    );
    image.check_command(&["nothing"], "");
    image.check_command(&[], "");
    image.check_command(&["/usr/bin/../bin/gzip"], "");
}

#[test]
fn wrappers_run_what_follows() {
    let image = image();
    image.check_command(
        &["tini", "--", "gosu", "redis", "env", "A=b", "redis-server"],
        "Runs /usr/bin/tini\nRuns /usr/sbin/gosu\nRuns /usr/bin/env\nRuns /usr/bin/redis-server",
    );
    image.check_command(
        &["/entry.sh", "redis-server"],
        "Runs /entry.sh\nRuns /usr/bin/redis-server",
    );
    image.check_command(
        &[
            "find", "/etc", "-name", "*.gz", "-exec", "gzip", "-d", "{}", ";",
        ],
        "Runs /usr/bin/find\nRuns /usr/bin/gzip\nNames /etc",
    );
    image.check_command(
        &[
            "awk",
            "{ \"date +%s\" | getline x; system(\"gzip -k \" $1) }",
        ],
        "Runs /usr/bin/awk\nRuns /usr/bin/gzip\nRuns /usr/bin/date",
    );
}

#[test]
fn shells_read_texts() {
    let image = image();
    image.check_command(
        &["/bin/sh", "-c", "gzip -k x | wc -l > /dev/null || date"],
        "Runs /bin/sh\nRuns /usr/bin/gzip\nRuns /usr/bin/wc\nRuns /usr/bin/date",
    );
    image.check_command(
        &["bash", "-lc", "exec bash -c 'wc < /etc/redis.conf'"],
        "Runs /bin/bash\nRuns /usr/bin/wc\nNames /etc/redis.conf",
    );
    image.check_command(
        &["sh", "-c", "\"$@\"", "x", "gzip"],
        "Runs /bin/sh\nRuns /usr/bin/gzip",
    );
    image.check_command(
        &["sh", "entry.sh", "wc"],
        "Runs /bin/sh\nRuns /usr/bin/wc\nNames /entry.sh",
    );
}

#[test]
fn supervisors_run_what_their_files_say() {
    let image = image();
    image.check_command(
        &["supervisord", "-c", "/etc/supervisor/supervisord.conf"],
        "Runs /usr/bin/supervisord
         Names /etc/supervisor/supervisord.conf
         Family /etc/supervisor/conf.d
         Names /etc/supervisor/conf.d/a.conf
         Names /etc/redis.conf
         Runs /usr/bin/redis-server",
    );
    image.check_command(
        &["runsvdir", "/etc/service"],
        "Runs /usr/bin/runsvdir\nNames /etc/service\nFamily /etc/service\nRuns /etc/service/a/run",
    );
    image.check_command(
        &["cron", "-f"],
        "Runs /usr/sbin/cron\nNames /etc/cron.d\nNames /etc/cron.d/job\nRuns /usr/bin/gzip\nNames /etc/redis.conf\nRuns /bin/sh",
    );
}
