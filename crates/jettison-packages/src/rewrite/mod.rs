//! Package databases that tell of what is left.
//!
//! Two steps, both pure: [`records`] says which files must stay beside what was
//! chosen, so that every surviving file is attributed to its package as before;
//! [`rewrite`] then gives the new content of those that speak of more than what
//! is left. A package stays as long as one of its files does, with its record
//! as it was, byte for byte: version, source and architecture are what scanners
//! go by. Its list of files is cut to what is left, so that `dpkg -V` and
//! `pip check` have nothing to miss.
//!
//! rpm's database is kept as it is and a note says so: headers are signed, and
//! the file holds some twenty tables and their indexes of every package.

mod apk;
mod dpkg;
mod npm;
mod python;
mod records;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::HashMap;

use jettison_image::ImagePath;

pub use records::{Record, RecordKind, records};

use crate::installed::{Files, Installed, Package, PackageKind, real_path};

/// One file of the original that reads otherwise in what is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// Its path in the tree.
    pub path: ImagePath,
    /// What it holds now; none when it goes although it was to be kept.
    pub content: Option<Vec<u8>>,
    /// What was done to it, for people.
    pub change: String,
}

/// What becomes of the databases.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rewritten {
    /// Changed files, sorted by path.
    pub files: Vec<Rewrite>,
    /// What could not be made true, one line each, escaped.
    pub notes: Vec<String>,
}

/// Rewrites the databases of a tree to what is kept of it.
///
/// `kept` answers for every path of the tree, directories included, and holds
/// for the [`records`] of what is kept. Only files for which it holds are
/// rewritten.
pub fn rewrite(
    files: &dyn Files,
    installed: &Installed,
    kept: &dyn Fn(&ImagePath) -> bool,
) -> Rewritten {
    let mut work = Work {
        files,
        installed,
        kept,
        left: installed
            .packages
            .iter()
            .map(|package| is_left(installed, package, kept))
            .collect(),
        directories: RefCell::default(),
        done: Rewritten::default(),
    };
    let mut found = Vec::new();
    files.for_each_path(&mut |path, is_directory| {
        if !is_directory && is_of_interest(path.as_bytes()) && kept(path) {
            found.push(path.clone());
        }
    });
    found.sort_unstable();
    // Languages first: dpkg keeps sums of their databases.
    python::rewrite(&mut work, &found);
    npm::rewrite(&mut work, &found);
    dpkg::rewrite(&mut work, &found);
    apk::rewrite(&mut work);
    note_rpm(&mut work);
    work.done
        .files
        .sort_unstable_by(|one, other| one.path.cmp(&other.path));
    work.done
}

fn is_of_interest(path: &[u8]) -> bool {
    dpkg::is_of_interest(path) || python::is_list(path) || npm::is_lock(path)
}

/// Whether anything of a package is left, its own records aside.
fn is_left(installed: &Installed, package: &Package, kept: &dyn Fn(&ImagePath) -> bool) -> bool {
    installed
        .files(package)
        .any(|path| !dpkg::is_of_interest(path.as_bytes()) && kept(path))
}

struct Work<'a> {
    files: &'a dyn Files,
    installed: &'a Installed,
    kept: &'a dyn Fn(&ImagePath) -> bool,
    /// By index of package.
    left: Vec<bool>,
    directories: RefCell<HashMap<ImagePath, Option<ImagePath>>>,
    done: Rewritten,
}

impl Work<'_> {
    /// Whether a path, as it was unpacked, is kept.
    fn keeps(&self, path: &ImagePath) -> bool {
        self.real(path).is_some_and(|real| (self.kept)(&real))
    }

    /// Where a path, as it was unpacked, lies in the tree.
    fn real(&self, path: &ImagePath) -> Option<ImagePath> {
        let mut directories = self.directories.borrow_mut();
        real_path(self.files, &mut directories, path)
    }

    /// The names that are left of a kind, with their architectures.
    fn left_of(&self, kind: PackageKind) -> impl Iterator<Item = &Package> {
        let packages = self.installed.packages.iter().zip(&self.left);
        packages
            .filter(move |(package, left)| **left && package.kind == kind)
            .map(|(package, _)| package)
    }

    /// A database that is kept; a missing content is noted.
    fn content(&mut self, path: &ImagePath) -> Option<Vec<u8>> {
        if !(self.kept)(path) {
            return None;
        }
        let content = self.files.content(path);
        if content.is_none() {
            self.note(path, "is kept as it is: its content is not at hand");
        }
        Some(content?.into_owned())
    }

    fn note(&mut self, path: &ImagePath, problem: &str) {
        const NOTES: usize = 200;
        if self.done.notes.len() < NOTES {
            self.done
                .notes
                .push(format!("{}: {problem}", path.display()));
        }
    }

    fn goes(&mut self, path: &ImagePath, why: &str) {
        self.done.files.push(Rewrite {
            path: path.clone(),
            content: None,
            change: why.to_owned(),
        });
    }

    /// Puts a new content in place, where it is new.
    fn put(&mut self, path: &ImagePath, old: &[u8], cut: Cut, what: &str) {
        if cut.text == old {
            return;
        }
        self.done.files.push(Rewrite {
            path: path.clone(),
            content: Some(cut.text),
            change: format!("{} of {} {what} left", cut.left, cut.all),
        });
    }
}

/// What is left of a text.
#[derive(Default)]
struct Cut {
    text: Vec<u8>,
    left: usize,
    all: usize,
}

impl Cut {
    fn take(&mut self, part: &[u8], stays: bool) {
        self.all += 1;
        if stays {
            self.left += 1;
            self.text.extend_from_slice(part);
        }
    }
}

fn note_rpm(work: &mut Work<'_>) {
    let of_rpm = |(package, _): &(&Package, &bool)| package.kind == PackageKind::Rpm;
    let packages = || {
        work.installed
            .packages
            .iter()
            .zip(&work.left)
            .filter(of_rpm)
    };
    let gone = packages().filter(|(_, left)| !**left).count();
    let Some((first, _)) = packages().next().filter(|_| gone > 0) else {
        return;
    };
    let (record, all) = (first.record.clone(), packages().count());
    work.note(
        &record,
        &format!("is kept whole: {gone} of its {all} packages are listed without a file left"),
    );
}
