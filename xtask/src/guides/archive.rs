//! Layers in the making, and what an Alpine package database says of them.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use crate::Problem;

/// Everything is dated the same.
const TIME: u64 = 978_307_200;

/// A tar archive that remembers its files.
pub(crate) struct Archive {
    builder: tar::Builder<Vec<u8>>,
    /// Names of files and links by their folder.
    files: BTreeMap<String, Vec<String>>,
}

impl Archive {
    pub(crate) fn new() -> Self {
        Self {
            builder: tar::Builder::new(Vec::new()),
            files: BTreeMap::new(),
        }
    }

    pub(crate) fn folder(&mut self, name: &str, mode: u32, owner: u64) -> Result<(), Problem> {
        let mut header = header(tar::EntryType::Directory, mode);
        header.set_uid(owner);
        header.set_gid(owner);
        let name = format!("{name}/");
        Ok(self
            .builder
            .append_data(&mut header, name, std::io::empty())?)
    }

    pub(crate) fn file(&mut self, name: &str, mode: u32, content: &[u8]) -> Result<(), Problem> {
        self.remember(name);
        let mut header = header(tar::EntryType::Regular, mode);
        header.set_size(content.len() as u64);
        Ok(self.builder.append_data(&mut header, name, content)?)
    }

    pub(crate) fn link(&mut self, name: &str, target: &str) -> Result<(), Problem> {
        self.remember(name);
        let mut header = header(tar::EntryType::Symlink, 0o777);
        Ok(self.builder.append_link(&mut header, name, target)?)
    }

    /// An entry of another archive, under a name.
    pub(crate) fn take<R: Read>(
        &mut self,
        name: &str,
        entry: &mut tar::Entry<'_, R>,
    ) -> Result<(), Problem> {
        let mut header = entry.header().clone();
        match (header.entry_type(), entry.link_name()?) {
            (kind, Some(target)) if kind.is_symlink() || kind.is_hard_link() => {
                self.remember(name);
                let target = target.to_string_lossy().into_owned();
                let target = target.strip_prefix("./").unwrap_or(&target).to_owned();
                self.builder.append_link(&mut header, name, target)?;
            }
            (kind, _) if kind.is_dir() => {
                let name = format!("{name}/");
                self.builder
                    .append_data(&mut header, name, std::io::empty())?;
            }
            _ => {
                self.remember(name);
                self.builder.append_data(&mut header, name, entry)?;
            }
        }
        Ok(())
    }

    /// Everything below a folder of this machine, under a name.
    pub(crate) fn tree(&mut self, source: &Path, name: &str) -> Result<(), Problem> {
        use std::os::unix::fs::PermissionsExt;
        self.folder(name, 0o755, 0)?;
        let mut entries: Vec<_> = std::fs::read_dir(source)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let (path, kind) = (entry.path(), entry.file_type()?);
            let below = format!("{name}/{}", entry.file_name().to_string_lossy());
            if kind.is_dir() {
                self.tree(&path, &below)?;
            } else if kind.is_symlink() {
                self.link(&below, &std::fs::read_link(&path)?.to_string_lossy())?;
            } else if kind.is_file() {
                let mode = entry.metadata()?.permissions().mode() & 0o777;
                self.file(&below, mode, &std::fs::read(&path)?)?;
            }
        }
        Ok(())
    }

    /// Its bytes, and what `lib/apk/db/installed` says of a package that has all of it.
    pub(crate) fn package(self, name: &str, version: &str) -> Result<(Vec<u8>, String), Problem> {
        let mut record =
            format!("P:{name}\nV:{version}\nA:x86_64\nT:{name}\nL:various\no:{name}\n");
        for (folder, files) in &self.files {
            record.push_str(&format!("F:{folder}\n"));
            for file in files {
                record.push_str(&format!("R:{file}\n"));
            }
        }
        Ok((self.finish()?, record))
    }

    pub(crate) fn finish(self) -> Result<Vec<u8>, Problem> {
        Ok(self.builder.into_inner()?)
    }

    fn remember(&mut self, name: &str) {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        let files = self.files.entry(folder.to_owned()).or_default();
        files.push(file.to_owned());
    }
}

fn header(kind: tar::EntryType, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(TIME);
    header.set_size(0);
    header
}
