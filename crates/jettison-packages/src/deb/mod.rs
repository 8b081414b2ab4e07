//! Reads a `.deb` (deb(5)): an ar archive of `debian-binary`, `control.tar` and
//! `data.tar`, the latter two packed in one of several ways.
//!
//! It is read as a stream from its start to its last byte, so that a verifying
//! reader beneath has judged all of it when [`read`] answers. Nothing is
//! unpacked to a disk and no maintainer script is run.

mod ar;
mod unpack;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read};

use jettison_image::{Entry, EntryKind, ImagePath, Limits, tar};

use crate::deb822::Paragraph;
use crate::limits::Capped;
use crate::{Error, PackageLimits};
use ar::Members;

pub(crate) use unpack::xz;

/// Unpacked bytes of control.tar; the largest in Debian has about 30 MB.
const CONTROL_BYTES: u64 = 256 << 20;

/// What a package says about itself.
#[derive(Debug, Clone, Default)]
pub struct Control {
    text: String,
    paragraph: Paragraph,
    /// MD5 of the files as `md5sums` lists them.
    pub md5sums: BTreeMap<ImagePath, String>,
    /// The other files of control.tar, with their modes: scripts, triggers, ….
    pub members: BTreeMap<String, (u32, Vec<u8>)>,
    /// The files of configuration that the package has, absolute.
    pub conffiles: BTreeSet<Vec<u8>>,
}

impl Control {
    /// A field of the control file.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.paragraph.get(name)
    }

    /// The control file as it is.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// `Package`; [`read`] refuses a package without.
    pub fn name(&self) -> &str {
        self.field("Package").unwrap_or_default()
    }

    /// `Version`; [`read`] refuses a package without.
    pub fn version(&self) -> &str {
        self.field("Version").unwrap_or_default()
    }
}

/// Reads a package to its end and hands every entry of its data to `visit`,
/// with a reader of the entry's content.
pub fn read(
    deb: impl Read,
    what: &str,
    limits: &PackageLimits,
    mut visit: impl FnMut(&Control, Entry, &mut dyn Read) -> Result<(), Error>,
) -> Result<Control, Error> {
    let malformed = |problem: &str| Error::malformed(what, problem);
    let mut members = Members::new(BufReader::with_capacity(1 << 16, deb));
    members.begin().map_err(Error::read(what))?;

    let version = next(&mut members, what)?;
    if version.as_deref() != Some("debian-binary") {
        return Err(malformed("its first member is not debian-binary"));
    }
    let mut text = Vec::new();
    members
        .content()
        .take(64)
        .read_to_end(&mut text)
        .map_err(Error::read(what))?;
    if !text.starts_with(b"2.") {
        return Err(malformed("its format is not 2.x"));
    }

    let tar_limits = Limits {
        entries: limits.deb_entries,
        unpacked_bytes: limits.deb_unpacked_bytes,
        ..Limits::default()
    };
    let mut control = None;
    while let Some(name) = next(&mut members, what)? {
        // Members after these two or with a leading `_` are for others.
        if let Some(packing) = name.strip_prefix("control.tar")
            && control.is_none()
        {
            let unpacked = unpack::open(members.content(), packing)
                .map_err(Error::read(format!("{what}: {name}")))?
                .ok_or_else(|| malformed("its control.tar is packed in an unknown way"))?;
            control = Some(read_control(unpacked, what, limits)?);
        } else if let Some(packing) = name.strip_prefix("data.tar") {
            let control = control.ok_or_else(|| malformed("data.tar comes before control.tar"))?;
            let unpacked = unpack::open(members.content(), packing)
                .map_err(Error::read(format!("{what}: {name}")))?
                .ok_or_else(|| malformed("its data.tar is packed in an unknown way"))?;
            let bounded = Capped::new(unpacked, limits.deb_unpacked_bytes);
            let mut reader = tar::Reader::new(BufReader::new(bounded), &tar_limits);
            while let Some(mut entry) = reader.next_entry().map_err(tar_error(what))? {
                let described = entry.entry().clone();
                visit(&control, described, &mut entry)?;
            }
            // What follows is of no use, but the packing's checksum and the
            // file's hash are.
            drop(reader.finish().map_err(tar_error(what))?);
            while next(&mut members, what)?.is_some() {}
            return Ok(control);
        } else if !name.starts_with('_') {
            return Err(malformed(&format!("an unknown member `{name}`")));
        }
    }
    Err(malformed("it has no data.tar"))
}

fn next<R: Read>(members: &mut Members<R>, what: &str) -> Result<Option<String>, Error> {
    members.next_name().map_err(Error::read(what))
}

fn tar_error(what: &str) -> impl Fn(jettison_image::Error) -> Error {
    move |error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        Error::malformed(what, format!("{error}{}", cause.unwrap_or_default()))
    }
}

fn read_control(unpacked: impl Read, what: &str, limits: &PackageLimits) -> Result<Control, Error> {
    let tar_limits = Limits {
        entries: 1000,
        unpacked_bytes: CONTROL_BYTES,
        ..Limits::default()
    };
    let bounded = Capped::new(unpacked, CONTROL_BYTES);
    let mut reader = tar::Reader::new(BufReader::new(bounded), &tar_limits);
    let mut control = Control::default();
    while let Some(mut entry) = reader.next_entry().map_err(tar_error(what))? {
        if !matches!(entry.entry().kind, EntryKind::File { .. }) {
            continue;
        }
        let path = entry.entry().path.as_bytes().to_vec();
        let limit = match path.as_slice() {
            b"control" => limits.paragraph_bytes as u64,
            _ => limits.database_bytes,
        };
        let mode = entry.entry().metadata.mode;
        let mut content = Vec::new();
        (&mut entry)
            .take(limit + 1)
            .read_to_end(&mut content)
            .map_err(Error::read(what))?;
        if content.len() as u64 > limit {
            return Err(Error::TooLarge {
                what: what.to_owned(),
                limit,
            });
        }
        if path == b"control" {
            control.text = String::from_utf8_lossy(&content).into_owned();
            control.paragraph =
                Paragraph::first(&content, limits.paragraph_bytes).map_err(Error::read(what))?;
            continue;
        }
        match path.as_slice() {
            b"md5sums" => control.md5sums = parse_md5sums(&content),
            // Only those that the package brings; others are to be removed.
            b"conffiles" => {
                let lines = content.split(|&byte| byte == b'\n');
                let paths = lines.filter(|line| line.first() == Some(&b'/'));
                control.conffiles = paths.map(|line| line.trim_ascii_end().to_vec()).collect();
            }
            _ => {}
        }
        if let Ok(name) = String::from_utf8(path)
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte))
        {
            control.members.insert(name, (mode, content));
        }
    }
    for field in ["Package", "Version", "Architecture"] {
        if control.field(field).is_none_or(str::is_empty) {
            return Err(Error::malformed(
                what,
                format!("its control file has no {field}"),
            ));
        }
    }
    Ok(control)
}

fn parse_md5sums(content: &[u8]) -> BTreeMap<ImagePath, String> {
    let line = |line: &[u8]| {
        let (sum, path) = (line.get(..32)?, line.get(32..)?.trim_ascii_start());
        let sum = std::str::from_utf8(sum).ok()?;
        let hex = sum.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some((ImagePath::new(path).ok().filter(|_| hex)?, sum.to_owned()))
    };
    content
        .split(|&byte| byte == b'\n')
        .filter_map(line)
        .collect()
}
