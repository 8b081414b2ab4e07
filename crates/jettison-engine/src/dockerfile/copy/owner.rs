//! `--chown`: numbers, or names of the stage's own `/etc/passwd` and
//! `/etc/group`. As in BuildKit a name that nobody has is root, and a user
//! without a group brings the group of its passwd line, a number itself.

use std::io::Read;

use jettison_image::{Error, Follow};

use super::CopyError;
use crate::dockerfile::FileSystem;

/// A passwd of tens of thousands of users has a few megabytes.
const MOST_BYTES: u64 = 64 << 20;

/// Who copied files belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    user: Name,
    group: Option<Name>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Id(u32),
    Named(Vec<u8>),
}

impl Owner {
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut halves = text.splitn(2, |&byte| byte == b':');
        Self {
            user: Name::parse(halves.next().unwrap_or_default()),
            group: halves.next().map(Name::parse),
        }
    }

    /// Whether it takes a stage to know the ids.
    pub(super) fn has_names(&self) -> bool {
        let is_name = |name: &Name| matches!(name, Name::Named(_));
        is_name(&self.user) || self.group.as_ref().is_some_and(is_name)
    }

    /// The ids in a stage; in an empty root nobody has a name.
    pub(super) fn ids(&self, stage: Option<&dyn FileSystem>) -> Result<(u64, u64), CopyError> {
        let (uid, mut gid) = match &self.user {
            Name::Id(id) => (u64::from(*id), u64::from(*id)),
            Name::Named(name) => {
                let line = find(stage, b"/etc/passwd", name)?;
                line.map_or((0, 0), |line| (number(&line, 2), number(&line, 3)))
            }
        };
        match &self.group {
            None => {}
            Some(Name::Id(id)) => gid = u64::from(*id),
            Some(Name::Named(name)) => {
                if let Some(line) = find(stage, b"/etc/group", name)? {
                    gid = number(&line, 2);
                }
            }
        }
        Ok((uid, gid))
    }
}

impl Name {
    fn parse(text: &[u8]) -> Self {
        if text == b"root" || text.is_empty() {
            return Self::Id(0);
        }
        let id = std::str::from_utf8(text).ok().and_then(|text| {
            let id = text.parse::<i32>().ok()?;
            u32::try_from(id).ok()
        });
        id.map_or_else(|| Self::Named(text.to_vec()), Self::Id)
    }
}

/// The fields of the first line of this name.
fn find(
    stage: Option<&dyn FileSystem>,
    path: &[u8],
    name: &[u8],
) -> Result<Option<Vec<Vec<u8>>>, CopyError> {
    let Some(stage) = stage else { return Ok(None) };
    let file = stage.tree().resolve(path, Follow::All);
    let Some(file) = file.ok().filter(|file| file.is_file()) else {
        return Ok(None);
    };
    let mut text = Vec::new();
    let shown = file.path().display().to_string();
    stage
        .open(file)?
        .take(MOST_BYTES)
        .read_to_end(&mut text)
        .map_err(|error| Error::read(shown, error))?;
    let line = text
        .split(|&byte| byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty() && line[0] != b'#')
        .map(|line| line.split(|&byte| byte == b':').collect::<Vec<_>>())
        .find(|fields| fields[0] == name);
    Ok(line.map(|fields| fields.into_iter().map(<[u8]>::to_vec).collect()))
}

/// What is no number is 0, as in BuildKit.
fn number(fields: &[Vec<u8>], at: usize) -> u64 {
    let text = fields
        .get(at)
        .and_then(|field| std::str::from_utf8(field).ok());
    text.and_then(|text| text.parse::<u32>().ok())
        .map_or(0, u64::from)
}
