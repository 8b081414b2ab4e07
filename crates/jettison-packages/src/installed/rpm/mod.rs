//! The rpm database in its SQLite form, `rpmdb.sqlite` (rpm 4.16 and later:
//! Fedora, RHEL 9, openSUSE). Each package is one header (rpm's
//! `docs/manual/format_header.md`). Berkeley DB and ndb databases are noted,
//! not read.

mod sqlite;

use jettison_image::ImagePath;

use super::needs::Wants;
use super::owners::{Claim, Draft};
use super::{PackageKind, Scan, known, package};

const SQLITE: [&str; 2] = [
    "var/lib/rpm/rpmdb.sqlite",
    "usr/lib/sysimage/rpm/rpmdb.sqlite",
];
const OTHERS: [&str; 4] = [
    "var/lib/rpm/Packages",
    "var/lib/rpm/Packages.db",
    "usr/lib/sysimage/rpm/Packages",
    "usr/lib/sysimage/rpm/Packages.db",
];

pub(super) fn is_database(path: &[u8]) -> bool {
    SQLITE.iter().any(|known| known.as_bytes() == path)
}

/// A database of a form that is not read.
pub(super) fn is_unread(path: &[u8]) -> bool {
    OTHERS.iter().any(|known| known.as_bytes() == path)
}

pub(super) fn scan(scan: &mut Scan<'_>, unread: &[ImagePath]) {
    for path in unread {
        scan.note(path, "an rpm database that is not SQLite is not read");
    }
    for path in SQLITE {
        let record = known(path);
        let Some(content) = scan.content(&record) else {
            continue;
        };
        match sqlite::blobs(&content, "Packages", scan.limits.packages) {
            Ok(blobs) => {
                for blob in blobs {
                    match Header::parse(&blob) {
                        Some(header) => push(scan, &record, &header),
                        None => scan.note(&record, "a package's header is malformed"),
                    }
                }
            }
            Err(problem) => scan.note(&record, problem),
        }
        return;
    }
}

// Tags (rpm's lib/rpmtag.h).
const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const LICENCE: u32 = 1014;
const ARCHITECTURE: u32 = 1022;
const OLD_FILE_NAMES: u32 = 1027;
const SOURCE_RPM: u32 = 1044;
const PROVIDED: u32 = 1047;
const REQUIRED: u32 = 1049;
const DIRECTORY_INDEXES: u32 = 1116;
const BASE_NAMES: u32 = 1117;
const DIRECTORY_NAMES: u32 = 1118;
const RECOMMENDED: u32 = 5046;

fn push(scan: &mut Scan<'_>, record: &ImagePath, header: &Header<'_>) {
    let (Some(name), Some(version)) = (header.text(NAME), header.text(VERSION)) else {
        return scan.note(record, "a package without name or version");
    };
    // Keys that verify packages are kept as packages.
    if name == "gpg-pubkey" {
        return;
    }
    let release = header
        .text(RELEASE)
        .map(|release| format!("-{release}"))
        .unwrap_or_default();
    let mut package = package(
        PackageKind::Rpm,
        &name,
        &format!("{version}{release}"),
        record,
    );
    package.epoch = header.numbers(EPOCH).first().copied();
    package.architecture = header.text(ARCHITECTURE);
    package.licence = header.text(LICENCE);
    package.source = header.text(SOURCE_RPM).map(|source| (source, None));
    let directories = header.texts(DIRECTORY_NAMES);
    let indexes = header.numbers(DIRECTORY_INDEXES);
    let names = header.texts(BASE_NAMES);
    let old_names = header.texts(OLD_FILE_NAMES);
    let listed = names.iter().zip(&indexes).filter_map(|(name, &index)| {
        let directory = directories.get(index as usize)?;
        ImagePath::new([directory, *name].concat()).ok()
    });
    let old = old_names
        .iter()
        .filter_map(|path| ImagePath::new(path).ok());
    let paths = scan.claim(record, listed.chain(old));
    let mut names = |tag| {
        let texts = header.texts(tag).into_iter().map(String::from_utf8_lossy);
        let texts: Vec<_> = texts.collect();
        let names = texts.iter().flat_map(|text| capabilities(text));
        scan.names(record, names)
    };
    let one = |name| vec![name];
    let wants = Wants {
        needs: names(REQUIRED).into_iter().map(one).collect(),
        recommends: names(RECOMMENDED).into_iter().map(one).collect(),
        provides: names(PROVIDED),
        home: None,
    };
    scan.push(Draft {
        package,
        claim: Claim::paths(paths),
        wants,
    });
}

/// The capabilities of one dependency: itself, or all names of a rich one,
/// `(a >= 1 if b)` (rpm's `docs/manual/boolean_dependencies.md`).
fn capabilities(text: &str) -> impl Iterator<Item = &str> {
    let is_rich = text.starts_with('(');
    let words = text.split(move |c: char| is_rich && c.is_whitespace());
    words
        .map(move |word| match is_rich {
            true => word.trim_start_matches('(').trim_end_matches([')', ',']),
            false => word,
        })
        .filter(move |word| match *word {
            "" => false,
            "and" | "or" | "if" | "else" | "with" | "without" | "unless" => !is_rich,
            word => !word.starts_with("rpmlib("),
        })
}

/// A header: an index of tagged entries and the data they point into.
struct Header<'a> {
    index: &'a [u8],
    data: &'a [u8],
}

impl<'a> Header<'a> {
    fn parse(blob: &'a [u8]) -> Option<Self> {
        let entries = usize::try_from(number(blob, 0)?).ok()?;
        let data_bytes = usize::try_from(number(blob, 4)?).ok()?;
        let (index, rest) = blob.get(8..)?.split_at_checked(entries.checked_mul(16)?)?;
        Some(Self {
            index,
            data: rest.get(..data_bytes)?,
        })
    }

    /// Type, count and data from its offset on.
    fn entry(&self, tag: u32) -> Option<(u32, usize, &'a [u8])> {
        let entry = self
            .index
            .chunks_exact(16)
            .find(|entry| number(entry, 0) == Some(tag))?;
        let offset = usize::try_from(number(entry, 8)?).ok()?;
        let count = usize::try_from(number(entry, 12)?).ok()?;
        Some((number(entry, 4)?, count, self.data.get(offset..)?))
    }

    /// Strings (types 6, 8 and 9) each end with NUL.
    fn texts(&self, tag: u32) -> Vec<&'a [u8]> {
        match self.entry(tag) {
            Some((6 | 8 | 9, count, data)) => data
                .split(|&byte| byte == 0)
                .take(count.min(data.len()))
                .collect(),
            _ => Vec::new(),
        }
    }

    fn text(&self, tag: u32) -> Option<String> {
        let first = *self.texts(tag).first()?;
        (!first.is_empty()).then(|| String::from_utf8_lossy(first).into_owned())
    }

    /// 32-bit numbers (type 4).
    fn numbers(&self, tag: u32) -> Vec<u32> {
        match self.entry(tag) {
            Some((4, count, data)) => (0..count.min(data.len() / 4))
                .filter_map(|at| number(data, at * 4))
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// A big-endian number.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}
