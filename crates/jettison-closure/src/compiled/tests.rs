//! Programs built for the purpose, on small trees.

use std::process::Command;

use super::edges;
use crate::loader::Loader;
use crate::scripts::testing::{Image, compare};

/// Compiles and gives the bytes; none without a compiler.
fn built(source: &str, options: &[&str]) -> Option<Vec<u8>> {
    let scratch = tempfile::tempdir().ok()?;
    let (input, output) = (scratch.path().join("main.c"), scratch.path().join("main"));
    std::fs::write(&input, source).ok()?;
    let status = Command::new("gcc")
        .arg("-o")
        .arg(&output)
        .arg(&input)
        .args(options)
        .status();
    assert!(status.ok()?.success());
    std::fs::read(output).ok()
}

fn check(source: &str, options: &[&str], files: &[&str], expected: &str) {
    let Some(program) = built(source, options) else {
        return;
    };
    let mut all = vec![("app/program".to_owned(), program)];
    all.extend(files.iter().map(|path| ((*path).to_owned(), Vec::new())));
    let image = Image::of(all);
    let world = image.world();
    let node = world.tree.get("app/program").unwrap();
    let data = world.contents.read(node, u64::MAX).unwrap();
    let found = edges(&Loader::new(&world), node, &data);
    compare(source, &found, expected);
}

#[test]
fn paths_in_the_data() {
    check(
        r#"#include <stdio.h>
        const char *t[] = {"/etc/app/a.conf", "/etc/app/none.conf", "key=/srv/data/x.bin:/srv/data/y.bin",
            "/usr/share/app/%s.txt", "/usr/share/other", "/app/main.c", "see etc/app/b.conf", "/etc", "/var/lib/app"};
        int main(void) { for (int i = 0; i < 9; i++) puts(t[i]); }"#,
        &["-g"],
        &[
            "etc/app/a.conf",
            "etc/app/b.conf",
            "srv/data/x.bin",
            "srv/data/y.bin",
            "usr/share/app/a.txt",
            "usr/share/other/x",
            "app/main.c",
            "var/lib/app/",
        ],
        "Names /etc/app/a.conf
        Names /srv/data/x.bin
        Names /srv/data/y.bin
        Family /usr/share/app
        Names /usr/share/other
        Names /var/lib/app",
    );
    check(
        r#"#include <stdio.h>
        #include <dirent.h>
        int main(void) { return opendir("/opt/app/plugins") || opendir("/usr/share") || opendir("/usr/share/locale"); }"#,
        &[],
        &["opt/app/plugins/a", "usr/share/locale/de"],
        "Family /opt/app/plugins
        Names /usr/share
        Names /usr/share/locale",
    );
}

#[test]
fn texts_without_an_end() {
    // As Go and Rust leave them; the last text makes it Rust's.
    check(
        r#"#include <unistd.h>
        const char t[] = "invalid/etc/app/a.confunexpected/srv/www/static/rustc/0123456789012345678901234567890123456789012345678901234567890"
            "/usr/local/registry/src/x/lib.rs" "/app/tplRUST_BACKTRACE";
        int main(int c, char **v) { return write(1, t + c, 5); }"#,
        &[],
        &[
            "etc/app/a.conf",
            "etc/app/a",
            "srv/www/static/x.css",
            "usr/local/registry/src/y",
            "app/tpl/x",
        ],
        "Names /etc/app/a.conf
        Family /srv/www/static
        Family /app/tpl",
    );
}

#[test]
fn libraries_and_programs() {
    let Some(library) = built("int x;", &["-shared", "-fPIC", "-nostdlib"]) else {
        return;
    };
    let program = built(
        r#"#include <stdio.h>
        #include <stdlib.h>
        #include <dlfcn.h>
        #include <unistd.h>
        int main(int c, char **v) {
            char *a[] = {"pigz", "-d", 0};
            dlopen("libplug.so.3", RTLD_NOW);
            dlopen("libnone.so.1", RTLD_NOW);
            popen("gzip -dc %s | tar xf -", "r");
            system("sort of slow");
            puts("file %s is not there");
            puts("test");
            return execvp(a[0], a);
        }"#,
        &["-ldl"],
    )
    .unwrap();
    let mut files = vec![
        ("app/program".to_owned(), program),
        ("usr/lib/libplug.so.3".to_owned(), library),
    ];
    for name in ["gzip", "tar", "sort", "file", "test", "pigz"] {
        files.push((format!("usr/bin/{name}"), b"x".to_vec()));
    }
    let image = Image::of(files);
    let world = image.world();
    let node = world.tree.get("app/program").unwrap();
    let data = world.contents.read(node, u64::MAX).unwrap();
    let found = edges(&Loader::new(&world), node, &data);
    compare(
        "program",
        &found,
        "Opens /usr/lib/libplug.so.3
        Runs /usr/bin/gzip
        Runs /usr/bin/tar
        Runs /usr/bin/test
        Runs /usr/bin/pigz",
    );
    assert!(
        found.iter().any(|edge| edge.detail == "may run gzip"),
        "{found:?}"
    );
}

#[test]
fn the_note_names_libraries() {
    let Some(library) = built("int x;", &["-shared", "-fPIC", "-nostdlib"]) else {
        return;
    };
    let program = built(
        r#"__asm__(".pushsection .note.dlopen,\"a\",@note\n.balign 4\n.long 4, 2f-1f, 0x407c0c0a\n.asciz \"FDO\"\n"
            "1: .asciz \"[{\\\"feature\\\":\\\"x\\\",\\\"soname\\\":[\\\"libnoted.so.1\\\"]}]\"\n2: .balign 4\n.popsection");
        int main(void) { return 0; }"#,
        &[],
    )
    .unwrap();
    let image = Image::of(vec![
        ("app/program".to_owned(), program),
        ("usr/lib/libnoted.so.1".to_owned(), library),
    ]);
    let world = image.world();
    let node = world.tree.get("app/program").unwrap();
    let data = world.contents.read(node, u64::MAX).unwrap();
    compare(
        "program",
        &edges(&Loader::new(&world), node, &data),
        "Opens /usr/lib/libnoted.so.1",
    );
}
