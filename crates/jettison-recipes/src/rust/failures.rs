//! What cargo's and the linker's messages mean for somebody who wants a
//! static image, and what made a binary dynamic.

use crate::recipe::{Failure, Recipe};

/// A C library, the crate that asks for it, and how to have it inside.
const NATIVE: &[(&str, &str, &str)] = &[
    (
        "ssl",
        "openssl-sys",
        "use rustls instead (features such as `rustls-tls`), or the `vendored` feature of openssl",
    ),
    (
        "crypto",
        "openssl-sys",
        "use rustls instead (features such as `rustls-tls`), or the `vendored` feature of openssl",
    ),
    (
        "sqlite3",
        "libsqlite3-sys",
        "the `bundled` feature of rusqlite or libsqlite3-sys",
    ),
    (
        "pq",
        "pq-sys",
        "the `bundled` feature of pq-sys, or tokio-postgres / sqlx, which need no libpq",
    ),
    (
        "mysqlclient",
        "mysqlclient-sys",
        "the `bundled` feature of mysqlclient-sys, or the mysql_async crate",
    ),
    (
        "mariadb",
        "mysqlclient-sys",
        "the `bundled` feature of mysqlclient-sys, or the mysql_async crate",
    ),
    (
        "z",
        "libz-sys",
        "the `static` feature of libz-sys, or flate2's `zlib-rs` feature",
    ),
    ("bz2", "bzip2-sys", "the `static` feature of bzip2-sys"),
    ("lzma", "liblzma-sys", "the `static` feature of liblzma"),
    (
        "zstd",
        "zstd-sys",
        "leave zstd-sys' `pkg-config` feature off",
    ),
    (
        "curl",
        "curl-sys",
        "the `static-curl` feature of curl, or reqwest with `rustls-tls`",
    ),
    (
        "git2",
        "libgit2-sys",
        "the `vendored-libgit2` feature of git2, or the gix crate",
    ),
    (
        "ssh2",
        "libssh2-sys",
        "the `vendored-openssl` feature of ssh2",
    ),
    (
        "dbus-1",
        "libdbus-sys",
        "the `vendored` feature of dbus, or the zbus crate",
    ),
    (
        "rdkafka",
        "rdkafka-sys",
        "leave rdkafka's `dynamic-linking` feature off",
    ),
    ("sasl2", "sasl2-sys", "the `vendored` feature of sasl2-sys"),
    ("udev", "libudev-sys", "a base image that has it: --base"),
    (
        "systemd",
        "libsystemd-sys",
        "a base image that has it: --base",
    ),
    (
        "stdc++",
        "a crate with C++ code",
        "a base image that has it: --base",
    ),
];

fn native(library: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    NATIVE.iter().find(|(name, ..)| *name == library)
}

/// Says what made a binary dynamic: its loader and the libraries it names.
pub(crate) fn dynamic(recipe: &Recipe, interpreter: Option<&str>, needed: &[String]) -> Failure {
    let mut hints: Vec<String> = needed
        .iter()
        .filter_map(|file| {
            let library = file.strip_prefix("lib")?.split(".so").next()?;
            native(library).map(|(_, package, hint)| format!("{file} ({package}): {hint}"))
        })
        .collect();
    hints.dedup();
    if hints.is_empty() {
        hints.push(
            "something turned crt-static off: look for `-crt-static`, `prefer-dynamic` or `-rdynamic` in \
             .cargo/config.toml, RUSTFLAGS and build.rs"
                .into(),
        );
    }
    let mut cause = format!(
        "the {} build of {} is dynamic",
        recipe.toolchain_target, recipe.name
    );
    if let Some(interpreter) = interpreter {
        cause.push_str(&format!(": it asks for the loader {interpreter}"));
    }
    if !needed.is_empty() {
        cause.push_str(&format!(", and for {}", needed.join(", ")));
    }
    Failure {
        cause,
        hint: Some(hints.join("; ")),
        try_fallback: false,
    }
}

/// Reads what a failed `cargo build` wrote.
pub(crate) fn explain(recipe: &Recipe, root: &str, stderr: &str) -> Option<Failure> {
    let triple = &recipe.toolchain_target;
    let directory = recipe.shell_directory(root);
    let line_with = |needle: &str| {
        stderr
            .lines()
            .find(|line| line.contains(needle))
            .map(str::trim)
    };
    let has_fallback = recipe.fallback.is_some();
    let failure = |cause: String, hint: String, try_fallback: bool| {
        Some(Failure {
            cause,
            hint: Some(hint),
            try_fallback: try_fallback && has_fallback,
        })
    };

    if let Some(line) = line_with("because --locked was passed") {
        return failure(
            line.into(),
            format!("cd {directory} && cargo generate-lockfile   (and commit Cargo.lock)"),
            false,
        );
    }
    if let Some(line) =
        line_with("can't find crate for `std`").or_else(|| line_with("can't find crate for `core`"))
    {
        return failure(line.into(), format!("rustup target add {triple}"), true);
    }
    if let Some(line) = line_with("requires rustc ").or_else(|| line_with("feature `edition20")) {
        return failure(line.into(), "rustup update stable".into(), false);
    }
    // The cc crate looks for a C compiler of the target's own.
    let compiler = line_with("failed to find tool")
        .or_else(|| line_with("is not installed?"))
        .or_else(|| line_with("ToolNotFound"));
    if let Some(line) = compiler {
        let hint = if triple.ends_with("musl") {
            format!("apt-get install musl-tools   (C code in a dependency, for {triple})")
        } else {
            format!(
                "apt-get install gcc-{}-linux-gnu",
                recipe.target.triple_architecture().replace('_', "-")
            )
        };
        return failure(line.into(), hint, true);
    }
    if let Some(line) = line_with("linker `").filter(|line| line.contains("not found")) {
        return failure(line.into(), "apt-get install gcc libc6-dev".into(), true);
    }
    let missing = stderr.lines().find_map(|line| {
        let rest = line
            .split_once("cannot find -l")
            .or_else(|| line.split_once("unable to find library -l"))?
            .1;
        Some(
            rest.split([':', ' ', '\''])
                .next()
                .unwrap_or(rest)
                .to_owned(),
        )
    });
    if let Some(library) = missing {
        let cause = format!("there is no static lib{library}.a for {triple}");
        if matches!(
            library.as_str(),
            "c" | "m" | "pthread" | "dl" | "rt" | "util" | "gcc_eh"
        ) {
            return failure(
                cause,
                format!(
                    "apt-get install libc6-dev, dnf install glibc-static, or: rustup target add {}-unknown-linux-musl",
                    recipe.target.triple_architecture()
                ),
                true,
            );
        }
        let hint = native(&library).map_or_else(
            || format!("install lib{library}'s static library"),
            |(_, package, hint)| format!("{package}: {hint}"),
        );
        return failure(cause, hint, true);
    }
    if let Some(line) = line_with("Could not find directory of OpenSSL installation") {
        let hint = native("ssl").map(|(_, package, hint)| format!("{package}: {hint}"));
        return Some(Failure {
            cause: line.into(),
            hint,
            try_fallback: has_fallback,
        });
    }
    if let Some(line) = line_with("pkg-config has not been configured to support cross-compilation")
    {
        return failure(
            line.into(),
            "a dependency looks for a C library; use its bundled or vendored feature".into(),
            true,
        );
    }
    let offline = [
        "failed to download",
        "Could not resolve host",
        "failed to get ",
        "spurious network error",
    ];
    if let Some(line) = offline.into_iter().find_map(line_with) {
        return failure(
            format!("a crate could not be fetched: {line}"),
            format!(
                "cd {directory} && cargo fetch --locked, where there is a network; or cargo vendor"
            ),
            false,
        );
    }
    None
}
