//! Java: class paths on the command line, in the environment and in the
//! manifests of jars. A directory of classes is taken whole.

use jettison_image::{ImagePath, Node};

use super::{class, text, zip};
use crate::scripts::{Reader, Text, command};
use crate::{Edge, How, World};

/// Manifests are small.
const MOST_MANIFEST_BYTES: usize = 1 << 20;
/// The directory of a jar lies at its end: larger ones are not read.
const MOST_JAR_BYTES: u64 = 512 << 20;

/// Classes of one jar, unpacked.
const MOST_CLASS_BYTES: usize = 64 << 20;

/// Variables whose options a JVM, or the scripts around it, add.
const OPTIONS: &[&str] = &[
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "JAVA_OPTS",
    "CATALINA_OPTS",
    "_JAVA_OPTIONS",
];

/// What a jar leads to: the `Class-Path` of its manifest.
pub fn edges(world: &World, node: Node, data: &[u8]) -> Vec<Edge> {
    let mut reader = Reader::of(world, node);
    let directory = node.path().parent().unwrap_or_else(ImagePath::root);
    if let Some(manifest) = zip::member(data, b"META-INF/MANIFEST.MF", MOST_MANIFEST_BYTES) {
        class_path(&mut reader, &directory, &manifest);
    }
    reader.into_edges()
}

/// Reads the command line of a JVM.
pub(crate) fn arguments(reader: &mut Reader, arguments: &[Vec<u8>]) {
    let mut given: Vec<Text> = Vec::new();
    for variable in OPTIONS {
        let options = reader
            .world
            .environment
            .get(*variable)
            .map_or("", String::as_str);
        given.extend(
            options
                .split_whitespace()
                .map(|word| word.as_bytes().to_vec()),
        );
    }
    given.extend_from_slice(arguments);
    let mut has_class_path = false;
    let mut words = given.iter().peekable();
    while let Some(word) = words.next() {
        match word.as_slice() {
            b"-cp" | b"-classpath" | b"--class-path" | b"-p" | b"--module-path" => {
                has_class_path = true;
                if let Some(list) = words.next() {
                    entries(reader, list);
                }
            }
            b"-jar" => {
                has_class_path = true;
                if let Some(jar) = words.next() {
                    one(reader, jar);
                }
            }
            option if option.starts_with(b"-javaagent:") || option.starts_with(b"-agentpath:") => {
                let path = option
                    .splitn(2, |&byte| byte == b':')
                    .nth(1)
                    .unwrap_or_default();
                one(
                    reader,
                    path.split(|&byte| byte == b'=').next().unwrap_or(path),
                );
            }
            option
                if option.starts_with(b"--class-path=")
                    || option.starts_with(b"--module-path=") =>
            {
                has_class_path = true;
                let list = option
                    .splitn(2, |&byte| byte == b'=')
                    .nth(1)
                    .unwrap_or_default()
                    .to_vec();
                entries(reader, &list);
            }
            option if option.starts_with(b"-") => command::files(reader, option),
            _ => break,
        }
    }
    if has_class_path {
        return;
    }
    match reader.world.environment.get("CLASSPATH") {
        Some(list) => entries(reader, list.as_bytes()),
        // Without a class path it is the working directory.
        None => {
            let directory = reader.world.working_directory.clone();
            reader.family(&directory, "is on the class path");
        }
    }
}

/// `a.jar:lib/*:classes`.
fn entries(reader: &mut Reader, list: &[u8]) {
    for entry in list
        .split(|&byte| byte == b':')
        .filter(|entry| !entry.is_empty())
        .take(4096)
    {
        one(reader, entry);
    }
}

fn one(reader: &mut Reader, entry: &[u8]) {
    let entry = entry.strip_suffix(b"/*").unwrap_or(entry);
    let Some(path) = reader.existing(entry) else {
        return;
    };
    if text::is_directory(&reader.world, &path) {
        reader.family(&path, "is on the class path");
    } else {
        reader.add(path, How::Imports, "is on the class path");
    }
}

/// Blank-separated URLs, relative to the jar; lines of 72 bytes go on behind a
/// line feed and a blank (JAR File Specification).
fn class_path(reader: &mut Reader, directory: &ImagePath, manifest: &[u8]) {
    let text = String::from_utf8_lossy(manifest)
        .replace("\r\n", "\n")
        .replace("\n ", "");
    let lists = text
        .lines()
        .filter_map(|line| line.strip_prefix("Class-Path:"));
    for entry in lists.flat_map(str::split_whitespace).take(4096) {
        let entry = entry.strip_prefix("file:").unwrap_or(entry);
        let Some(path) = crate::scripts::existing(&reader.world, directory, entry.as_bytes())
        else {
            continue;
        };
        if text::is_directory(&reader.world, &path) {
            reader.family(&path, "is on the class path");
        } else {
            reader.add(path, How::Imports, "is on the class path");
        }
    }
}

/// The string constants of a class, or of a jar's own classes; not of the
/// libraries that lie or are unpacked in it.
pub(crate) fn constants(node: Node, data: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut take = |class: &[u8]| {
        let texts = class::strings(class).into_iter();
        found.extend(texts.map(<[u8]>::to_vec));
    };
    if !is_jar(node, data) {
        take(data);
        return found;
    }
    let own = own_package(data);
    let mut budget = MOST_CLASS_BYTES;
    for (name, entry) in zip::members(data) {
        if name.ends_with(b".class")
            && is_own(name, own.as_deref())
            && let Some(class) = zip::content(data, entry, budget)
        {
            budget -= class.len();
            take(&class);
        }
    }
    found
}

/// The first two parts of the package of the class that a jar starts, as in
/// `com/example/`: what is unpacked beside it is of others. None where nothing
/// is started.
fn own_package(jar: &[u8]) -> Option<Vec<u8>> {
    let manifest = zip::member(jar, b"META-INF/MANIFEST.MF", MOST_MANIFEST_BYTES)?;
    let manifest = String::from_utf8_lossy(&manifest);
    let value = |key: &str| {
        let mut lines = manifest.lines();
        lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
    };
    // Spring Boot's launcher is the one, what it launches the other.
    let class = value("Start-Class").or_else(|| value("Main-Class"))?.trim();
    let (package, _) = class.rsplit_once('.').unwrap_or_default();
    let parts = package.split('.').filter(|part| !part.is_empty()).take(2);
    Some(
        parts
            .flat_map(|part| [part, "/"])
            .collect::<String>()
            .into_bytes(),
    )
}

/// True for a class of the application itself.
fn is_own(class: &[u8], package: Option<&[u8]>) -> bool {
    let mut places = [&b"BOOT-INF/classes/"[..], b"WEB-INF/classes/"].into_iter();
    match package {
        _ if places.any(|place| class.starts_with(place)) => true,
        None => true,
        Some(b"") => !class.contains(&b'/'),
        Some(package) => class.starts_with(package),
    }
}

/// Whether a file is a jar that is read.
pub(crate) fn is_jar(node: Node, data: &[u8]) -> bool {
    data.starts_with(b"PK\x03\x04")
        && node.size_bytes() <= MOST_JAR_BYTES
        && [&b".jar"[..], b".war", b".ear"]
            .iter()
            .any(|end| node.name().ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::is_own;

    #[test]
    fn classes_of_the_application() {
        for (class, package, expected) in [
            ("com/shop/api/Main.class", Some("com/shop/"), true),
            ("org/h2/Driver.class", Some("com/shop/"), false),
            ("BOOT-INF/classes/other/A.class", Some("com/shop/"), true),
            ("Main.class", Some(""), true),
            ("org/h2/Driver.class", Some(""), false),
            ("org/h2/Driver.class", None, true),
        ] {
            let found = is_own(class.as_bytes(), package.map(str::as_bytes));
            assert_eq!(found, expected, "{class} {package:?}");
        }
    }
}
