//! Companions that depend on what a configuration or the program's own texts say.

use std::collections::{BTreeMap, BTreeSet};

use jettison_image::{Follow, ImagePath};

use super::matching;
use super::row::{expanded, home};
use crate::World;
use crate::edge::How;
use crate::facts::ProgramFacts;
use crate::glob::glob;
use crate::locales;
use crate::scripts::Reader;

/// Adds what it finds, with the row's detail.
pub(super) type Rule = fn(&mut Reader<'_>, &ProgramFacts<'_>, &str);

/// A configuration is text of a few lines.
const MOST_BYTES: u64 = 1 << 20;

/// The modules that nsswitch.conf(5) names; without it, glibc takes `files`
/// and `dns`, which are part of it since 2.34 and libraries before.
pub(super) fn nss_modules(reader: &mut Reader<'_>, facts: &ProgramFacts<'_>, detail: &str) {
    let world = reader.world;
    let text = world
        .file("/etc/nsswitch.conf")
        .and_then(|file| world.contents.read(file, MOST_BYTES).ok())
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut services: BTreeSet<&str> = BTreeSet::from(["files", "dns"]);
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let Some((_, sources)) = line.split_once(':') else {
            continue;
        };
        // `[NOTFOUND=return]` stands between the sources.
        let mut in_action = false;
        for word in sources.split_whitespace() {
            in_action |= word.starts_with('[');
            if !in_action && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                services.insert(word);
            }
            in_action &= !word.ends_with(']');
        }
    }
    for service in services {
        for pattern in expanded(&format!("{{lib}}/libnss_{service}.so.2"), &facts.path) {
            for (path, _) in glob(world.tree, &pattern) {
                if let Ok(path) = ImagePath::new(path) {
                    reader.add(path, How::Opens, detail);
                }
            }
        }
    }
}

/// The languages that glibc can be set to; none where any name will do, as
/// musl's do. A catalog of another language is never opened: translation
/// begins with a compiled locale (setlocale(3), gettext(3)).
fn languages(world: &World<'_>, facts: &ProgramFacts<'_>) -> Option<BTreeSet<String>> {
    let libraries = expanded("{lib}/libc.so.6", &facts.path);
    let is_glibc = libraries
        .iter()
        .any(|pattern| !glob(world.tree, pattern).is_empty());
    if !is_glibc || world.environment.contains_key("LOCPATH") {
        return None;
    }
    let wanted = world.environment.get("LANGUAGE");
    let wanted = wanted.into_iter().flat_map(|list| list.split(':'));
    let names = world.locales().iter().map(String::as_str).chain(wanted);
    let languages = names.map(|name| locales::language(name).to_owned());
    Some(languages.collect())
}

/// Message catalogs of the text domains whose names stand in the program.
pub(super) fn messages(reader: &mut Reader<'_>, facts: &ProgramFacts<'_>, detail: &str) {
    let tree = reader.world.tree;
    let languages = languages(&reader.world, facts);
    let mut domains: BTreeMap<&[u8], Vec<ImagePath>> = BTreeMap::new();
    for root in ["/usr/share/locale", "/usr/local/share/locale"] {
        let Ok(root) = tree.resolve(root, Follow::All) else {
            continue;
        };
        for language in root.children() {
            let name = String::from_utf8_lossy(language.name());
            if languages
                .as_ref()
                .is_some_and(|known| !known.contains(locales::language(&name)))
            {
                continue;
            }
            let messages = tree.resolve_from(language, "LC_MESSAGES", Follow::All);
            for file in messages.iter().flat_map(|directory| directory.children()) {
                if let Some(domain) = file.name().strip_suffix(b".mo") {
                    domains.entry(domain).or_default().push(file.path());
                }
            }
        }
    }
    if domains.is_empty() {
        return;
    }
    let named: BTreeSet<&[u8]> = facts
        .c_texts()
        .filter(|text| domains.contains_key(text))
        .collect();
    for path in named
        .into_iter()
        .filter_map(|text| domains.get(text))
        .flatten()
    {
        reader.add(path.clone(), How::Companion, detail);
    }
    if let Some(alias) = reader.world.file("/usr/share/locale/locale.alias") {
        reader.add(alias.path(), How::Companion, detail);
    }
}

/// A Java runtime, found from its launcher or its virtual machine: libraries
/// and classes are opened by names that are put together. Sources, headers,
/// `jmods` and `ct.sym` are for compilers.
pub(super) fn java(reader: &mut Reader<'_>, facts: &ProgramFacts<'_>, detail: &str) {
    let own = facts.path.parent().unwrap_or_else(ImagePath::root);
    let homes = std::iter::successors(Some(own), ImagePath::parent).take(6);
    let is_home = |path: &ImagePath| {
        let has = |file: &str| {
            path.join(file)
                .is_ok_and(|file| reader.world.file(&file).is_some())
        };
        has("lib/modules") || has("lib/rt.jar") || has("jre/lib/rt.jar")
    };
    let Some(home) = homes.into_iter().find(is_home) else {
        return;
    };
    for (pattern, whole) in [
        ("release", false),
        ("lib/*.so", false),
        ("lib/*.dat", false),
        ("lib/*.cfg", false),
        ("lib/*.properties", false),
        ("lib/*.bfc", false),
        ("lib/*.jar", false),
        ("lib/modules", false),
        ("lib/classlist", false),
        ("lib/jspawnhelper", false),
        ("lib/jexec", false),
        ("lib/jrt-fs.jar", false),
        ("lib/security", true),
        ("lib/server", true),
        ("lib/client", true),
        ("lib/jfr", true),
        ("lib/ext", true),
        ("lib/amd64", true),
        ("lib/aarch64", true),
        ("lib/i386", true),
        ("lib/images", true),
        ("lib/management", true),
        ("lib/cmm", true),
        ("conf", true),
        ("jre/lib", true),
    ] {
        let pattern = [b"/", home.as_bytes(), b"/", pattern.as_bytes()].concat();
        matching(reader, &pattern, how(whole), detail);
    }
}

/// Whole directories are families.
fn how(whole: bool) -> How {
    match whole {
        true => How::Family,
        false => How::Companion,
    }
}

/// A .NET program: its launcher or library beside `NAME.deps.json` reads the
/// list and opens what lies there.
pub(super) fn dotnet(reader: &mut Reader<'_>, facts: &ProgramFacts<'_>, detail: &str) {
    let Some(own) = facts.path.parent().filter(|own| !own.is_root()) else {
        return;
    };
    let lists = |ending: &str| {
        let pattern = [b"/", own.as_bytes(), b"/*", ending.as_bytes()].concat();
        !glob(reader.world.tree, &pattern).is_empty()
    };
    if lists(".runtimeconfig.json") || lists(".deps.json") {
        reader.add(own, How::Family, detail);
    }
}

/// What PostgreSQL's programs find by their own place: the server beside the
/// tools, libraries and data in the places of its build.
pub(super) fn postgresql(reader: &mut Reader<'_>, facts: &ProgramFacts<'_>, detail: &str) {
    let own = home(&facts.path);
    // Debian: /usr/lib/postgresql/15 beside /usr/share/postgresql/15.
    let version = own.file_name();
    let version = version
        .first()
        .is_some_and(u8::is_ascii_digit)
        .then_some(version);
    let mut places: Vec<(Vec<u8>, bool)> = Vec::new();
    let mut place = |parts: &[&[u8]], whole: bool| places.push((parts.concat(), whole));
    let at = own.as_bytes();
    for tool in [
        "postgres",
        "initdb",
        "pg_ctl",
        "psql",
        "pg_isready",
        "pg_dump",
    ] {
        place(&[b"/", at, b"/bin/", tool.as_bytes()], false);
    }
    place(&[b"/", at, b"/lib/*.so"], false);
    place(&[b"/", at, b"/lib/postgresql"], true);
    place(&[b"/", at, b"/share/postgresql"], true);
    place(&[b"/usr/libexec/postgresql*"], true);
    match version {
        Some(version) => place(&[b"/usr/share/postgresql/", version], true),
        None => place(&[b"/usr/share/postgresql*"], true),
    }
    for (pattern, whole) in places {
        matching(reader, &pattern, how(whole), detail);
    }
}

/// What perl loads of its own without being told to: for `\p{…}` and `lc`, for
/// `:encoding(…)`, `<*.c>`, `$!{…}`, `%+`, methods of file handles.
pub(super) fn perl(reader: &mut Reader<'_>, facts: &ProgramFacts<'_>, detail: &str) {
    const ROOTS: &[&str] = &[
        "{lib}/perl",
        "{lib}/perl/*",
        "{lib}/perl5",
        "{lib}/perl5/*",
        "{lib}/perl5/*/*",
        "{share}/perl",
        "{share}/perl/*",
        "{share}/perl5",
    ];
    const WHOLE: &[&str] = &[
        "unicore",
        "Encode",
        "auto/Encode",
        "PerlIO",
        "auto/PerlIO",
        "Tie/Hash",
        "auto/Tie/Hash",
        "File/Glob.pm",
        "auto/File/Glob",
        "IO",
        "auto/IO",
        "attributes.pm",
        "auto/attributes",
        "mro.pm",
        "auto/mro",
        "re.pm",
        "auto/re",
        "Config.pm",
        "Config_*",
        "Encode.pm",
        "Errno.pm",
        "_charnames.pm",
        "charnames.pm",
        "feature.pm",
        "utf8*",
        "version.pm",
        "version",
    ];
    for root in ROOTS.iter().flat_map(|root| expanded(root, &facts.path)) {
        for name in WHOLE {
            let pattern = [&root[..], b"/", name.as_bytes()].concat();
            matching(reader, &pattern, How::Family, detail);
        }
    }
}
