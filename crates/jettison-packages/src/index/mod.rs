//! Packages indexes: which packages an archive has, in which version, and the
//! hashes of their files (Debian repository format, "Packages Indices").

mod relation;
mod version;

use std::io::{self, BufRead, BufReader, Read};

use jettison_image::Digest;

pub use relation::{Operator, Relation, parse_relations};
pub use version::Version;

use crate::deb822::{Paragraph, Paragraphs};
use crate::release::IndexCompression;
use crate::{Error, PackageLimits};

/// One package of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedPackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// Debian's name of the architecture, or `all`.
    pub architecture: String,
    /// The source package, where it is called otherwise.
    pub source: Option<String>,
    /// Path below the archive's root.
    pub file_name: String,
    /// Size of the file.
    pub size_bytes: u64,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// `Pre-Depends` and `Depends`.
    pub depends: Vec<Vec<Relation>>,
    /// `Provides`.
    pub provides: Vec<Relation>,
}

/// Unpacks an index as it is stored; `limit` bounds the unpacked bytes.
pub fn unpack<'a>(
    stored: impl Read + 'a,
    compression: IndexCompression,
    limit: u64,
) -> io::Result<Box<dyn BufRead + 'a>> {
    let unpacked: Box<dyn Read + 'a> = match compression {
        IndexCompression::Xz => Box::new(crate::deb::xz(stored)?),
        IndexCompression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(stored)),
        IndexCompression::None => Box::new(stored),
    };
    let capped = crate::limits::Capped::new(unpacked, limit);
    Ok(Box::new(BufReader::with_capacity(1 << 17, capped)))
}

/// Reads an unpacked index and keeps the packages that `wanted` names.
/// Paragraphs that lack what a package needs are an error: the index is signed.
pub fn read_packages(
    index: impl BufRead,
    limits: &PackageLimits,
    mut wanted: impl FnMut(&str) -> bool,
) -> Result<Vec<IndexedPackage>, Error> {
    let mut reader = Paragraphs::new(index, limits.paragraph_bytes);
    let mut paragraph = Paragraph::default();
    let mut found = Vec::new();
    while reader
        .read_into(&mut paragraph)
        .map_err(Error::read("Packages"))?
    {
        let Some(name) = paragraph.get("Package") else {
            return Err(Error::malformed("Packages", "a paragraph without Package"));
        };
        if wanted(name) {
            found.push(read_package(name, &paragraph)?);
        }
    }
    Ok(found)
}

fn read_package(name: &str, paragraph: &Paragraph) -> Result<IndexedPackage, Error> {
    let required = |field: &str| {
        paragraph
            .get(field)
            .filter(|value| !value.is_empty() && !paragraph.repeats(field))
            .ok_or_else(|| Error::malformed(name, format!("{field} is missing or given twice")))
    };
    let size = required("Size")?;
    let relations = |field| parse_relations(paragraph.get(field).unwrap_or_default());
    let mut depends = relations("Pre-Depends");
    depends.extend(relations("Depends"));
    Ok(IndexedPackage {
        name: name.to_owned(),
        version: Version::new(required("Version")?),
        architecture: required("Architecture")?.to_owned(),
        source: paragraph.get("Source").map(str::to_owned),
        file_name: required("Filename")?.trim_start_matches("./").to_owned(),
        size_bytes: size
            .parse()
            .map_err(|_| Error::malformed(name, format!("Size `{size}`")))?,
        digest: format!("sha256:{}", required("SHA256")?)
            .parse()
            .map_err(|error| Error::malformed(name, format!("{error}")))?,
        depends,
        provides: relations("Provides").into_iter().flatten().collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "Package: a\nVersion: 1:2-3\nArchitecture: all\nSource: src (1)\n\
        Filename: pool/main/a/a_2-3_all.deb\nSize: 10\nSHA256: \
        e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\
        Depends: b, c | d\nPre-Depends: p\nProvides: v (= 1)\nDescription: x\n y\n\n\
        Package: b\nVersion: 1\nArchitecture: amd64\n";

    #[test]
    fn packages_of_an_index() {
        let limits = PackageLimits::default();
        let got = read_packages(INDEX.as_bytes(), &limits, |name| name == "a").unwrap();
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].version.without_epoch(), "2-3");
        assert_eq!(got[0].depends.len(), 3);
        assert_eq!(got[0].provides[0].name, "v");
        // b lacks its hash, which only matters to who asks for it.
        assert!(read_packages(INDEX.as_bytes(), &limits, |_| true).is_err());
        for (part, other) in [
            ("Size: 10", "Size: -1"),
            ("e3b0", "zz"),
            ("Package: a", "X: a"),
            ("Size: 10", "Size: 10\nSize: 11"),
        ] {
            let text = INDEX.replace(part, other);
            assert!(
                read_packages(text.as_bytes(), &limits, |name| name == "a").is_err(),
                "{other}"
            );
        }
    }

    #[test]
    fn a_large_index_is_read_quickly() {
        let mut index = String::new();
        for number in 0..20_000 {
            index.push_str(&INDEX.replace("Package: a", &format!("Package: a{number}")));
            index.push('\n');
        }
        let got = read_packages(index.as_bytes(), &PackageLimits::default(), |name| {
            name == "a7"
        });
        assert_eq!(got.unwrap().len(), 1);
    }

    #[test]
    fn an_index_that_unpacks_without_end_is_refused() {
        let bomb = {
            use std::io::Write;
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(&INDEX.as_bytes().repeat(10_000)).unwrap();
            writer.finish().unwrap()
        };
        let index = unpack(bomb.as_slice(), IndexCompression::Gzip, 100_000).unwrap();
        assert!(read_packages(index, &PackageLimits::default(), |_| false).is_err());
    }
}
