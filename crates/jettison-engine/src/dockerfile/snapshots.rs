//! Layers as directories, kept between builds: what a RUN stands on.
//!
//! The layers of a base become one directory, merged; each layer of a step has
//! its own, under the digest of its archive. A directory appears under its name
//! only when it is complete.

use std::path::{Path, PathBuf};

use jettison_image::layer::{Change, LayerReader};
use jettison_image::{EntryKind, Follow, ImagePath, NewLayer, Node};
use jettison_sandbox::{Sandbox, SnapshotWriter};

use super::FileSystem;
use super::error::StepError;
use super::key::Key;
use super::layers::file_system;
use crate::Context;
use crate::scratch::ScratchDirectory;

/// Where the directories are, below the store.
const DIRECTORY: &str = "snapshots";

/// The directories of layers.
pub(crate) struct Snapshots<'a> {
    directory: PathBuf,
    /// For what is not complete; emptied when this is dropped.
    unfinished: ScratchDirectory,
    sandbox: &'a Sandbox,
    context: &'a Context,
}

impl<'a> Snapshots<'a> {
    pub(crate) fn open(sandbox: &'a Sandbox, context: &'a Context) -> Result<Self, StepError> {
        let directory = context.store().path().join(DIRECTORY);
        let failed = || StepError::host(format!("making {}", directory.display()));
        std::fs::create_dir_all(&directory).map_err(failed())?;
        let unfinished = ScratchDirectory::create(&directory).map_err(failed())?;
        Ok(Self {
            directory,
            unfinished,
            sandbox,
            context,
        })
    }

    /// The directories that these layers make, lowest first; the first `base`
    /// of them are a base's.
    pub(crate) fn stack(
        &self,
        layers: &[NewLayer],
        base: usize,
    ) -> Result<Vec<PathBuf>, StepError> {
        let (base, steps) = layers.split_at(base.min(layers.len()));
        let mut directories = Vec::new();
        if !base.is_empty() {
            let key = Key::default().with_all(base.iter().map(|layer| layer.diff_id.0.as_bytes()));
            directories.push(
                self.provide(&format!("base-{}", key.digest().hex()), |writer| {
                    self.write_merged(base, writer)
                })?,
            );
        }
        for layer in steps {
            let name = name_of(layer);
            let path = self.provide(&name, |writer| self.write_layer(layer, writer))?;
            // An overlay takes each directory once. What a layer says above
            // another it says again, so only the last place counts.
            directories.retain(|known| *known != path);
            directories.push(path);
        }
        Ok(directories)
    }

    /// A file system as a directory of its own, for as long as this build.
    pub(crate) fn temporary(&self, files: &dyn FileSystem) -> Result<PathBuf, StepError> {
        let path = self.fresh();
        let mut writer = self.sandbox.new_snapshot(&path)?;
        write_tree(files, &mut writer)?;
        writer.finish()?;
        Ok(path)
    }

    /// What lies below a directory of a file system, in a directory of its own.
    pub(crate) fn part(&self, files: &dyn FileSystem, from: &[u8]) -> Result<PathBuf, StepError> {
        let missing =
            || StepError::Source(format!("\"{}\": not found", String::from_utf8_lossy(from)));
        let top = files
            .tree()
            .resolve(from, Follow::All)
            .map_err(|_| missing())?;
        let path = self.fresh();
        let mut writer = self.sandbox.new_snapshot(&path)?;
        let skipped = top.path().as_bytes().len();
        for node in std::iter::once(top).chain(top.subtree()) {
            let mut entry = node.entry();
            let below = node.path().as_bytes()[skipped..].to_vec();
            entry.path = ImagePath::new(below.strip_prefix(b"/").unwrap_or(&below))
                .map_err(|_| missing())?;
            // Names of one file are files of their own in here.
            if let EntryKind::HardLink { .. } = entry.kind {
                let size_bytes = node.first_link().size_bytes();
                entry.kind = EntryKind::File { size_bytes };
            }
            match node.is_file() {
                true => writer.put(&entry, &mut files.open(node)?)?,
                false => writer.put(&entry, &mut std::io::empty())?,
            }
        }
        writer.finish()?;
        Ok(path)
    }

    /// An empty directory for what a RUN writes.
    pub(crate) fn upper(&self) -> Result<PathBuf, StepError> {
        let path = self.fresh();
        std::fs::create_dir(&path).map_err(StepError::host("making a directory for a layer"))?;
        Ok(path)
    }

    /// Keeps what a RUN wrote as the directory of its layer.
    pub(crate) fn keep(&self, upper: &Path, layer: &NewLayer) -> Result<(), StepError> {
        let path = self.directory.join(name_of(layer));
        let _turn = self.context.store().turn(&path.to_string_lossy())?;
        match path.exists() {
            true => Ok(self.sandbox.discard(upper)?),
            false => std::fs::rename(upper, &path)
                .map_err(StepError::host(format!("keeping {}", path.display()))),
        }
    }

    fn fresh(&self) -> PathBuf {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.unfinished.path().join(number.to_string())
    }

    fn provide(
        &self,
        name: &str,
        fill: impl FnOnce(&mut SnapshotWriter) -> Result<(), StepError>,
    ) -> Result<PathBuf, StepError> {
        let path = self.directory.join(name);
        let _turn = self.context.store().turn(&path.to_string_lossy())?;
        if path.exists() {
            return Ok(path);
        }
        let _item = self.context.progress.begin("unpacking layers", None);
        let unfinished = self.fresh();
        let mut writer = self.sandbox.new_snapshot(&unfinished)?;
        fill(&mut writer)?;
        writer.finish()?;
        std::fs::rename(&unfinished, &path)
            .map_err(StepError::host(format!("keeping {}", path.display())))?;
        Ok(path)
    }

    fn write_merged(
        &self,
        layers: &[NewLayer],
        writer: &mut SnapshotWriter,
    ) -> Result<(), StepError> {
        write_tree(&file_system(layers, self.context)?, writer)
    }

    /// Layers of steps are ours: every path once, in order.
    fn write_layer(&self, layer: &NewLayer, writer: &mut SnapshotWriter) -> Result<(), StepError> {
        let blob = self.context.store().open_blob_file(&layer.digest)?;
        let source = std::io::BufReader::with_capacity(256 << 10, blob);
        let mut reader = LayerReader::new(source, self.context.limits());
        while let Some(mut entry) = reader.next_entry()? {
            match entry.change().clone() {
                Change::Whiteout(path) => writer.removed(&path)?,
                Change::Opaque(path) => writer.opaque(&path)?,
                Change::Put => {
                    let put = entry.entry().clone();
                    writer.put(&put, &mut entry)?;
                }
                Change::Ignored => {}
            }
        }
        Ok(())
    }
}

impl Drop for Snapshots<'_> {
    fn drop(&mut self) {
        // Only from inside can be removed what belongs to ids of containers.
        if let Ok(entries) = std::fs::read_dir(self.unfinished.path()) {
            for entry in entries.flatten() {
                let _ = self.sandbox.discard(&entry.path());
            }
        }
    }
}

fn name_of(layer: &NewLayer) -> String {
    format!("layer-{}", layer.diff_id.0.hex())
}

fn write_tree(files: &dyn FileSystem, writer: &mut SnapshotWriter) -> Result<(), StepError> {
    let tree = files.tree();
    for node in tree.iter().filter(Node::is_first_link) {
        match node.is_file() {
            true => writer.put(&node.entry(), &mut files.open(node)?)?,
            false => writer.put(&node.entry(), &mut std::io::empty())?,
        }
    }
    for node in tree.iter().filter(|node| !node.is_first_link()) {
        writer.put(&node.entry(), &mut std::io::empty())?;
    }
    Ok(())
}
