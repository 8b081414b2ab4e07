//! Programs of C, C++ and Rust: what they ask for they name, as paths and
//! variables in their data. A path in the data may be one that is never
//! opened; it counts as needed.

use memchr::memmem;

use super::{Companion, Need, NeedState};
use crate::elf::ElfFile;

/// A text that only a program which asks for the companion holds.
const NAMED: &[(Companion, &str)] = &[
    // openssl-probe, rustls-native-certs, OpenSSL's own default.
    (Companion::CaCertificates, "SSL_CERT_FILE"),
    (Companion::CaCertificates, "/etc/ssl/certs"),
    (Companion::CaCertificates, "/etc/pki/tls"),
    // A path that is put together while the program runs.
    (Companion::CaCertificates, "ca-certificates.crt"),
    (Companion::CaCertificates, "ca-bundle"),
    // chrono's and jiff's Local, musl's and glibc's localtime.
    (Companion::TimeZones, "/usr/share/zoneinfo"),
    (Companion::TimeZones, "zoneinfo"),
    (Companion::MimeTypes, "/etc/mime.types"),
    (Companion::OsRelease, "/etc/os-release"),
    (Companion::OsRelease, "/usr/lib/os-release"),
    (Companion::Users, "/etc/passwd"),
    (Companion::Users, "/etc/group"),
    (Companion::NameService, "/etc/nsswitch.conf"),
    (Companion::Terminfo, "/share/terminfo"),
    (Companion::Terminfo, "/lib/terminfo"),
];

/// Texts that a copy inside the program holds; all of them must be there.
const EMBEDDED: &[(Companion, &[&str], &str)] = &[
    // Subjects of two authorities that every root programme has.
    (
        Companion::CaCertificates,
        &["ISRG Root X1", "DigiCert Global Root G2"],
        "carries certificate authorities (webpki-roots)",
    ),
    // chrono-tz, jiff's bundled database: names that mappings of Windows zones lack.
    (
        Companion::TimeZones,
        &[
            "America/Argentina/ComodRivadavia",
            "Antarctica/DumontDUrville",
            "Pacific/Chuuk",
        ],
        "carries the time zones (chrono-tz, jiff)",
    ),
];

/// One answer for every companion.
pub(super) fn needs(file: &ElfFile<'_>) -> Vec<Need> {
    Companion::ALL
        .into_iter()
        .map(|companion| need(file, companion))
        .collect()
}

fn need(file: &ElfFile<'_>, companion: Companion) -> Need {
    if companion == Companion::Temporary {
        // Names as short as `/tmp` end up inside instructions, where nothing
        // tells them from chance; an empty directory costs no byte.
        let reason = "an empty directory; whether it is used cannot be told".to_owned();
        return Need {
            companion,
            state: NeedState::Needed,
            reason,
        };
    }
    let named = NAMED
        .iter()
        .find(|(of, text)| *of == companion && holds(file, text));
    let embedded = EMBEDDED.iter().find(|(of, texts, _)| {
        *of == companion
            && texts
                .iter()
                .all(|text| memmem::find(file.data, text.as_bytes()).is_some())
    });
    let (state, reason) = match (named, embedded) {
        // jiff looks at the system first and falls back to its own; zones of
        // its own are enough. With certificates the system's are what was asked for.
        (Some((_, text)), Some((.., what))) if companion == Companion::TimeZones => {
            (NeedState::Embedded, format!("names {text} and {what}"))
        }
        (Some((_, text)), _) => (NeedState::Needed, format!("names {text}")),
        (None, Some((.., what))) => (NeedState::Embedded, (*what).to_owned()),
        (None, None) => (NeedState::NotNeeded, "names nothing of it".to_owned()),
    };
    Need {
        companion,
        state,
        reason,
    }
}

/// Optimised across crates, a program copies a text of less than a vector
/// register in words that are part of its instructions: the first is then all
/// that is left in one piece.
fn holds(file: &ElfFile<'_>, text: &str) -> bool {
    const VECTOR_BYTES: usize = 16;
    const WORD_BYTES: usize = 8;
    let text = text.as_bytes();
    let piece = match text.get(..WORD_BYTES) {
        Some(word) if text.len() < VECTOR_BYTES => word,
        _ => text,
    };
    memmem::find(file.data, piece).is_some()
}
