//! What `--output` asks for: a place in jettison's words, or buildx's
//! `type=…`. A value that means something in both is jettison's.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use jettison_engine::transport::Location;
use jettison_image::{Compression, Reference};

use super::csv::Fields;
use super::words::flag;
use crate::failure::Failure;

const FLAG: &str = "--output";
const TYPES: &str = "local, tar, oci, docker, image, registry";

/// One destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Where to.
    pub to: Destination,
    /// The names that it has there; none where the result's own are meant.
    pub names: Vec<Reference>,
    /// How its layers are packed, where it was said or is the custom.
    pub packing: Option<Packing>,
}

/// How layers are packed at a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// With what; by default as `--compression` says.
    pub compression: Option<Compression>,
    /// Those too that are packed otherwise already, as a base's are.
    pub is_forced: bool,
}

/// Where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A place in jettison's words.
    Place(Location),
    /// An archive on standard output.
    Stdout(Location),
    /// The files, in a directory.
    Directory(PathBuf),
    /// The files, as a tar archive; without a path on standard output.
    Tar(Option<PathBuf>),
    /// The names alone: in the store, with `load` in the engine, with `push` in
    /// their registries.
    Names {
        /// The engine must take it.
        load: bool,
        /// The registries get it.
        push: bool,
    },
}

impl Output {
    /// Reads one value.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let plain = |to| Self {
            to,
            names: Vec::new(),
            packing: None,
        };
        if text == "-" {
            return Ok(plain(Destination::Tar(None)));
        }
        // A place in jettison's words has a colon.
        let is_path = text.starts_with(['/', '.']) || text.ends_with('/') && !text.contains(':');
        if is_path && !text.contains(',') {
            return Ok(plain(Destination::Directory(text.into())));
        }
        let is_typed = text.split(',').any(|field| {
            let key = field.trim_start_matches('"').split('=').next();
            field.contains('=') && key.is_some_and(|key| key.trim().eq_ignore_ascii_case("type"))
        });
        match is_typed {
            true => typed(text),
            false => match Location::parse(text) {
                Ok(location) => Ok(plain(Destination::Place(location))),
                Err(error) => Err(flag::<_>(FLAG)(error).with_hint(format!(
                    "./DIR is a directory, - standard output, and buildx's types are {TYPES}"
                ))),
            },
        }
    }

    /// Whether it takes standard output.
    pub fn is_stdout(&self) -> bool {
        matches!(self.to, Destination::Stdout(_) | Destination::Tar(None))
    }

    /// Whether it takes files alone, and no image.
    pub fn is_files(&self) -> bool {
        matches!(self.to, Destination::Directory(_) | Destination::Tar(_))
    }

    /// Whether the engine must take it.
    pub fn is_load(&self) -> bool {
        matches!(self.to, Destination::Names { load: true, .. })
    }

    /// Whether layers are compressed there by custom.
    pub fn is_packed(&self) -> bool {
        match &self.to {
            Destination::Place(place) | Destination::Stdout(place) => place.is_packed(),
            Destination::Names { push, .. } => *push,
            Destination::Directory(_) | Destination::Tar(_) => false,
        }
    }
}

/// Standard output takes one archive, and no terminal.
pub fn check_stdout(outputs: &[Output]) -> Result<bool, Failure> {
    let count = outputs.iter().filter(|output| output.is_stdout()).count();
    if count > 1 {
        return Err(Failure::new(format!(
            "{FLAG}: standard output takes one archive, not {count}"
        )));
    }
    if count == 1 && io::stdout().is_terminal() {
        return Err(
            Failure::new(format!("{FLAG}: an archive is not written to a terminal"))
                .with_hint("name a file: type=tar,dest=FILE, or send the output through a pipe"),
        );
    }
    Ok(count == 1)
}

/// buildx's grammar (buildx, util/buildflags/export.go).
fn typed(text: &str) -> Result<Output, Failure> {
    let mut fields = Fields::parse(FLAG, text)?;
    let kind = fields
        .take("type")
        .ok_or_else(|| fields.wrong("names no type"))?;
    let dest = fields.take("dest").filter(|dest| !dest.is_empty());
    let file = dest.clone().filter(|dest| dest != "-").map(PathBuf::from);
    if dest.as_deref().is_some_and(|dest| dest.contains(':')) && kind != "local" && kind != "tar" {
        // Locations end a path at a colon, as skopeo does.
        return Err(fields.wrong("names a path with a colon, which cannot be"));
    }
    let files = |to, fields: Fields, known| {
        fields.end(known)?;
        Ok(Output {
            to,
            names: Vec::new(),
            packing: None,
        })
    };
    match kind.as_str() {
        "local" => {
            let is_split = fields.take_bool("platform-split")?.unwrap_or(false);
            if is_split {
                return Err(fields.wrong("asks for a directory per platform; there is one image"));
            }
            let path = file.ok_or_else(|| fields.wrong("needs dest=DIR"))?;
            let known = "type, dest, platform-split=false";
            files(Destination::Directory(path), fields, known)
        }
        "tar" => files(Destination::Tar(file), fields, "type, dest"),
        "oci" | "docker" => archive(&kind, dest.is_some(), file, fields),
        "image" | "registry" => {
            if dest.is_some() {
                return Err(fields.wrong("has a dest; an image goes by its name"));
            }
            let push = fields.take_bool("push")?.unwrap_or(kind == "registry");
            let names = names(&mut fields)?;
            let packing = packing(&mut fields)?;
            let plain = packing.is_some_and(|it| it.compression == Some(Compression::None));
            if push && plain {
                return Err(fields.wrong("asks for plain layers; registries get gzip or zstd"));
            }
            fields.end("type, name, push, compression, force-compression, oci-mediatypes=true")?;
            Ok(Output {
                to: Destination::Names { load: false, push },
                names,
                packing: packing.or(push.then_some(CUSTOM)),
            })
        }
        other => {
            let other = other.to_owned();
            Err(fields
                .wrong(format!("has the type {other}, which is none"))
                .with_hint(format!("the types are {TYPES}")))
        }
    }
}

/// `type=oci` and `type=docker`.
fn archive(
    kind: &str,
    has_dest: bool,
    file: Option<PathBuf>,
    mut fields: Fields,
) -> Result<Output, Failure> {
    let names = names(&mut fields)?;
    let is_tar = fields.take_bool("tar")?.unwrap_or(true);
    let is_docker = kind == "docker";
    let packing = match is_docker {
        true => None,
        false => Some(packing(&mut fields)?.unwrap_or(CUSTOM)),
    };
    let place = |path| match (is_docker, is_tar) {
        (true, _) => Location::DockerArchive { path, name: None },
        (false, true) => Location::OciArchive { path, name: None },
        (false, false) => Location::OciDirectory { path, name: None },
    };
    let to = match file {
        Some(path) => Destination::Place(place(path)),
        None if is_docker && !has_dest => Destination::Names {
            load: true,
            push: false,
        },
        None if !is_tar => return Err(fields.wrong("needs dest=DIR where tar=false")),
        None => Destination::Stdout(place(PathBuf::from("-"))),
    };
    if is_docker && !is_tar {
        return Err(fields.wrong("says tar=false, which is only for type=oci"));
    }
    fields.end(match is_docker {
        true => "type, dest, name",
        false => "type, dest, name, tar, compression, force-compression, oci-mediatypes=true",
    })?;
    Ok(Output { to, names, packing })
}

const CUSTOM: Packing = Packing {
    compression: None,
    is_forced: false,
};

fn names(fields: &mut Fields) -> Result<Vec<Reference>, Failure> {
    let text = fields.take("name").unwrap_or_default();
    let names = text.split(',').filter(|name| !name.is_empty());
    names
        .map(|name| Reference::parse(name).map_err(flag(FLAG)))
        .collect()
}

fn packing(fields: &mut Fields) -> Result<Option<Packing>, Failure> {
    if fields.take_bool("oci-mediatypes")? == Some(false) {
        return Err(fields.wrong("asks for Docker's media types; there are OCI's alone"));
    }
    let is_forced = fields.take_bool("force-compression")?;
    let compression = match fields.take("compression").as_deref() {
        None => None,
        Some("gzip") => Some(Compression::Gzip),
        Some("zstd") => Some(Compression::Zstd),
        Some("uncompressed") => Some(Compression::None),
        Some(other) => {
            let problem = format!("has the compression {other}; there are");
            return Err(fields.wrong(format!("{problem} gzip, zstd and uncompressed")));
        }
    };
    Ok(
        (is_forced.is_some() || compression.is_some()).then_some(Packing {
            compression,
            is_forced: is_forced.unwrap_or(false),
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = match Output::parse(text) {
            Ok(output) => format!("{output:?}"),
            Err(failure) => failure.to_string(),
        };
        assert!(found.contains(expected), "{text}: {found}");
    }

    #[test]
    fn both_grammars() {
        check("-", "Tar(None)");
        check("./out", r#"Directory("./out")"#);
        check("out/", r#"Directory("out/")"#);
        check("out", r#"Place(Name("out"))"#);
        check("oci:out", "Place(OciDirectory");
        check("oci:out/", "Place(OciDirectory");
        check("type=local,dest=out", r#"Directory("out")"#);
        check(r#"type=local,"dest=a,b""#, r#"Directory("a,b")"#);
        check("type=local", "needs dest=DIR");
        check("type=local,dest=x,platform-split=true", "one image");
        check("type=tar,dest=x.tar", r#"Tar(Some("x.tar"))"#);
        check("type=tar", "Tar(None)");
        check("dest=x.tar,type=oci", r#"Place(OciArchive { path: "x.tar""#);
        check(
            "type=oci,dest=x,tar=false",
            r#"Place(OciDirectory { path: "x""#,
        );
        check("type=oci", "Stdout(OciArchive");
        check("type=oci,dest=-,tar=false", "needs dest=DIR");
        check("type=docker", "Names { load: true, push: false }");
        check("type=docker,dest=-", "Stdout(DockerArchive");
        check("type=docker,dest=x.tar", "Place(DockerArchive");
        check("type=registry", "Names { load: false, push: true }");
        check("type=image,push=true,name=r.test/a:1", "push: true }");
        check(
            r#"type=image,"name=a:1,b:2""#,
            r#"load: false, push: false }"#,
        );
        check(
            "type=oci,dest=x,compression=zstd,force-compression=true",
            "Some(Zstd), is_forced: true",
        );
    }

    #[test]
    fn what_is_refused_says_what_there_is() {
        check("type=cacheonly", "local, tar, oci, docker, image, registry");
        check(
            "type=local,dest=x,mode=copy",
            "the keys are type, dest, platform-split",
        );
        check(
            "type=oci,dest=x,compression=estargz",
            "gzip, zstd and uncompressed",
        );
        check(
            "type=oci,dest=x,compression-level=3",
            "the keys are type, dest, name",
        );
        check(
            "type=registry,push-by-digest=true",
            "the keys are type, name, push",
        );
        check("type=registry,compression=uncompressed", "gzip or zstd");
        check("type=oci,type=tar", "twice");
        check("type=oci,dest", "not KEY=VALUE");
        check(r#"type=oci,"dest=x"#, "not closed");
        check("type=image,name=UPPER", "--output: ");
        check("dir:x", "not a transport");
    }
}
