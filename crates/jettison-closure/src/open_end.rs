//! Whether a program chooses at run time which code it loads.
//!
//! The loader's own rules bound a program that loads nothing later. One that
//! calls `dlopen` with a name that it puts together is bounded by nothing in
//! its bytes: interpreters, servers with modules, tools with codecs.

use memchr::memmem;

/// Functions that load code, as they stand in the table of dynamic names.
const LOADING: [&[u8]; 6] = [
    b"\0dlopen\0",
    b"\0dlmopen\0",
    b"\0lt_dlopen\0",
    b"\0lt_dlopenext\0",
    b"\0lt_dlopenadvise\0",
    b"\0g_module_open\0",
];

/// Libraries that load code of kinds which the companions know: name services,
/// cryptographic providers, character sets, optional libraries by fixed names.
/// That a program links them says nothing about the program.
const KNOWN: [&str; 34] = [
    "ld-",
    "libasound",
    "libaudit",
    "libbsd",
    "libc",
    "libcap-ng",
    "libcrypt",
    "libcrypto",
    "libcups",
    "libdbus-1",
    "libdl",
    "libgcc_s",
    "libgio-2",
    "libglib-2",
    "libgmodule-2",
    "libgnutls",
    "libgomp",
    "libgssapi_krb5",
    "libicuuc",
    "libk5crypto",
    "libkrb5",
    "libldap",
    "libltdl",
    "libmount",
    "libnss",
    "libp11-kit",
    "libpam",
    "libpthread",
    "libsasl2",
    "libselinux",
    "libsqlite3",
    "libssl",
    "libsystemd",
    "libX11",
];

/// True when an ELF file asks for a function that loads code.
pub fn loads_code(data: &[u8]) -> bool {
    data.starts_with(b"\x7fELF")
        && LOADING
            .iter()
            .any(|name| memmem::find(data, name).is_some())
}

/// True for libraries whose loading of code says nothing about a program that
/// links them; `name` is the file's name.
pub fn is_known_to_load(name: &[u8]) -> bool {
    let end = name.windows(3).position(|part| part == b".so");
    let stem = &name[..end.unwrap_or(name.len())];
    KNOWN.iter().any(|known| {
        let known = known.as_bytes();
        stem == known
            || stem.strip_prefix(known).is_some_and(|rest| {
                known.ends_with(b"-")
                    || rest
                        .first()
                        .is_some_and(|&byte| matches!(byte, b'-' | b'_' | b'.'))
            })
    })
}

#[cfg(test)]
mod tests {
    use super::{is_known_to_load, loads_code};

    #[test]
    fn names() {
        for (name, known) in [
            ("libc.so.6", true),
            ("libcrypto.so.3", true),
            ("ld-linux-x86-64.so.2", true),
            ("libnss_files.so.2", true),
            ("libcurl.so.4", false),
            ("libperl.so.5.36", false),
            ("libMagickCore-6.Q16.so.6", false),
            ("libc++.so.1", false),
        ] {
            assert_eq!(is_known_to_load(name.as_bytes()), known, "{name}");
        }
        assert!(loads_code(b"\x7fELF..\0dlopen\0"));
        assert!(!loads_code(b"\x7fELF..\0xdlopen\0"));
        assert!(!loads_code(b"#!/bin/sh\0dlopen\0"));
    }
}
