//! `--cache-from` and `--cache-to`, in buildx's words.

use jettison_engine::dockerfile::{CacheExport, CacheMode};
use jettison_engine::transport::Location;
use jettison_image::{Compression, Reference};

use crate::commands::csv::Fields;
use crate::commands::words::flag;
use crate::failure::Failure;

const FROM: &str = "--cache-from";
const TO: &str = "--cache-to";
/// The image of a layout that is the cache, as buildx calls it.
const TAG: &str = "latest";

/// `type=local,src=DIR[,tag=TAG]`, `type=registry,ref=REF`, or REF alone.
pub(super) fn from(text: &str) -> Result<Location, Failure> {
    let Some(mut fields) = typed(FROM, text)? else {
        return reference(FROM, text);
    };
    match kind(&mut fields)?.as_str() {
        "local" => {
            let path = fields.take("src");
            let path = path.ok_or_else(|| fields.wrong("needs src=DIR"))?;
            let tag = fields.take("tag").unwrap_or_else(|| TAG.to_owned());
            fields.end("type, src, tag")?;
            Ok(layout(path, tag))
        }
        _ => {
            let name = fields.take("ref");
            let name = name.ok_or_else(|| fields.wrong("needs ref=REGISTRY/NAME:TAG"))?;
            fields.end("type, ref")?;
            reference(FROM, &name)
        }
    }
}

/// `type=local,dest=DIR[,tag=TAG]`, `type=registry,ref=REF`, with mode,
/// compression and ignore-error, or REF alone.
pub(super) fn to(text: &str, default: Compression) -> Result<CacheExport, Failure> {
    let Some(mut fields) = typed(TO, text)? else {
        return Ok(CacheExport {
            place: reference(TO, text)?,
            mode: CacheMode::default(),
            compression: default,
            ignore_error: false,
        });
    };
    let kind = kind(&mut fields)?;
    let mode = match fields.take("mode").as_deref() {
        None => CacheMode::default(),
        Some("min") => CacheMode::Min,
        Some("max") => CacheMode::Max,
        Some(_) => return Err(fields.wrong("has another mode than min and max")),
    };
    let compression = match fields.take("compression").as_deref() {
        None => default,
        Some("gzip") => Compression::Gzip,
        Some("zstd") => Compression::Zstd,
        Some("uncompressed") if kind == "local" => Compression::None,
        Some(_) => {
            return Err(fields.wrong("has another compression than gzip, zstd and uncompressed"));
        }
    };
    let ignore_error = fields.take_bool("ignore-error")?.unwrap_or(false);
    for said in ["oci-mediatypes", "image-manifest"] {
        if fields.take_bool(said)? == Some(false) {
            return Err(fields.wrong(format!("says {said}=false; it is an OCI image here")));
        }
    }
    let place = match kind.as_str() {
        "local" => {
            let path = fields.take("dest");
            let path = path.ok_or_else(|| fields.wrong("needs dest=DIR"))?;
            let tag = fields.take("tag").unwrap_or_else(|| TAG.to_owned());
            fields.end("type, dest, tag, mode, compression, ignore-error")?;
            layout(path, tag)
        }
        _ => {
            let name = fields.take("ref");
            let name = name.ok_or_else(|| fields.wrong("needs ref=REGISTRY/NAME:TAG"))?;
            fields.end("type, ref, mode, compression, ignore-error")?;
            reference(TO, &name)?
        }
    };
    Ok(CacheExport {
        place,
        mode,
        compression,
        ignore_error,
    })
}

/// None for what is a name alone.
fn typed(flag: &'static str, text: &str) -> Result<Option<Fields>, Failure> {
    match text.contains('=') {
        true => Fields::parse(flag, text).map(Some),
        false => Ok(None),
    }
}

fn kind(fields: &mut Fields) -> Result<String, Failure> {
    let kind = fields.take("type").unwrap_or_default();
    let instead = "type=registry,ref=REGISTRY/NAME:cache keeps steps in any registry, \
                   type=local,dest=DIR (src=DIR) in a directory that a CI can keep";
    match kind.as_str() {
        "local" | "registry" => Ok(kind),
        "" => Err(fields.wrong("names no type").with_hint(instead)),
        "inline" | "gha" | "s3" | "azblob" => Err(fields
            .wrong(format!(
                "asks for type={kind}, which BuildKit has and jettison has not"
            ))
            .with_hint(format!("{instead}; --engine buildkit has type={kind}"))),
        _ => Err(fields
            .wrong("is of no known type")
            .with_hint("the types are local and registry")),
    }
}

fn layout(path: String, tag: String) -> Location {
    Location::OciDirectory {
        path: path.into(),
        name: Some(tag),
    }
}

fn reference(name: &'static str, text: &str) -> Result<Location, Failure> {
    let reference = Reference::parse(text).map_err(flag(name))?;
    Ok(Location::Registry(reference.with_default_tag()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: Result<impl std::fmt::Debug, Failure>, expected: &str) {
        let found = match found {
            Ok(found) => format!("{found:?}"),
            Err(failure) => failure.to_string(),
        };
        assert!(found.contains(expected), "{found}");
    }

    #[test]
    fn sources() {
        check(
            from("type=local,src=c"),
            r#"OciDirectory { path: "c", name: Some("latest") }"#,
        );
        check(from("type=local,src=c,tag=x"), r#"name: Some("x")"#);
        check(from("r.test/a:cache"), "Registry(");
        check(from("type=registry,ref=r.test/a"), "Registry(");
        check(from("type=registry"), "needs ref=");
        check(from("type=local,dest=c"), "needs src=DIR");
        check(from("type=gha"), "--engine buildkit has type=gha");
        check(
            from("type=local,src=c,mode=max"),
            "the keys are type, src, tag",
        );
        check(from("type=tar,src=c"), "local and registry");
    }

    #[test]
    fn destinations() {
        let to = |text| to(text, Compression::Zstd);
        check(
            to("type=local,dest=c"),
            "mode: Max, compression: Zstd, ignore_error: false",
        );
        check(
            to("type=local,dest=c,mode=min,compression=gzip"),
            "mode: Min, compression: Gzip",
        );
        check(
            to("type=registry,ref=r.test/a,ignore-error=true"),
            "ignore_error: true",
        );
        check(
            to("type=registry,ref=r.test/a,compression=uncompressed"),
            "another compression",
        );
        check(
            to("type=registry,ref=r.test/a,oci-mediatypes=true,image-manifest=true"),
            "Max",
        );
        check(to("type=local,dest=c,mode=most"), "min and max");
        check(to("type=inline"), "type=registry,ref=");
        check(to("type=s3,bucket=b"), "--engine buildkit has type=s3");
    }
}
