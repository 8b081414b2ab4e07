//! Turns a header and its extended records into an [`Entry`].

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::header::Block;
use super::{pax, quoted};
use crate::{Entry, EntryKind, ImagePath, Limits, Metadata, Timestamp};

/// Everything that the headers of one entry say.
pub(super) struct Fields {
    pub(super) type_flag: u8,
    pub(super) name: Vec<u8>,
    pub(super) link_name: Vec<u8>,
    /// What the archive stores, or would if the type had content.
    pub(super) size: i64,
    device: (i64, i64),
    metadata: Metadata,
    /// `GNU.sparse.*` by the rest of the key; format 0.0's pairs are apart.
    pub(super) sparse: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) sparse_pairs: Vec<Vec<u8>>,
}

impl Fields {
    /// Reads the header block alone.
    pub(super) fn of_block(block: &Block<'_>) -> Result<Self, String> {
        let metadata = Metadata {
            mode: (block.mode()? & 0o7777) as u32,
            uid: owner("uid", block.uid()?)?,
            gid: owner("gid", block.gid()?)?,
            mtime: Timestamp::from_seconds(block.mtime()?),
            uname: block.user_name().into(),
            gname: block.group_name().into(),
            ..Metadata::default()
        };
        Ok(Self {
            type_flag: block.type_flag(),
            name: block.name(),
            link_name: block.link_name(),
            size: block.size()?,
            device: block.device()?,
            metadata,
            sparse: BTreeMap::new(),
            sparse_pairs: Vec::new(),
        })
    }

    /// Lets the records of an extended header override the block. An empty
    /// value leaves the block's, as in Go's reader.
    pub(super) fn merge(&mut self, records: &[(&[u8], &[u8])]) -> Result<(), String> {
        for &(key, value) in records {
            if let Some(attribute) = key.strip_prefix(b"SCHILY.xattr.") {
                self.metadata.xattrs.insert(attribute.into(), value.into());
                continue;
            }
            if let Some(rest) = key.strip_prefix(b"GNU.sparse.") {
                self.merge_sparse(rest, value)?;
                continue;
            }
            if value.is_empty() {
                continue;
            }
            match key {
                b"path" => self.name = value.into(),
                b"linkpath" => self.link_name = value.into(),
                b"uname" => self.metadata.uname = value.into(),
                b"gname" => self.metadata.gname = value.into(),
                b"size" => self.size = number("size", value)?,
                b"uid" => self.metadata.uid = owner("uid", number("uid", value)?)?,
                b"gid" => self.metadata.gid = owner("gid", number("gid", value)?)?,
                b"mtime" => self.metadata.mtime = time("mtime", value)?,
                // How names are encoded changes nothing: names are bytes here.
                b"hdrcharset" | b"charset" => {}
                _ => {
                    if matches!(key, b"atime" | b"ctime") {
                        time(&quoted(key), value)?;
                    }
                    self.metadata.pax.insert(key.into(), value.into());
                }
            }
        }
        self.take_libarchive_attributes();
        Ok(())
    }

    fn merge_sparse(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let wanted = match key {
            b"offset" => 0,
            b"numbytes" => 1,
            _ => {
                self.sparse.insert(key.into(), value.into());
                return Ok(());
            }
        };
        if self.sparse_pairs.len() % 2 != wanted {
            return Err("sparse map has offsets and lengths that do not alternate".into());
        }
        self.sparse_pairs.push(value.into());
        Ok(())
    }

    /// libarchive's own form, `LIBARCHIVE.xattr.<percent-coded>=<base64>`,
    /// where the common one is not there too.
    fn take_libarchive_attributes(&mut self) {
        let lenient = GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true);
        let base64 = GeneralPurpose::new(&STANDARD, lenient);
        let Metadata { xattrs, pax, .. } = &mut self.metadata;
        pax.retain(|key, value| {
            let Some(name) = key.strip_prefix(b"LIBARCHIVE.xattr.") else {
                return true;
            };
            let Ok(value) = base64.decode(value.trim_ascii_end()) else {
                return true;
            };
            xattrs
                .entry(percent_decoded(name).into())
                .or_insert(value.into());
            false
        });
    }

    /// The entry, for a file of the given apparent size.
    pub(super) fn into_entry(self, size_bytes: u64, limits: &Limits) -> Result<Entry, String> {
        let path = path("name", &self.name, limits)?;
        let kind = match self.type_flag {
            b'0' | 0 | b'7' | b'S' => EntryKind::File { size_bytes },
            b'1' => EntryKind::HardLink {
                target: path_of_link(&self.link_name, limits)?,
            },
            b'2' if self.link_name.is_empty() => {
                return Err("symbolic link has no target".into());
            }
            b'2' if self.link_name.len() > limits.path_bytes => {
                return Err(format!(
                    "symbolic link's target is over {} bytes",
                    limits.path_bytes
                ));
            }
            b'2' => EntryKind::Symlink {
                target: self.link_name,
            },
            b'3' | b'4' => {
                let (major, minor) = self.device;
                let major = u32::try_from(major).map_err(|_| "major number is out of range")?;
                let minor = u32::try_from(minor).map_err(|_| "minor number is out of range")?;
                match self.type_flag {
                    b'3' => EntryKind::CharDevice { major, minor },
                    _ => EntryKind::BlockDevice { major, minor },
                }
            }
            b'5' => EntryKind::Directory,
            b'6' => EntryKind::Fifo,
            other => {
                let shown = quoted(&[other]);
                return Err(format!("type `{shown}` is none that a layer may hold"));
            }
        };
        if path.is_root() && kind != EntryKind::Directory {
            return Err("only a directory can be the root".into());
        }
        Ok(Entry {
            path,
            kind,
            metadata: self.metadata,
        })
    }
}

/// Types whose size field means nothing (Go, `isHeaderOnlyType`).
pub(super) fn has_content(type_flag: u8) -> bool {
    !matches!(type_flag, b'1'..=b'6')
}

fn path(what: &str, raw: &[u8], limits: &Limits) -> Result<ImagePath, String> {
    let path = ImagePath::new(raw).map_err(|error| format!("{what}: {error}"))?;
    if path.as_bytes().len() > limits.path_bytes {
        return Err(format!("{what} is over {} bytes", limits.path_bytes));
    }
    if path.components().count() > limits.path_depth {
        return Err(format!(
            "{what} is over {} components deep",
            limits.path_depth
        ));
    }
    Ok(path)
}

fn path_of_link(raw: &[u8], limits: &Limits) -> Result<ImagePath, String> {
    let target = path("hard link's target", raw, limits)?;
    if target.is_root() {
        return Err("hard link has no target".into());
    }
    Ok(target)
}

fn owner(what: &str, number: i64) -> Result<u64, String> {
    u64::try_from(number).map_err(|_| format!("{what} is negative"))
}

fn number(what: &str, value: &[u8]) -> Result<i64, String> {
    pax::decimal(value).ok_or_else(|| format!("extended header's {what} is not a number"))
}

fn time(what: &str, value: &[u8]) -> Result<Timestamp, String> {
    pax::time(value).ok_or_else(|| format!("extended header's {what} is not a time"))
}

fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let mut byte = [0];
        if first == b'%' && after.len() >= 2 && hex::decode_to_slice(&after[..2], &mut byte).is_ok()
        {
            out.push(byte[0]);
            rest = &after[2..];
        } else {
            out.push(first);
            rest = after;
        }
    }
    out
}
