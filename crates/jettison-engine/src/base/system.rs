//! A whole system of Debian packages as an image: chosen by the solver,
//! unpacked, completed by rules, kept in the store. The same packages give the
//! same image, and one that is there is not made again.

use std::io::Read;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use jettison_image::compression::{Compression, EncoderOptions};
use jettison_image::{
    Digest, Entry, EntryKind, History, Image, ImageConfig, ImagePath, Metadata, NewImage, NewLayer,
    Platform, Schema, Timestamp, escape,
};
use jettison_packages::apt::Archives;
use jettison_packages::archive::Reader;
use jettison_packages::solve::solve;
use jettison_packages::system::{self, Completed, Found, Permissions, World};
use jettison_packages::{Error, Fetch, Location, Lock, LockedBase, LockedPackage, PackageLimits};
use jettison_recipes::rfc3339;
use serde::{Deserialize, Serialize};

use super::spec::SystemSpec;
use super::{BaseError, BaseRequest, keyring, loader_cache, remember, remembered, sources};
use crate::Context;
use crate::build::assemble::store_layer;
use crate::dockerfile::{FileSystem, LayerFiles, recall, remember as remember_layer};
use crate::http::PackageFetcher;
use crate::transport::each;

/// Changes when the rules make something else of the same packages.
const RULES: &str = "system 2";
/// Lines of what is unproven that are said; the rest is in the image.
const LINES: usize = 12;
const REPORT: &str = "usr/share/doc/jettison/composed";
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where packages come from, where it is not what the machine says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchiveOptions {
    /// Instead of the machine's apt sources.
    pub mirror: Option<String>,
    /// Instead of Debian's keys.
    pub keyring: Vec<std::path::PathBuf>,
    /// The time now, in seconds since 1970; the clock's when not given.
    pub now: Option<i64>,
}

/// What a person should hear of a system that was composed.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Told {
    packages: usize,
    done: usize,
    unproven: Vec<String>,
}

/// The image of a system; made, or as it was made before.
pub(crate) fn system_image(
    spec: &SystemSpec,
    platform: &Platform,
    options: &ArchiveOptions,
    context: &Context,
) -> Result<Image, BaseError> {
    let now = options.now.unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        })
    });
    let request = BaseRequest {
        architecture: architecture(platform),
        mirror: options.mirror.clone(),
        suite: spec.suite.clone(),
        keyring: options.keyring.clone(),
        now,
        ..BaseRequest::default()
    };
    let archives = sources::archives(&request)?;
    let keyring = keyring(&request.keyring)?;
    let fetch = PackageFetcher::new(context.transports.http().clone(), context.store().clone());
    let reader = Reader {
        archives: &archives,
        keyring: &keyring,
        now,
        fetch: &fetch,
        limits: PackageLimits::default(),
    };
    // What is remembered is remembered for these very words.
    let mut words = vec![RULES, spec.variant.name()];
    words.extend(spec.packages.iter().map(String::as_str));
    let base = match remembered(&request, &archives, &words, context) {
        Some(base) => base,
        None => {
            let item = context.progress.begin("reading the archive's index", None);
            let (universe, notes) = reader.universe(&request.architecture)?;
            for note in notes {
                context.progress.note(&note);
            }
            item.say("choosing packages");
            let wanted: Vec<&str> = spec.packages.iter().map(String::as_str).collect();
            let base = solve(&universe, spec.variant, &wanted)?;
            remember(&request, &archives, &words, &base, context)?;
            base
        }
    };
    let apt = apt_sources(&archives, &base);
    let key = key(&base, &apt)?;
    let (layers, told) = match kept(&key, context) {
        Some(kept) => kept,
        None => {
            fetch_all(&base, &archives, &keyring, &fetch, now, context)?;
            make(&base, &reader, apt.as_deref(), &key, context)?
        }
    };
    tell(spec, &told, context);
    image(spec, &base, platform, layers, context)
}

/// As Debian names what OCI calls a platform.
fn architecture(platform: &Platform) -> String {
    match (platform.architecture.as_str(), platform.variant.as_str()) {
        ("386", _) => "i386",
        ("arm", "v5" | "v6") => "armel",
        ("arm", _) => "armhf",
        ("ppc64le", _) => "ppc64el",
        ("mips64le", _) => "mips64el",
        ("loong64", _) => "loong64",
        (other, _) => other,
    }
    .to_owned()
}

/// The list of sources of the system's own apt: where its packages came from.
/// Directories of this machine and addresses with a password are not handed on.
fn apt_sources(archives: &Archives, base: &LockedBase) -> Option<String> {
    base.package("apt")?;
    let mut text = String::new();
    for archive in &archives.archives {
        if let Some(Location::Url(url)) = archive.roots.first()
            && !url.contains('@')
        {
            text += &format!("deb {url} {} main\n", archive.suite);
        }
    }
    Some(text).filter(|text| !text.is_empty())
}

/// What a system is known by: every package with its hash.
fn key(base: &LockedBase, apt: &Option<String>) -> Result<Digest, BaseError> {
    let mut lock = Lock::default();
    lock.set(base.clone());
    let text = format!(
        "{RULES}\n{}\n{}",
        lock.to_text()?,
        apt.as_deref().unwrap_or_default()
    );
    Ok(Digest::of(text.as_bytes()))
}

fn part(key: &Digest, name: &str) -> Digest {
    Digest::of(format!("{key} {name}").as_bytes())
}

type Made = (Vec<NewLayer>, Told);

fn kept(key: &Digest, context: &Context) -> Option<Made> {
    let store = context.store();
    let mut layers = Vec::new();
    for name in ["packages", "rules"] {
        layers.push(recall(store, &part(key, name))??);
    }
    let told = store.cached("system", &key.to_string())?;
    Some((layers, serde_json::from_slice(&told).ok()?))
}

/// Brings all packages into the store's cache, a few at once.
fn fetch_all(
    base: &LockedBase,
    archives: &Archives,
    keyring: &jettison_packages::release::Keyring,
    fetch: &PackageFetcher,
    now: i64,
    context: &Context,
) -> Result<(), BaseError> {
    let total = base.packages.iter().map(|package| package.size_bytes).sum();
    let item = context.progress.begin("fetching packages", Some(total));
    let small = |package: &&LockedPackage| package.size_bytes < PackageFetcher::MOST_CACHED_BYTES;
    let packages: Vec<&LockedPackage> = base.packages.iter().filter(small).collect();
    each(&packages, |package| {
        let reader = Reader {
            archives,
            keyring,
            now,
            fetch: fetch as &dyn Fetch,
            limits: PackageLimits::default(),
        };
        let mut bytes = reader.open(package)?;
        std::io::copy(&mut bytes, &mut std::io::sink()).map_err(|source| Error::Read {
            what: escape(&package.name),
            source,
        })?;
        item.advance(package.size_bytes);
        Ok::<_, Error>(())
    })?;
    Ok(())
}

fn make(
    base: &LockedBase,
    reader: &Reader<'_>,
    apt: Option<&str>,
    key: &Digest,
    context: &Context,
) -> Result<Made, BaseError> {
    let item = context.progress.begin("composing the base", None);
    let options = EncoderOptions::new(Compression::None);
    let mut unpacked = None;
    let lower = store_layer(context.store(), &options, |writer| {
        let mut put = |entry: &Entry, content: &mut dyn Read| {
            let what = entry.path.display().to_string();
            writer.append(entry, content).map_err(|error| Error::Read {
                what,
                source: std::io::Error::other(error),
            })
        };
        let open = |package: &LockedPackage| {
            item.say(&escape(&package.name));
            reader.open(package)
        };
        unpacked = Some(system::unpack(base, &reader.limits, open, &mut put));
        Ok(())
    })?;
    let system = unpacked.unwrap_or(Err(Error::NoMirror {
        suite: None,
        skipped: Vec::new(),
    }))?;
    let lower = NewLayer::from(&lower);
    item.say("what maintainer scripts would do");
    let files = LayerFiles::open(std::slice::from_ref(&lower), None, context)?;
    let newest = system.newest();
    let has_loader = system.has("libc-bin");
    let world = Unpacked { files: &files };
    let Completed {
        mut entries,
        mut done,
        mut unproven,
    } = system.complete(&world, apt);
    let store = |entries: &[(Entry, Vec<u8>)]| {
        store_layer(context.store(), &options, |writer| {
            for (entry, content) in entries {
                writer.append(entry, &mut content.as_slice())?;
            }
            Ok(())
        })
    };
    if has_loader {
        // Links that rules made are libraries to the loader as well.
        let all = [lower.clone(), NewLayer::from(&store(&entries)?)];
        let files = LayerFiles::open(&all, None, context)?;
        match loader_cache::write(&files, &base.architecture) {
            Some((content, count)) => {
                done.push(format!("libc-bin: {count} libraries in /etc/ld.so.cache"));
                entries.push(file("etc/ld.so.cache", content, newest));
            }
            None => unproven.push("libc-bin: ldconfig".to_owned()),
        }
    }
    let told = Told {
        packages: base.packages.len(),
        done: done.len(),
        unproven: unproven.clone(),
    };
    entries.extend(report(base, &done, &unproven, newest));
    entries.sort_by(|a, b| a.0.path.cmp(&b.0.path));
    entries.dedup_by(|b, a| a.0.path == b.0.path);
    let upper = NewLayer::from(&store(&entries)?);
    let store = context.store();
    remember_layer(store, &part(key, "packages"), Some(&lower))?;
    remember_layer(store, &part(key, "rules"), Some(&upper))?;
    let json = serde_json::to_vec(&told).expect("texts and numbers always serialise");
    store.put_cached("system", &key.to_string(), &json)?;
    Ok((vec![lower, upper], told))
}

/// What was done and what is unproven, for whoever wonders later.
fn report(
    base: &LockedBase,
    done: &[String],
    unproven: &[String],
    time: Timestamp,
) -> Vec<(Entry, Vec<u8>)> {
    let mut text = format!(
        "Composed of {} packages of {} without running their maintainer scripts.\n\n\
         Done by rules:\n",
        base.packages.len(),
        base.suite
    );
    let mut list = |title: &str, lines: &[String]| {
        text += title;
        for line in lines {
            text += &format!("  {line}\n");
        }
    };
    list("", done);
    list(
        "\nNot told without running a script, and not done:\n",
        unproven,
    );
    let folder = |path: &str| {
        let entry = Entry {
            path: ImagePath::new(path).expect("a constant path"),
            kind: EntryKind::Directory,
            metadata: Metadata {
                mode: 0o755,
                mtime: time,
                ..Metadata::default()
            },
        };
        (entry, Vec::new())
    };
    // Where no package has documentation, its directories are missing.
    let folders = ["usr/share/doc/jettison"].map(folder);
    folders
        .into_iter()
        .chain([file(REPORT, text.into_bytes(), time)])
        .collect()
}

fn file(path: &str, content: Vec<u8>, time: Timestamp) -> (Entry, Vec<u8>) {
    let entry = Entry {
        path: ImagePath::new(path).expect("a constant path"),
        kind: EntryKind::File {
            size_bytes: content.len() as u64,
        },
        metadata: Metadata {
            mode: 0o644,
            mtime: time,
            ..Metadata::default()
        },
    };
    (entry, content)
}

fn tell(spec: &SystemSpec, told: &Told, context: &Context) {
    let note = |line: &str| context.progress.note(line);
    note(&format!(
        "{spec}: {} packages; {} deeds of maintainer scripts done by rules, {} not told without \
         running them (/{REPORT} lists all)",
        told.packages,
        told.done,
        told.unproven.len()
    ));
    for line in told.unproven.iter().take(LINES) {
        note(&format!("  not done: {line}"));
    }
}

fn image(
    spec: &SystemSpec,
    base: &LockedBase,
    platform: &Platform,
    layers: Vec<NewLayer>,
    context: &Context,
) -> Result<Image, BaseError> {
    let mut config = ImageConfig::new(platform);
    config.run.env = vec![PATH.to_owned()];
    if base.package("bash").is_some() {
        config.run.cmd = vec!["bash".to_owned()];
    }
    config.created = rfc3339(0);
    let created = config.created.clone();
    let mut image = NewImage::new(Schema::Oci, config);
    for (layer, what) in layers
        .into_iter()
        .zip(["packages", "what their scripts would do"])
    {
        let step = History {
            created: created.clone(),
            created_by: Some(format!("jettison: {spec}: {what}")),
            ..History::default()
        };
        image.push_layer(layer, step);
    }
    let image = image.finish(Arc::new(context.store_source()))?;
    context.store().put_blob(&image.config_bytes)?;
    context.store().put_blob(&image.manifest_bytes)?;
    Ok(image)
}

/// The packages' files, for the rules.
struct Unpacked<'a> {
    files: &'a LayerFiles,
}

impl World for Unpacked<'_> {
    fn find(&self, path: &ImagePath) -> Option<Found> {
        let node = FileSystem::tree(self.files).get(path.as_bytes())?;
        Some(if node.is_directory() {
            Found::Directory
        } else if let Some(target) = node.link_target() {
            Found::Symlink(target.to_vec())
        } else if node.is_file() {
            Found::File(node.mode())
        } else {
            Found::Other
        })
    }

    fn permissions(&self, path: &ImagePath) -> Option<Permissions> {
        let node = FileSystem::tree(self.files).get(path.as_bytes())?;
        let (mode, (uid, gid)) = (node.mode(), node.owner());
        Some(Permissions { mode, uid, gid })
    }

    fn read(&self, path: &ImagePath, limit: u64) -> Option<Vec<u8>> {
        loader_cache::content(self.files, path, limit)
    }

    fn below(&self, directory: &ImagePath) -> Vec<ImagePath> {
        let node = FileSystem::tree(self.files).get(directory.as_bytes());
        let node = node.filter(|node| node.is_directory());
        let children = node.into_iter().flat_map(|node| node.children());
        children.map(|child| child.path()).collect()
    }
}
