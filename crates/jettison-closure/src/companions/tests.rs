//! Rows of the table, on small trees and on programs of the machine.

use std::collections::BTreeSet;

use jettison_image::ImagePath;

use super::{of, table};
use crate::elf::{ElfFacts, Linkage, Machine};
use crate::facts::ProgramFacts;
use crate::scripts::testing::{Image, compare};

/// A file that is what the test says.
fn facts<'d>(path: &str, imports: &[&str], texts: &'d [u8]) -> ProgramFacts<'d> {
    let name = path.rsplit('/').next().unwrap();
    ProgramFacts {
        path: ImagePath::new(path).unwrap(),
        elf: ElfFacts {
            class_bits: 64,
            little_endian: true,
            machine: Machine::Amd64,
            linkage: Linkage::Dynamic,
            interpreter: None,
            soname: name.contains(".so").then(|| name.to_owned()),
            needed: Vec::new(),
            rpath: None,
            runpath: None,
            glibc_versions: Vec::new(),
            stripped: true,
            debug_bytes: 0,
            upx: false,
        },
        imports: imports.iter().map(|&name| name.to_owned()).collect(),
        is_go: false,
        is_rust: false,
        needs: Vec::new(),
        go_functions: None,
        constants: None,
        texts: vec![texts],
        notes: Vec::new(),
    }
}

#[track_caller]
fn check(facts: &ProgramFacts<'_>, files: &[&str], expected: &str) {
    let files: Vec<(&str, &str)> = files.iter().map(|path| (*path, "x")).collect();
    compare(
        &format!("{:?}", facts.path),
        &of(&Image::new(&files).world(), facts),
        expected,
    );
}

#[test]
fn rows_are_named_once_and_say_why() {
    let names: BTreeSet<&str> = table::TABLE.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), table::TABLE.len());
    for row in table::TABLE {
        assert!(
            !row.because.is_empty() && !row.because.ends_with('.'),
            "{}",
            row.name
        );
        assert!(
            !row.when.is_empty() && !row.brings.is_empty(),
            "{}",
            row.name
        );
    }
}

#[test]
fn certificates_and_openssl() {
    check(
        &facts("usr/lib/x86_64-linux-gnu/libcrypto.so.3", &[], b""),
        &[
            "etc/ssl/certs/ca-certificates.crt",
            "etc/ssl/openssl.cnf",
            "usr/lib/ssl/certs -> /etc/ssl/certs",
            "usr/lib/x86_64-linux-gnu/ossl-modules/legacy.so",
            "usr/lib/x86_64-linux-gnu/engines-3/a.so",
            "etc/gnutls/config",
        ],
        "Family /etc/ssl/certs
        Companion /etc/ssl/openssl.cnf
        Companion /usr/lib/ssl/certs
        Family /usr/lib/x86_64-linux-gnu/ossl-modules
        Family /usr/lib/x86_64-linux-gnu/engines-3",
    );
}

#[test]
fn names_of_users_and_hosts() {
    let files = [
        (
            "etc/nsswitch.conf",
            "passwd: files sss # winbind\nhosts: files mymachines [NOTFOUND=return] dns\n",
        ),
        ("etc/passwd", ""),
        ("etc/hosts", ""),
        ("etc/services", ""),
        ("lib/x86_64-linux-gnu/libnss_sss.so.2", ""),
        ("lib/x86_64-linux-gnu/libnss_dns.so.2", ""),
        ("lib/x86_64-linux-gnu/libnss_winbind.so.2", ""),
        ("lib/x86_64-linux-gnu/libnss_return.so.2", ""),
    ];
    let image = Image::new(&files);
    compare(
        "program",
        &of(
            &image.world(),
            &facts("app/program", &["getpwnam", "getaddrinfo"], b""),
        ),
        "Companion /etc/nsswitch.conf
        Companion /etc/passwd
        Companion /etc/hosts
        Companion /etc/services
        Opens /lib/x86_64-linux-gnu/libnss_sss.so.2
        Opens /lib/x86_64-linux-gnu/libnss_dns.so.2",
    );
    let of_program = of(&image.world(), &facts("app/program", &["getpwnam"], b""));
    assert!(
        of_program
            .iter()
            .any(|edge| edge.detail == "looks up users and groups (users)"),
        "{of_program:?}"
    );
    assert!(of(&image.world(), &facts("app/program", &["puts"], b"")).is_empty());
}

#[test]
fn language_and_time() {
    check(
        &facts(
            "usr/bin/app",
            &["bindtextdomain", "setlocale", "localtime", "iconv_open"],
            b"usage\0app-domain\0",
        ),
        &[
            "usr/share/locale/de/LC_MESSAGES/app-domain.mo",
            "usr/share/locale/fr/LC_MESSAGES/app-domain.mo",
            "usr/share/locale/de/LC_MESSAGES/other.mo",
            "usr/lib/x86_64-linux-gnu/libc.so.6",
            "usr/lib/locale/C.utf8/LC_CTYPE",
            "usr/lib/locale/de_AT.utf8/LC_CTYPE",
            "usr/share/zoneinfo/UTC",
            "etc/localtime -> /usr/share/zoneinfo/UTC",
            "usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache",
        ],
        "Companion /usr/share/locale/de/LC_MESSAGES/app-domain.mo
        Family /usr/lib/locale
        Family /usr/share/zoneinfo
        Companion /etc/localtime
        Companion /usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache
        Family /usr/lib/x86_64-linux-gnu/gconv",
    );
}

#[test]
fn runtimes_below_any_prefix() {
    check(
        &facts("opt/java/openjdk/lib/server/libjvm.so", &[], b""),
        &[
            "opt/java/openjdk/lib/modules",
            "opt/java/openjdk/lib/libnet.so",
            "opt/java/openjdk/lib/ct.sym",
            "opt/java/openjdk/lib/security/cacerts",
            "opt/java/openjdk/conf/net.properties",
            "opt/java/openjdk/jmods/java.base.jmod",
            "opt/java/openjdk/lib/tzdb.dat",
        ],
        "Companion /opt/java/openjdk/lib/modules
        Companion /opt/java/openjdk/lib/libnet.so
        Companion /opt/java/openjdk/lib/tzdb.dat
        Family /opt/java/openjdk/lib/security
        Family /opt/java/openjdk/conf",
    );
    check(
        &facts("usr/lib/postgresql/15/bin/postgres", &[], b""),
        &[
            "usr/lib/postgresql/15/bin/initdb",
            "usr/lib/postgresql/15/lib/plpgsql.so",
            "usr/lib/postgresql/15/lib/bitcode/x.bc",
            "usr/share/postgresql/15/extension/plpgsql.control",
            "usr/share/postgresql/14/old",
        ],
        "Companion /usr/lib/postgresql/15/bin/initdb
        Companion /usr/lib/postgresql/15/lib/plpgsql.so
        Family /usr/share/postgresql/15",
    );
    check(
        &facts("usr/local/bin/ruby", &[], b""),
        &[
            "usr/local/lib/ruby/3.3.0/rbconfig.rb",
            "usr/local/bundle/config",
        ],
        "Family /usr/local/lib/ruby
        Family /usr/local/bundle",
    );
    check(
        &facts("app/service", &[], b"hostfxr_main"),
        &["app/service.dll", "app/service.runtimeconfig.json"],
        "Family /app",
    );
}

#[test]
fn variables_of_the_environment() {
    let image = Image::new(&[("data/zones/UTC", ""), ("data/ca.pem", "")])
        .env("TZDIR", "/data/zones")
        .env("SSL_CERT_FILE", "/data/ca.pem");
    compare(
        "program",
        &of(
            &image.world(),
            &facts("app/program", &["localtime"], b"SSL_CERT_FILE"),
        ),
        "Family /data/zones
        Companion /data/ca.pem",
    );
}

#[test]
fn templates_of_a_library_are_not_its_own_calls() {
    let converters = ["usr/lib/x86_64-linux-gnu/gconv/UTF-16.so"];
    let library = "usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30";
    check(&facts(library, &["iconv_open"], b""), &converters, "");
    check(
        &facts("usr/bin/iconv", &["iconv_open"], b""),
        &converters,
        "Family /usr/lib/x86_64-linux-gnu/gconv",
    );
}

#[test]
fn perl_loads_some_of_its_own_and_may_load_the_rest() {
    check(
        &facts("usr/bin/perl", &[], b""),
        &[
            "usr/lib/x86_64-linux-gnu/perl-base/strict.pm",
            "usr/share/perl/5.36.0/unicore/Name.pl",
            "usr/share/perl/5.36.0/Text/Wrap.pm",
        ],
        "Family /usr/lib/x86_64-linux-gnu/perl-base
        Family /usr/share/perl/5.36.0/unicore
        Choice /usr/share/perl",
    );
}
