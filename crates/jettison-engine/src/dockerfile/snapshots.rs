//! Layers as directories, kept between builds: what a RUN stands on.
//!
//! The layers of a base become one directory, merged; each layer of a step has
//! its own, under the digest of its archive. A directory appears under its name
//! only when it is complete, and is locked by whoever uses it, so that
//! `store prune` leaves it alone.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use jettison_image::layer::{Change, LayerReader};
use jettison_image::{EntryKind, Follow, ImagePath, NewLayer, Node};
use jettison_sandbox::{Sandbox, SnapshotWriter};

use super::FileSystem;
use super::error::StepError;
use super::files::LayerFiles;
use super::key::Key;
use crate::Context;
use crate::scratch::ScratchDirectory;

/// Where the directories are, below the store.
pub(crate) const DIRECTORY: &str = "snapshots";
/// Beside the files of a snapshot: the blobs that it was made of, a line each.
pub(crate) const LAYERS: &str = "layers";

/// The directories of layers.
pub(crate) struct Snapshots<'a> {
    directory: PathBuf,
    /// For what is not complete; emptied when this is dropped.
    unfinished: ScratchDirectory,
    /// Directories in use, locked.
    used: Mutex<Vec<File>>,
    sandbox: &'a Sandbox,
    context: &'a Context,
}

impl<'a> Snapshots<'a> {
    pub(crate) fn open(sandbox: &'a Sandbox, context: &'a Context) -> Result<Self, StepError> {
        let directory = context.store().path().join(DIRECTORY);
        let failed = || StepError::host(format!("making {}", directory.display()));
        std::fs::create_dir_all(&directory).map_err(failed())?;
        // Only from inside can be removed what belongs to ids of containers.
        let unfinished = ScratchDirectory::create_after(&directory, |left| {
            let _ = sandbox.discard(left);
        });
        Ok(Self {
            unfinished: unfinished.map_err(failed())?,
            directory,
            used: Mutex::default(),
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
            directories.push(self.provide(
                &format!("base-{}", key.digest().hex()),
                base,
                |writer| self.write_merged(base, writer),
            )?);
        }
        for layer in steps {
            let name = name_of(layer);
            let only = std::slice::from_ref(layer);
            let path = self.provide(&name, only, |writer| self.write_layer(layer, writer))?;
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
        let name = name_of(layer);
        let path = self.directory.join(&name);
        let _turn = self.context.store().turn(&turn_of(&name))?;
        if path.exists() {
            return Ok(self.sandbox.discard(upper)?);
        }
        note_layers(upper, std::slice::from_ref(layer))?;
        std::fs::rename(upper, &path)
            .map_err(StepError::host(format!("keeping {}", path.display())))
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
        layers: &[NewLayer],
        fill: impl FnOnce(&mut SnapshotWriter) -> Result<(), StepError>,
    ) -> Result<PathBuf, StepError> {
        let path = self.directory.join(name);
        let _turn = self.context.store().turn(&turn_of(name))?;
        if path.exists() {
            self.hold(&path)?;
            return Ok(path);
        }
        let _item = self.context.progress.begin("unpacking layers", None);
        let unfinished = self.fresh();
        let mut writer = self.sandbox.new_snapshot(&unfinished)?;
        fill(&mut writer)?;
        writer.finish()?;
        note_layers(&unfinished, layers)?;
        std::fs::rename(&unfinished, &path)
            .map_err(StepError::host(format!("keeping {}", path.display())))?;
        self.hold(&path)?;
        Ok(path)
    }

    /// Keeps a directory from being pruned for as long as this lives.
    fn hold(&self, path: &Path) -> Result<(), StepError> {
        let failed = || StepError::host(format!("locking {}", path.display()));
        let file = File::open(path).map_err(failed())?;
        file.lock_shared().map_err(failed())?;
        // Its last use, for pruning by age.
        let _ = file.set_modified(SystemTime::now());
        let used = self.used.lock();
        used.unwrap_or_else(|poisoned| poisoned.into_inner())
            .push(file);
        Ok(())
    }

    fn write_merged(
        &self,
        layers: &[NewLayer],
        writer: &mut SnapshotWriter,
    ) -> Result<(), StepError> {
        write_tree(&LayerFiles::open(layers, None, self.context)?, writer)
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

/// The turn of whoever makes or removes the directory of this name.
pub(crate) fn turn_of(name: &str) -> String {
    format!("{DIRECTORY}/{name}")
}

fn note_layers(snapshot: &Path, layers: &[NewLayer]) -> Result<(), StepError> {
    let lines = layers.iter().map(|layer| format!("{}\n", layer.digest));
    let path = snapshot.join(LAYERS);
    std::fs::write(&path, lines.collect::<String>())
        .map_err(StepError::host(format!("writing {}", path.display())))
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
