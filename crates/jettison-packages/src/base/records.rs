//! Package records as the distroless project keeps them: one control file for
//! each package in `/var/lib/dpkg/status.d`, its checksums beside it. Scanners
//! find packages there. The checksums list what is really in the image.

use super::certificates::BUNDLE;
use super::parts::{Gathered, md5_hex};
use super::{Origin, Part, Tree, known};

const RULE: &str = "records of the packages whose files are here";

pub(super) fn place(gathered: &Gathered, tree: &mut Tree) {
    let bundle = tree
        .files
        .get(&known(BUNDLE))
        .map(|file| md5_hex(&file.content));
    for (name, control) in &gathered.controls {
        let mut sums = gathered.sums.get(name).cloned().unwrap_or_default();
        if let Some(sum) = bundle.as_ref().filter(|_| name == "ca-certificates") {
            sums.insert(known(BUNDLE), sum.clone());
        }
        // A package of which nothing is left would be a claim without a file.
        if sums.is_empty() {
            continue;
        }
        let mut text = control.text().trim_end().to_owned();
        text.push('\n');
        let mut lines = Vec::new();
        for (path, sum) in &sums {
            lines.extend_from_slice(sum.as_bytes());
            lines.extend_from_slice(b"  ");
            lines.extend_from_slice(path.as_bytes());
            lines.push(b'\n');
        }
        // The name was compared with the lock's, which is checked for its form.
        let record = known(&format!("var/lib/dpkg/status.d/{name}"));
        let sums = known(&format!("var/lib/dpkg/status.d/{name}.md5sums"));
        tree.put_file(
            record,
            text.into_bytes(),
            (Part::PackageRecords, Origin::Rule(RULE)),
        );
        tree.put_file(sums, lines, (Part::PackageRecords, Origin::Rule(RULE)));
    }
}
