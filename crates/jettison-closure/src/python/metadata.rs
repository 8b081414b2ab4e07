//! What programs ask about installed distributions: `*.dist-info` and the
//! entry points that it lists.

use jettison_image::{Follow, ImagePath, Node};

use super::interpreter::Interpreter;
use super::modules::{self, Resolver};
use crate::How;
use crate::scripts::Reader;

/// Distributions that are looked at.
const MOST: usize = 2000;

/// All distributions, for a program that goes through them; with a group, the
/// modules that are listed under it.
pub(super) fn all(reader: &mut Reader, interpreter: &Interpreter, group: Option<&str>) {
    for (path, node) in directories(reader, interpreter) {
        reader.add(path, How::Family, "lists the installed distributions");
        if let (Some(group), Some(list)) = (group, node.child(b"entry_points.txt")) {
            let data = reader.content(list);
            entry_points(reader, interpreter, &data, group);
        }
    }
}

/// The metadata of one distribution.
pub(super) fn one(reader: &mut Reader, interpreter: &Interpreter, name: &str) {
    let wanted = plain(name.as_bytes());
    for (path, _) in directories(reader, interpreter) {
        let directory = path.file_name();
        let end = directory.iter().position(|&byte| byte == b'-').unwrap_or(0);
        if plain(&directory[..end]) == wanted {
            let name = jettison_image::escape(name);
            reader.add(
                path,
                How::Family,
                format!("asks about the distribution {name}"),
            );
        }
    }
}

fn directories<'w>(reader: &Reader<'w>, interpreter: &Interpreter) -> Vec<(ImagePath, Node<'w>)> {
    let mut out = Vec::new();
    for site in &interpreter.sites {
        let Ok(node) = reader.world.tree.resolve(site, Follow::All) else {
            continue;
        };
        let is_metadata = |child: &Node| {
            let name = child.name();
            name.ends_with(b".dist-info") || name.ends_with(b".egg-info")
        };
        for child in node.children().filter(is_metadata) {
            if out.len() < MOST
                && let Ok(path) = site.join(child.name())
            {
                out.push((path, child));
            }
        }
    }
    out
}

fn entry_points(reader: &mut Reader, interpreter: &Interpreter, data: &[u8], group: &str) {
    let text = String::from_utf8_lossy(data);
    let mut inside = false;
    for line in text.lines().map(str::trim).take(10_000) {
        if let Some(section) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            inside = section.trim() == group;
        } else if let (true, Some((_, target))) = (inside, line.split_once('=')) {
            let module = target
                .trim()
                .split([':', ' ', '['])
                .next()
                .unwrap_or_default();
            let files = Resolver::new(reader.world, interpreter).files(module);
            for file in files {
                modules::import(reader, file, module);
            }
        }
    }
}

/// PEP 503 names, for comparing.
fn plain(name: &[u8]) -> Vec<u8> {
    let lower = name.iter().map(|byte| match byte {
        b'-' | b'.' => b'_',
        byte => byte.to_ascii_lowercase(),
    });
    lower.collect()
}
