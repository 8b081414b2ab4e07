//! All packages that the archives of a release have for an architecture: of
//! each name the newest version, as apt's candidate is. Relations are kept as
//! they are written and read when the solver comes to them: an index has
//! 65 000 packages, of which a base has some hundred.

use std::collections::HashMap;
use std::io::BufRead;

use jettison_image::Digest;

use crate::apt::Role;
use crate::deb822::{Paragraph, Paragraphs};
use crate::index::{Relation, Version, parse_relations};
use crate::{Error, LockedPackage, PackageLimits};

/// A package's number in its universe.
pub(crate) type Id = u32;

/// Which other packages a relation field speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    PreDepends,
    Depends,
    Conflicts,
    Breaks,
}

impl Field {
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::PreDepends | Self::Depends => "depends on",
            Self::Conflicts => "conflicts with",
            Self::Breaks => "breaks",
        }
    }
}

/// One package, as the index has it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) package: LockedPackage,
    pub(crate) version: Version,
    pub(crate) source: Box<str>,
    pub(crate) is_essential: bool,
    pub(crate) priority: u8,
    /// `Multi-Arch: allowed`.
    is_allowed: bool,
    relations: [Box<str>; 4],
    provides: Box<str>,
}

/// The packages of a release.
#[derive(Debug, Default)]
pub struct Universe {
    pub(crate) suite: String,
    pub(crate) architecture: String,
    rows: Vec<Row>,
    by_name: HashMap<Box<str>, Id>,
    /// Who provides a name, and in which version, where it says so.
    providers: HashMap<Box<str>, Vec<(Id, Option<Version>)>>,
}

impl Universe {
    /// An empty one.
    pub fn new(suite: &str, architecture: &str) -> Self {
        Self {
            suite: suite.to_owned(),
            architecture: architecture.to_owned(),
            ..Self::default()
        }
    }

    /// How many packages there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The names of all packages.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().map(|row| row.package.name.as_str())
    }

    /// Adds what an unpacked, verified index lists. [`Self::finish`] follows.
    pub fn add(
        &mut self,
        role: Role,
        index: impl BufRead,
        limits: &PackageLimits,
    ) -> Result<(), Error> {
        let mut reader = Paragraphs::new(index, limits.paragraph_bytes);
        let mut paragraph = Paragraph::default();
        while reader
            .read_into(&mut paragraph)
            .map_err(Error::read("Packages"))?
        {
            // A paragraph that cannot be installed must not hide the others.
            let Some(row) = read_row(&paragraph, role) else {
                continue;
            };
            if row.package.architecture != "all" && row.package.architecture != self.architecture {
                continue;
            }
            match self.by_name.get(row.package.name.as_str()) {
                Some(&id) => {
                    let known = &mut self.rows[id as usize];
                    if known.version < row.version {
                        *known = row;
                    }
                }
                None if self.rows.len() < limits.packages.saturating_mul(4) => {
                    let id = self.rows.len() as Id;
                    self.by_name.insert(row.package.name.as_str().into(), id);
                    self.rows.push(row);
                }
                None => {
                    return Err(Error::TooLarge {
                        what: "the list of packages".to_owned(),
                        limit: limits.packages as u64,
                    });
                }
            }
        }
        Ok(())
    }

    /// Notes who provides what, once all indexes are read.
    pub fn finish(&mut self) {
        self.providers.clear();
        for (id, row) in self.rows.iter().enumerate() {
            for relation in parse_relations(&row.provides).into_iter().flatten() {
                let version = relation.bound.map(|(_, version)| version);
                let known = self.providers.entry(relation.name.into()).or_default();
                known.push((id as Id, version));
            }
        }
    }

    pub(crate) fn row(&self, id: Id) -> &Row {
        &self.rows[id as usize]
    }

    pub(crate) fn name(&self, id: Id) -> &str {
        &self.row(id).package.name
    }

    pub(crate) fn id(&self, name: &str) -> Option<Id> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = Id> + use<> {
        0..self.rows.len() as Id
    }

    /// A relation field of a package.
    pub(crate) fn relations(&self, id: Id, field: Field) -> Vec<Vec<Relation>> {
        parse_relations(&self.row(id).relations[field as usize])
    }

    /// The packages that satisfy a relation, or that it excludes: the one of
    /// the name, then those that provide it, best first as apt orders them.
    pub(crate) fn matches(&self, relation: &Relation, asked_by: Option<Id>) -> Vec<Id> {
        let mut found = Vec::new();
        if let Some(id) = self.id(&relation.name)
            && relation.admits(&self.row(id).version)
            && self.has_architecture(id, relation)
        {
            found.push(id);
        }
        let mut provided: Vec<Id> = self
            .providers
            .get(relation.name.as_str())
            .into_iter()
            .flatten()
            .filter(|(id, version)| {
                let fits = match (&relation.bound, version) {
                    (None, _) => true,
                    (Some(_), Some(version)) => relation.admits(version),
                    (Some(_), None) => false,
                };
                fits && self.has_architecture(*id, relation)
            })
            .map(|(id, _)| *id)
            .collect();
        // apt's CompareProviders: of the same source, essential, priority, first come.
        let source = asked_by.map(|id| &self.row(id).source);
        provided.sort_by_key(|&id| {
            let row = self.row(id);
            (
                Some(&row.source) != source,
                !row.is_essential,
                row.priority,
                id,
            )
        });
        for id in provided {
            if !found.contains(&id) {
                found.push(id);
            }
        }
        found
    }

    /// `:any` asks for a package that allows it, another architecture for one
    /// that is not here (deb-control(5), Multi-Arch).
    fn has_architecture(&self, id: Id, relation: &Relation) -> bool {
        match relation.architecture.as_deref() {
            None | Some("native") => true,
            Some("any") => self.row(id).is_allowed,
            Some(other) => other == self.architecture || other == "all",
        }
    }

    /// Names that look like one that is not there.
    pub(crate) fn similar(&self, name: &str) -> Vec<&str> {
        let mut found: Vec<&str> = self
            .names()
            .filter(|known| {
                name.len() > 2 && (known.starts_with(name) || known.ends_with(&format!("-{name}")))
            })
            .collect();
        found.sort_by_key(|known| (known.len(), *known));
        found.truncate(5);
        found
    }
}

fn read_row(paragraph: &Paragraph, role: Role) -> Option<Row> {
    let required = |field: &str| {
        paragraph
            .get(field)
            .filter(|value| !value.is_empty() && !paragraph.repeats(field))
    };
    let field = |field: &str| paragraph.get(field).unwrap_or_default();
    let name = required("Package").filter(|name| crate::lock::is_package_name(name))?;
    let version = required("Version")?;
    let source = field("Source");
    Some(Row {
        package: LockedPackage {
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: required("Architecture")?.to_owned(),
            archive: role,
            path: required("Filename")?.trim_start_matches("./").to_owned(),
            digest: format!("sha256:{}", required("SHA256")?)
                .parse::<Digest>()
                .ok()?,
            size_bytes: required("Size")?.parse().ok()?,
        },
        version: Version::new(version),
        source: match source.split_whitespace().next() {
            Some(source) => source.into(),
            None => name.into(),
        },
        is_essential: field("Essential") == "yes",
        priority: match field("Priority") {
            "required" => 0,
            "important" => 1,
            "standard" => 2,
            "optional" => 3,
            _ => 4,
        },
        is_allowed: field("Multi-Arch") == "allowed",
        relations: ["Pre-Depends", "Depends", "Conflicts", "Breaks"].map(|name| field(name).into()),
        provides: field("Provides").into(),
    })
}
