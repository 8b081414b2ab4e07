//! What a program needs from the file system around it without bringing it
//! along: certificates, time zones, user names. Derived from the binary
//! itself, each with the reason. In doubt a thing is needed: a companion too
//! many costs 0.2 to 0.4 MB, one too few breaks the program.

mod go;
mod native;

use std::fmt;

use serde::Serialize;

use crate::elf::{ElfError, ElfFacts, ElfFile};

/// Data that a kind of program needs without naming a package for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Companion {
    /// The bundle of certificate authorities.
    CaCertificates,
    /// `/usr/share/zoneinfo`.
    TimeZones,
    /// `/etc/mime.types`.
    MimeTypes,
    /// `/etc/os-release`.
    OsRelease,
    /// `/etc/passwd` and `/etc/group`.
    Users,
    /// `/etc/nsswitch.conf`, by which glibc decides where names are looked up.
    NameService,
    /// `/tmp`.
    Temporary,
    /// `/usr/share/terminfo`.
    Terminfo,
}

impl Companion {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 8] = [
        Self::CaCertificates,
        Self::TimeZones,
        Self::MimeTypes,
        Self::OsRelease,
        Self::Users,
        Self::NameService,
        Self::Temporary,
        Self::Terminfo,
    ];

    /// What `--keep` and `--drop` call it: the Debian package it comes from,
    /// or what it is.
    pub fn name(self) -> &'static str {
        match self {
            Self::CaCertificates => "ca-certificates",
            Self::TimeZones => "tzdata",
            Self::MimeTypes => "media-types",
            Self::OsRelease => "os-release",
            Self::Users => "passwd",
            Self::NameService => "nsswitch",
            Self::Temporary => "tmp",
            Self::Terminfo => "ncurses-base",
        }
    }

    /// The companion that goes by a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|companion| companion.name() == name)
    }
}

impl fmt::Display for Companion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a companion has to come along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NeedState {
    /// Nothing in the program asks for it.
    NotNeeded,
    /// The program carries its own copy.
    Embedded,
    /// The program asks for it, or may.
    Needed,
}

/// One companion and why it is needed, or why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// What.
    pub companion: Companion,
    /// Whether.
    pub state: NeedState,
    /// Why, as a sentence fragment about the program.
    pub reason: String,
}

/// What an executable needs: one answer for every [`Companion`], in their order.
pub fn needs(data: &[u8]) -> Result<Vec<Need>, ElfError> {
    let file = ElfFile::parse(data)?;
    if ElfFacts::of(&file).upx {
        return Ok(doubtful("is packed by UPX, which hides what it needs"));
    }
    let mut needs = native::needs(&file);
    if let Some(of_go) = go::needs(&file) {
        // The standard library of Go names most paths whether they are used or
        // not; its linked functions say more. Where both speak, Go's word counts
        // unless C code is linked in as well.
        for need in of_go.answers {
            let Some(known) = needs
                .iter_mut()
                .find(|known| known.companion == need.companion)
            else {
                continue;
            };
            if !of_go.has_c_code || need.state > known.state {
                *known = need;
            }
        }
    }
    Ok(needs)
}

/// Every companion, because nothing can be told.
fn doubtful(reason: &str) -> Vec<Need> {
    Companion::ALL
        .into_iter()
        .map(|companion| Need {
            companion,
            state: NeedState::Needed,
            reason: reason.into(),
        })
        .collect()
}
