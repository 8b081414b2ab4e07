//! What a package needs to work, resolved among the packages of the same
//! image.
//!
//! Versions are ignored: what was installed together was chosen together. An
//! alternative counts when it is installed, and so does an optional package:
//! somebody put it there.

use std::collections::HashMap;

use jettison_image::ImagePath;

use super::owners::{Draft, Owners};
use super::{Files, PackageKind};

/// What a package asks for and offers, as its metadata has it.
#[derive(Debug, Default)]
pub(super) struct Wants {
    pub(super) needs: Vec<Want>,
    pub(super) recommends: Vec<Want>,
    /// Names beside its own that it answers to.
    pub(super) provides: Vec<String>,
    /// Where it looks first: the `site-packages`, the gem home, or the npm
    /// package's own directory.
    pub(super) home: Option<ImagePath>,
}

/// Names of which any serves.
pub(super) type Want = Vec<String>;

/// Candidates that one resolution looks at: a hundred thousand packages that
/// all offer and want the same name are no honest image.
const CANDIDATES: usize = 1_000_000;

/// Fills in what every package needs; false when the bound was met.
pub(super) fn resolve(files: &dyn Files, owners: &Owners, drafts: &mut [Draft]) -> bool {
    let mut names = Names::default();
    for (index, draft) in (0u32..).zip(drafts.iter()) {
        let kind = draft.package.kind;
        if kind == PackageKind::Npm {
            if let Some(home) = &draft.wants.home {
                names.by_directory.entry(home.clone()).or_insert(index);
            }
            continue;
        }
        let name = canonical(kind, &draft.package.name);
        if let Some(home) = &draft.wants.home {
            let at = (kind, home.clone(), name.clone());
            names.by_home.entry(at).or_default().push(index);
        }
        names.real.entry((kind, name)).or_default().push(index);
        for offered in &draft.wants.provides {
            let offered = (kind, offered.clone());
            names.provided.entry(offered).or_default().push(index);
        }
    }
    let mut search = Search {
        files,
        owners,
        names,
        left: CANDIDATES,
    };
    for at in 0..drafts.len() {
        let needs = search.all(&drafts[at].wants.needs, at, drafts);
        let mut recommended = search.all(&drafts[at].wants.recommends, at, drafts);
        recommended.retain(|other| needs.binary_search(other).is_err());
        let package = &mut drafts[at].package;
        package.needs = needs;
        package.recommended = recommended;
    }
    search.left > 0
}

#[derive(Default)]
struct Names {
    real: HashMap<(PackageKind, String), Vec<u32>>,
    provided: HashMap<(PackageKind, String), Vec<u32>>,
    by_home: HashMap<(PackageKind, ImagePath, String), Vec<u32>>,
    by_directory: HashMap<ImagePath, u32>,
}

struct Search<'a> {
    files: &'a dyn Files,
    owners: &'a Owners,
    names: Names,
    left: usize,
}

impl Search<'_> {
    fn all(&mut self, wants: &[Want], of: usize, drafts: &[Draft]) -> Vec<usize> {
        let mut found = Vec::new();
        for name in wants.iter().flatten() {
            self.one(name, of, drafts, &mut found);
        }
        found.retain(|&other| other != of);
        found.sort_unstable();
        found.dedup();
        found
    }

    fn one(&mut self, name: &str, of: usize, drafts: &[Draft], found: &mut Vec<usize>) {
        let Some(left) = self.left.checked_sub(1) else {
            return;
        };
        self.left = left;
        let package = &drafts[of].package;
        let kind = package.kind;
        let home = drafts[of].wants.home.as_ref();
        if kind == PackageKind::Npm {
            found.extend(home.and_then(|home| self.in_node_modules(home, name)));
            return;
        }
        if kind == PackageKind::Rpm && name.starts_with('/') {
            let owner = ImagePath::new(name)
                .ok()
                .and_then(|path| self.owners.find(&path));
            if let Some((owner, _)) = owner {
                found.push(owner);
                return;
            }
        }
        let name = canonical(kind, name);
        let names = &self.names;
        let at_home = home.and_then(|home| {
            let at = (kind, home.clone(), name.clone());
            names.by_home.get(&at)
        });
        let asked = (kind, name);
        let candidates = at_home
            .or_else(|| names.real.get(&asked))
            .or_else(|| names.provided.get(&asked));
        let Some(candidates) = candidates else {
            return;
        };
        self.left = self.left.saturating_sub(candidates.len());
        if self.left == 0 {
            return;
        }
        let same = |other: &&u32| {
            let other = &drafts[**other as usize].package.architecture;
            *other == package.architecture || other.as_deref() == Some("all")
        };
        // A package may be there for several architectures.
        if kind == PackageKind::Deb && candidates.iter().any(|other| same(&other)) {
            found.extend(candidates.iter().filter(same).map(|&at| at as usize));
        } else {
            found.extend(candidates.iter().map(|&at| at as usize));
        }
    }

    /// Node's lookup: `node_modules` here, then in every directory above.
    fn in_node_modules(&mut self, home: &ImagePath, name: &str) -> Option<usize> {
        let mut directory = Some(home.clone());
        while let Some(at) = directory {
            self.left = self.left.checked_sub(1)?;
            directory = at.parent();
            if at.file_name() == b"node_modules" {
                continue;
            }
            let wanted = at.join("node_modules").ok()?.join(name).ok()?;
            if let Some(&found) = self.names.by_directory.get(&wanted) {
                return Some(found as usize);
            }
            // pnpm's are links into its store, npm's workspaces links out of it.
            let real = self.files.real_directory(&wanted);
            if let Some(&found) = real.and_then(|real| self.names.by_directory.get(&real)) {
                return Some(found as usize);
            }
        }
        None
    }
}

/// Names of Python distributions are alike when they are so by PEP 503.
fn canonical(kind: PackageKind, name: &str) -> String {
    if kind != PackageKind::Python {
        return name.to_owned();
    }
    let mut canonical = String::with_capacity(name.len());
    for c in name.chars() {
        if matches!(c, '-' | '_' | '.') {
            if !canonical.ends_with('-') {
                canonical.push('-');
            }
        } else {
            canonical.push(c.to_ascii_lowercase());
        }
    }
    canonical
}
