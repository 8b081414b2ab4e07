//! Layouts and archives on the host's disk. Sources are opened beneath their
//! directory only; outputs appear whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jettison_image::layout::{Archive, Files, ReadSeek, Sink, StoredFile};
use jettison_image::{Error, escape};

use crate::files::Directory;

/// An archive, opened once and read at any place.
pub(super) struct HostArchive {
    file: Arc<File>,
}

impl HostArchive {
    pub(super) fn of(file: File) -> Self {
        Self {
            file: Arc::new(file),
        }
    }
}

impl Archive for HostArchive {
    fn open(&self) -> io::Result<Box<dyn ReadSeek>> {
        Ok(Box::new(Positioned {
            file: self.file.clone(),
            position: 0,
        }))
    }
}

/// A reader with a position of its own on a shared file.
struct Positioned {
    file: Arc<File>,
    position: u64,
}

impl Read for Positioned {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buf, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Positioned {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let moved = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.file.metadata()?.len().checked_add_signed(by),
        };
        self.position = moved.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// The files of a directory, links excluded.
pub(super) struct HostDirectory {
    root: Directory,
}

impl HostDirectory {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            root: Directory::open(path)?,
        })
    }

    /// Opens an output directory, and makes it when it is not there. Nobody
    /// else writes to it until the returned value is dropped.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        let root = Directory::open(path)?;
        root.lock()?;
        let names = root.names()?;
        let is_layout = names
            .iter()
            .any(|name| name == "index.json" || name == "oci-layout");
        if !names.is_empty() && !is_layout {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "the directory holds other things than an OCI layout",
            ));
        }
        Ok(Self { root })
    }

    fn find(&self, name: &str) -> io::Result<Option<File>> {
        let opened = (|| {
            let (directories, file) = split(name);
            let mut held = None;
            for directory in directories {
                held = Some(held.as_ref().unwrap_or(&self.root).open_child(directory)?);
            }
            held.as_ref().unwrap_or(&self.root).open_file(file)
        })();
        match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    fn write(&self, name: &str, size_bytes: u64, content: &mut dyn Read) -> io::Result<()> {
        let (directories, file) = split(name);
        let mut held = None;
        for directory in directories {
            held = Some(held.as_ref().unwrap_or(&self.root).make_child(directory)?);
        }
        let directory = held.as_ref().unwrap_or(&self.root);
        let (temporary, mut output) = directory.create_unique(".jettison-")?;
        let written = (|| {
            let copied = io::copy(content, &mut output)?;
            if copied != size_bytes {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{copied} bytes came where {size_bytes} were promised"),
                ));
            }
            output.sync_data()?;
            directory.rename(&temporary, directory, file)
        })();
        if written.is_err() {
            let _ = directory.remove(&temporary);
        }
        written
    }
}

impl Files for HostDirectory {
    fn open(&self, name: &str) -> Result<Option<StoredFile>, Error> {
        let fail = |source| Error::Read {
            what: self.shown(name),
            source,
        };
        let Some(file) = self.find(name).map_err(fail)? else {
            return Ok(None);
        };
        let size_bytes = file.metadata().map_err(fail)?.len();
        Ok(Some(StoredFile {
            size_bytes,
            content: Box::new(file),
        }))
    }
}

impl HostDirectory {
    /// Puts a document into a layout, beside what belongs to the layout.
    pub(super) fn put_document(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        let mut sink = self;
        sink.put(name, content.len() as u64, &mut &*content)
    }

    fn shown(&self, name: &str) -> String {
        escape(&self.root.path().join(name).to_string_lossy())
    }
}

impl Sink for &HostDirectory {
    fn has_blob(&self, name: &str, size_bytes: u64) -> bool {
        let found = self.find(name).ok().flatten();
        found.is_some_and(|file| file.metadata().is_ok_and(|facts| facts.len() == size_bytes))
    }

    fn put(&mut self, name: &str, size_bytes: u64, content: &mut dyn Read) -> Result<(), Error> {
        let what = self.shown(name);
        self.write(name, size_bytes, content)
            .map_err(|source| Error::Write { what, source })
    }
}

/// A file that appears under its name when it is finished, and not before.
pub(crate) struct Output {
    directory: Directory,
    name: String,
    temporary: String,
    writer: Option<BufWriter<File>>,
}

impl Output {
    /// Begins a file beside `path`. What is there already is replaced in the
    /// end if it is a regular file, and refused otherwise.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let invalid = |text: &str| io::Error::new(io::ErrorKind::InvalidInput, text.to_owned());
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name
            .ok_or_else(|| invalid("not the name of a file"))?
            .to_owned();
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let directory = Directory::open(&parent)?;
        directory.facts(&name)?;
        let (temporary, file) = directory.create_unique(&format!(".{}-", short(&name)))?;
        let writer = Some(BufWriter::with_capacity(1 << 20, file));
        Ok(Self {
            directory,
            name,
            temporary,
            writer,
        })
    }

    /// Puts the file in its place.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let Some(writer) = self.writer.take() else {
            return Ok(());
        };
        let moved = writer
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|file| file.sync_data())
            .and_then(|()| {
                self.directory
                    .rename(&self.temporary, &self.directory, &self.name)
            });
        if moved.is_err() {
            let _ = self.directory.remove(&self.temporary);
        }
        moved
    }
}

impl Write for Output {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.writer
            .as_mut()
            .map_or(Ok(0), |writer| writer.write(buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), BufWriter::flush)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.writer.is_some() {
            let _ = self.directory.remove(&self.temporary);
        }
    }
}

fn split(name: &str) -> (impl Iterator<Item = &str>, &str) {
    let (directories, file) = name.rsplit_once('/').unwrap_or(("", name));
    (directories.split('/').filter(|part| !part.is_empty()), file)
}

/// Leaves room for what makes the temporary name unique.
fn short(name: &str) -> String {
    name.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn an_output_appears_whole_or_not_at_all() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("out.tar");
        let names = || std::fs::read_dir(scratch.path()).unwrap().count();
        Output::create(&path).unwrap().write_all(b"half").unwrap();
        assert_eq!(names(), 0);
        let mut output = Output::create(&path).unwrap();
        output.write_all(b"whole").unwrap();
        assert!(!path.exists());
        output.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
        assert_eq!(names(), 1);
        assert!(Output::create(Path::new("/dev/null")).is_err());
        assert!(Output::create(scratch.path()).is_err());
    }

    #[test]
    fn a_layout_is_read_beneath_its_directory_only() {
        let scratch = tempfile::tempdir().unwrap();
        let (inside, outside) = (scratch.path().join("in"), scratch.path().join("out"));
        std::fs::create_dir_all(inside.join("blobs")).unwrap();
        std::fs::create_dir_all(outside.join("sha256")).unwrap();
        std::fs::write(outside.join("secret"), b"x").unwrap();
        std::fs::write(outside.join("sha256/secret"), b"x").unwrap();
        symlink("../out/secret", inside.join("index.json")).unwrap();
        symlink("../../out/sha256", inside.join("blobs/sha256")).unwrap();
        let files = HostDirectory::open(&inside).unwrap();
        for name in ["index.json", "../out/secret", "blobs/sha256/secret"] {
            assert!(!matches!(Files::open(&files, name), Ok(Some(_))), "{name}");
        }
        assert!(Files::open(&files, "missing").unwrap().is_none());
        assert!(HostDirectory::create(&outside).is_err());
    }
}
