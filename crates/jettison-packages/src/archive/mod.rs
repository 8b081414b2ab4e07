//! Reads packages from the archives of a release: signature, then index, then
//! package, each believed only for the hash that the one before gave it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Read;

use jettison_image::VerifyingReader;

use crate::apt::{Archive, Archives, Role};
use crate::fetch::{Fetch, FetchError, Location, Request};
use crate::index::{IndexedPackage, read_packages, unpack};
use crate::release::{Expected, IndexFile, Keyring, Release};
use crate::solve::Universe;
use crate::{Error, LockedBase, LockedPackage, PackageLimits};

/// The archives of a release with everything needed to read and judge them.
pub struct Reader<'a> {
    /// Where packages come from.
    pub archives: &'a Archives,
    /// Which keys are believed.
    pub keyring: &'a Keyring,
    /// The time now, in seconds since 1970.
    pub now: i64,
    /// Fetches files.
    pub fetch: &'a dyn Fetch,
    /// Bounds on what is fetched.
    pub limits: PackageLimits,
}

/// Packages that were found, and what a person should hear about it.
#[derive(Debug)]
pub struct Resolved {
    /// The packages, as they can be pinned.
    pub base: LockedBase,
    /// One line each, escaped.
    pub notes: Vec<String>,
}

impl Reader<'_> {
    /// Finds the newest version of each named package in the release. An
    /// optional one may be missing: some releases have it, some do not.
    pub fn resolve(
        &self,
        names: &[&str],
        optional: &[&str],
        architecture: &str,
    ) -> Result<Resolved, Error> {
        let all = [names, optional].concat();
        let mut newest: BTreeMap<String, (Role, IndexedPackage)> = BTreeMap::new();
        let mut notes = self.archives.notes.clone();
        for archive in &self.archives.archives {
            let Some((release, root)) = self.release(archive)? else {
                notes.push(unseen(archive));
                continue;
            };
            for package in self.packages(archive, &release, &root, &all, architecture)? {
                let older = newest
                    .get(&package.name)
                    .is_none_or(|(_, known)| known.version < package.version);
                if older {
                    newest.insert(package.name.clone(), (archive.role, package));
                }
            }
        }
        let mut packages = Vec::new();
        let mut absent = Vec::new();
        for name in all {
            let Some((role, package)) = newest.remove(name) else {
                if names.contains(&name) {
                    return Err(Error::NoPackage {
                        name: name.to_owned(),
                        suite: self.archives.suite.clone(),
                        architecture: architecture.to_owned(),
                    });
                }
                absent.push(name.to_owned());
                continue;
            };
            packages.push(LockedPackage {
                name: package.name,
                version: package.version.as_str().to_owned(),
                architecture: package.architecture,
                archive: role,
                path: package.file_name,
                digest: package.digest,
                size_bytes: package.size_bytes,
            });
        }
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        let base = LockedBase {
            suite: self.archives.suite.clone(),
            architecture: architecture.to_owned(),
            absent,
            packages,
        };
        Ok(Resolved { base, notes })
    }

    /// Everything that the archives have for an architecture.
    pub fn universe(&self, architecture: &str) -> Result<(Universe, Vec<String>), Error> {
        let mut universe = Universe::new(&self.archives.suite, architecture);
        let mut notes = self.archives.notes.clone();
        for archive in &self.archives.archives {
            let Some((release, root)) = self.release(archive)? else {
                notes.push(unseen(archive));
                continue;
            };
            let Some((index, stored)) =
                self.stored_index(archive, &release, &root, architecture)?
            else {
                continue;
            };
            let unpacked = unpack(
                stored.as_slice(),
                index.compression,
                self.limits.index_bytes,
            )
            .map_err(Error::read(index.path.as_str()))?;
            universe.add(archive.role, unpacked, &self.limits)?;
        }
        universe.finish();
        Ok((universe, notes))
    }

    /// Opens a pinned package; reading it to its end verifies size and hash.
    ///
    /// A package of the security or updates archive moves to the main archive
    /// with a point release, so every archive is asked, its own first. One that
    /// answers with other bytes is an error, not a reason to ask the next.
    pub fn open(&self, package: &LockedPackage) -> Result<impl Read + Send + use<>, Error> {
        if package.size_bytes > self.limits.deb_bytes {
            let what = crate::error::escape(&package.name);
            return Err(Error::TooLarge {
                what,
                limit: self.limits.deb_bytes,
            });
        }
        let mut archives: Vec<&Archive> = self.archives.archives.iter().collect();
        archives.sort_by_key(|archive| archive.role != package.archive);
        let mut failure = None;
        for root in archives.iter().flat_map(|archive| &archive.roots) {
            let wanted = Request {
                location: below(root, &package.path)?,
                digest: Some(package.digest),
                size_bytes: Some(package.size_bytes),
            };
            match self.fetch.fetch(&wanted) {
                Ok(bytes) => {
                    return Ok(VerifyingReader::new(
                        bytes,
                        package.digest,
                        package.size_bytes,
                    ));
                }
                Err(source) => keep_worst(&mut failure, wanted.location, source),
            }
        }
        Err(failure.unwrap_or(Error::NoMirror {
            suite: Some(self.archives.suite.clone()),
            skipped: Vec::new(),
        }))
    }

    /// The verified Release file of an archive, from the first mirror that
    /// answers. None when an archive that need not be there is nowhere.
    fn release(&self, archive: &Archive) -> Result<Option<(Release, Location)>, Error> {
        let expected = Expected {
            suite: &archive.suite,
            now: self.now,
            keyring: self.keyring,
        };
        let mut failure = None;
        for root in &archive.roots {
            let inrelease = below(root, &format!("dists/{}/InRelease", archive.suite))?;
            match self.small_file(&inrelease) {
                Ok(file) => {
                    let release = Release::from_inrelease(&file, &expected);
                    return verified(release, inrelease, root);
                }
                Err(Error::Fetch {
                    source: FetchError::NotFound,
                    ..
                }) => {}
                Err(Error::Fetch { location, source }) => {
                    keep_worst(&mut failure, location, source);
                    continue;
                }
                Err(error) => return Err(error),
            }
            let location = below(root, &format!("dists/{}/Release", archive.suite))?;
            let signature = below(root, &format!("dists/{}/Release.gpg", archive.suite))?;
            match (self.small_file(&location), self.small_file(&signature)) {
                (Ok(file), Ok(signature)) => {
                    let release = Release::from_detached(&file, &signature, &expected);
                    return verified(release, location, root);
                }
                (Err(Error::Fetch { location, source }), _)
                | (_, Err(Error::Fetch { location, source })) => {
                    keep_worst(&mut failure, location, source);
                }
                (Err(error), _) | (_, Err(error)) => return Err(error),
            }
        }
        match failure {
            Some(Error::Fetch {
                source: FetchError::NotFound,
                ..
            }) if !archive.required => Ok(None),
            Some(error) => Err(error),
            None => Err(Error::NoMirror {
                suite: Some(archive.suite.clone()),
                skipped: Vec::new(),
            }),
        }
    }

    fn small_file(&self, location: &Location) -> Result<Vec<u8>, Error> {
        let reader = self
            .fetch
            .fetch(&Request::any(location.clone()))
            .map_err(|source| Error::Fetch {
                location: location.clone(),
                source,
            })?;
        self.collect(reader, self.limits.release_bytes, &location.to_string())
    }

    fn collect(&self, reader: impl Read, limit: u64, what: &str) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        reader
            .take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(Error::read(what))?;
        if bytes.len() as u64 > limit {
            return Err(Error::TooLarge {
                what: crate::error::escape(what),
                limit,
            });
        }
        Ok(bytes)
    }

    fn packages(
        &self,
        archive: &Archive,
        release: &Release,
        root: &Location,
        names: &[&str],
        architecture: &str,
    ) -> Result<Vec<IndexedPackage>, Error> {
        let Some((index, stored)) = self.stored_index(archive, release, root, architecture)? else {
            return Ok(Vec::new());
        };
        let unpacked = unpack(
            stored.as_slice(),
            index.compression,
            self.limits.index_bytes,
        )
        .map_err(Error::read(index.path.as_str()))?;
        let packages = read_packages(unpacked, &self.limits, |name| names.contains(&name))?;
        let fits =
            |package: &IndexedPackage| ["all", architecture].contains(&&*package.architecture);
        Ok(packages.into_iter().filter(fits).collect())
    }

    /// The index of an architecture, whole and verified before the first byte of
    /// it is unpacked. An updates suite may have none, main may not.
    fn stored_index(
        &self,
        archive: &Archive,
        release: &Release,
        root: &Location,
        architecture: &str,
    ) -> Result<Option<(IndexFile, Vec<u8>)>, Error> {
        let Some(index) = release.index("main", architecture) else {
            return match archive.role {
                Role::Main => Err(Error::malformed(
                    archive.suite.as_str(),
                    format!("it has no packages for {architecture}"),
                )),
                _ => Ok(None),
            };
        };
        let stored = self.index(root, &archive.suite, &index)?;
        Ok(Some((index, stored)))
    }

    /// An index as it is stored, by its hash where the archive allows, since
    /// the plain path may already be the next one's.
    fn index(&self, root: &Location, suite: &str, index: &IndexFile) -> Result<Vec<u8>, Error> {
        if index.size_bytes > self.limits.index_bytes {
            let what = crate::error::escape(&index.path);
            return Err(Error::TooLarge {
                what,
                limit: self.limits.index_bytes,
            });
        }
        let mut failure = None;
        for path in index.by_hash.iter().chain([&index.path]) {
            let wanted = Request {
                location: below(root, &format!("dists/{suite}/{path}"))?,
                digest: Some(index.digest),
                size_bytes: Some(index.size_bytes),
            };
            match self.fetch.fetch(&wanted) {
                Ok(bytes) => {
                    let verifying = VerifyingReader::new(bytes, index.digest, index.size_bytes);
                    let what = wanted.location.to_string();
                    return self.collect(verifying, index.size_bytes, &what);
                }
                Err(source) => keep_worst(&mut failure, wanted.location, source),
            }
        }
        Err(failure.unwrap_or_else(|| Error::malformed(suite, "it names no index")))
    }
}

fn unseen(archive: &Archive) -> String {
    crate::error::escape(&format!(
        "no {} archive at {}: its updates are not seen",
        archive.suite, archive.roots[0]
    ))
}

fn verified(
    release: Result<Release, crate::release::VerifyError>,
    location: Location,
    root: &Location,
) -> Result<Option<(Release, Location)>, Error> {
    match release {
        Ok(release) => Ok(Some((release, root.clone()))),
        Err(source) => Err(Error::Verify { location, source }),
    }
}

fn below(root: &Location, path: &str) -> Result<Location, Error> {
    root.join(path)
        .ok_or_else(|| Error::malformed(path, "not a path below an archive's root"))
}

/// Of several failures the one that says most: any other before "not there".
fn keep_worst(kept: &mut Option<Error>, location: Location, source: FetchError) {
    let says_more = !matches!(
        kept,
        Some(Error::Fetch {
            source: FetchError::Failed(_),
            ..
        })
    );
    if kept.is_none() || (says_more && matches!(source, FetchError::Failed(_))) {
        *kept = Some(Error::Fetch { location, source });
    }
}
