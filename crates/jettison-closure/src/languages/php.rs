//! PHP: `include` and `require` beside the file, on the include path or below
//! the working directory; Composer's autoloader with everything it may load;
//! texts handed to a shell.

use jettison_image::{ImagePath, Node};

use super::{home, script, text};
use crate::scripts::{Reader, UNKNOWN};
use crate::{Edge, How, World};

/// PHP's own include path, as Debian, PEAR and PHP's installation set it.
const INCLUDED: &[&str] = &["usr/share/php", "usr/share/pear", "usr/local/lib/php"];

const INCLUDES: &[&str] = &["include", "include_once", "require", "require_once"];

/// Functions that run a program.
const RUN: &[&str] = &[
    "exec",
    "shell_exec",
    "system",
    "passthru",
    "proc_open",
    "popen",
    "pcntl_exec",
];

/// What a PHP file leads to.
pub fn edges(world: &World, node: Node, data: &[u8]) -> Vec<Edge> {
    script(world, node, data, read)
}

/// Reads a script, whatever it is called, or the text of `-r`.
pub(crate) fn read(reader: &mut Reader, path: Option<&ImagePath>, data: &[u8]) {
    let own = home(reader, path);
    for line in text::code(data, &["//", "#", "*", "/*"]) {
        one_line(reader, &own, line);
    }
}

fn one_line(reader: &mut Reader, own: &ImagePath, line: &[u8]) {
    let includes = INCLUDES
        .iter()
        .any(|word| memchr::memmem::find(line, word.as_bytes()).is_some());
    for quoted in text::strings(line) {
        let below = below_file(quoted.before, own);
        let mut name = text::interpolated(&quoted);
        // `'x/' . $name . '.php'`: something unknown follows.
        let after = &line[(quoted.before.len() + quoted.text.len() + 2).min(line.len())..];
        let goes_on = after.trim_ascii_start().starts_with(b".");
        if goes_on && name.ends_with(b"/") {
            name.push(UNKNOWN);
        }
        let is_run = text::ends_with_word(quoted.before, RUN);
        if let Some(base) = below {
            let path = [b"/", base.as_bytes(), b"/", &name].concat();
            one(reader, &base, &path, includes);
        } else if is_run || line.get(quoted.before.len()) == Some(&b'`') {
            text::shell_text(reader, &quoted);
        } else if includes && text::ends_with_word(quoted.before, INCLUDES) {
            included(reader, own, &name);
        } else if name.starts_with(b"/") && name.len() > 1 {
            text::path(reader, own, &name);
        } else if text::ends_with_word(
            quoted.before,
            &[
                "file_get_contents",
                "fopen",
                "parse_ini_file",
                "readfile",
                "file",
                "glob",
                "scandir",
            ],
        ) {
            let working = reader.world.working_directory.clone();
            text::path(reader, &working, &name);
            text::path(reader, own, &name);
        }
    }
    // An autoloader that computes the file of a class.
    if memchr::memmem::find(line, b"spl_autoload_register").is_some() {
        reader.family(own, "loads classes by their names");
    }
}

/// The directory that the expression in front of a string says, where it is
/// `__DIR__ .`, `dirname(__FILE__) .` or `dirname(__DIR__, 2) .`.
fn below_file(before: &[u8], own: &ImagePath) -> Option<ImagePath> {
    let before = before.trim_ascii_end().strip_suffix(b".")?.trim_ascii_end();
    let mut start = before.len();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_(), ".contains(&byte);
    while start > 0 && is_part(before[start - 1]) {
        start -= 1;
    }
    let expression = &before[start..];
    let ups = expression
        .windows(8)
        .filter(|window| window == b"dirname(")
        .count();
    let has = |part: &[u8]| memchr::memmem::find(expression, part).is_some();
    let (mut levels, found) = match (has(b"__DIR__"), has(b"__FILE__")) {
        (true, _) => (ups, true),
        (_, true) => (ups.saturating_sub(1), true),
        _ => (0, false),
    };
    if !found {
        return None;
    }
    if ups == 1
        && let Some(comma) = expression.iter().position(|&byte| byte == b',')
    {
        let digits = String::from_utf8_lossy(&expression[comma + 1..]);
        let count: usize = digits
            .trim()
            .trim_end_matches(')')
            .trim()
            .parse()
            .unwrap_or(1);
        levels += count.min(64).saturating_sub(1);
    }
    let mut at = own.clone();
    for _ in 0..levels {
        at = at.parent().unwrap_or_else(ImagePath::root);
    }
    Some(at)
}

fn one(reader: &mut Reader, base: &ImagePath, path: &[u8], includes: bool) {
    let Some(found) = reader
        .existing(path)
        .filter(|found| reader.world.file(found).is_some())
    else {
        text::path(reader, base, path);
        return;
    };
    if includes {
        reader.add(found.clone(), How::Imports, "includes the file");
    } else {
        reader.add(found.clone(), How::Names, "names the path");
    }
    composer(reader, &found);
}

fn included(reader: &mut Reader, own: &ImagePath, name: &[u8]) {
    let mut bases = vec![own.clone(), reader.world.working_directory.clone()];
    for pattern in INCLUDED {
        bases.extend_from_slice(&text::expand(&reader.world, pattern));
    }
    for base in bases {
        let path = if name.starts_with(b"/") {
            name.to_vec()
        } else {
            [b"/", base.as_bytes(), b"/", name].concat()
        };
        if let Some(found) = reader.existing(&path)
            && reader.world.file(&found).is_some()
        {
            reader.add(found.clone(), How::Imports, "includes the file");
            composer(reader, &found);
            return;
        }
    }
    text::path(reader, own, name);
}

/// `vendor/autoload.php` loads any class below `vendor` and those that
/// `composer.json` places elsewhere.
fn composer(reader: &mut Reader, found: &ImagePath) {
    if found.file_name() != b"autoload.php" {
        return;
    }
    let Some(vendor) = found.parent() else {
        return;
    };
    if !vendor
        .join("composer")
        .is_ok_and(|path| text::is_directory(&reader.world, &path))
    {
        return;
    }
    reader.family(&vendor, "loads classes by their names");
    let Some(project) = vendor.parent() else {
        return;
    };
    let Some(node) = project
        .join("composer.json")
        .ok()
        .and_then(|path| reader.world.file(&path))
    else {
        return;
    };
    let data = reader.content(node);
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(&data) else {
        return;
    };
    let autoload = value
        .get("autoload")
        .and_then(|autoload| autoload.as_object());
    let mut places = Vec::new();
    for rule in autoload.into_iter().flat_map(|rules| rules.values()) {
        let values: Vec<&serde_json::Value> = match rule {
            serde_json::Value::Object(map) => map.values().collect(),
            serde_json::Value::Array(list) => list.iter().collect(),
            _ => Vec::new(),
        };
        for value in values {
            match value {
                serde_json::Value::String(place) => places.push(place.clone()),
                serde_json::Value::Array(list) => {
                    places.extend(
                        list.iter()
                            .filter_map(|place| place.as_str())
                            .map(str::to_owned),
                    );
                }
                _ => {}
            }
        }
    }
    for place in places.into_iter().take(256) {
        let path = [b"/", project.as_bytes(), b"/", place.as_bytes()].concat();
        if let Some(found) = reader.existing(&path) {
            if text::is_directory(&reader.world, &found) {
                reader.family(&found, "holds classes that are loaded by their names");
            } else {
                reader.add(found, How::Imports, "is loaded with the classes");
            }
        }
    }
}
