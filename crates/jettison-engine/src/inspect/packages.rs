//! The packages of an image, from the databases that were kept while its
//! layers were read.

use jettison_image::account::Survey;
use jettison_packages::PackageLimits;
use jettison_packages::installed::{self, Installed, Package, TreeFiles};

use super::DATABASES;

/// Reads the databases; what they take in memory is given back.
pub(super) fn scan(survey: &mut Survey) -> (Installed, Vec<String>) {
    let (contents, left_out) = survey.take_collected();
    let files = TreeFiles {
        tree: survey.tree(),
        contents: &contents,
    };
    let limits = PackageLimits {
        database_bytes: DATABASES.file_bytes,
        ..PackageLimits::default()
    };
    let installed = installed::scan_packages(&files, &limits);
    let mut notes = installed.notes.clone();
    if left_out > 0 {
        notes.push(format!(
            "{left_out} files of package databases are too large to be read; their packages are missing"
        ));
    }
    (installed, notes)
}

/// `name version`, as tables show it.
pub(super) fn label(package: &Package) -> String {
    format!("{} {}", package.name, package.version)
}
