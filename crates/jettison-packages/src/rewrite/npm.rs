//! npm's hidden lock, `node_modules/.package-lock.json`: the packages that are
//! left. What npm reads it for, and scanners too, is which packages there are.

use jettison_image::ImagePath;
use serde_json::Value;

use super::{Cut, Work};

pub(super) fn is_lock(path: &[u8]) -> bool {
    crate::installed::node::is_lock(path)
}

pub(super) fn rewrite(work: &mut Work<'_>, found: &[ImagePath]) {
    for path in found.iter().filter(|path| is_lock(path.as_bytes())) {
        let Some(content) = work.content(path) else {
            continue;
        };
        // The directory that holds `node_modules`; entries are named from it.
        let Some(base) = path.parent().and_then(|directory| directory.parent()) else {
            continue;
        };
        match cut(work, &content, &base) {
            Some(cut) => work.put(path, &content, cut, "packages"),
            None => work.note(path, "is kept as it is: it is not npm's hidden lock"),
        }
    }
}

fn cut(work: &Work<'_>, content: &[u8], base: &ImagePath) -> Option<Cut> {
    let mut lock: Value = serde_json::from_slice(content).ok()?;
    let packages = lock.get_mut("packages")?.as_object_mut()?;
    let all = packages.len();
    packages.retain(|name, _| {
        let Ok(directory) = base.join(name) else {
            return false;
        };
        // An entry may be a link to a workspace.
        work.keeps(&directory)
            || directory
                .join("package.json")
                .is_ok_and(|json| work.keeps(&json))
    });
    let left = packages.len();
    if left == all {
        let text = content.to_vec();
        return Some(Cut { text, left, all });
    }
    let mut text = serde_json::to_vec_pretty(&lock).ok()?;
    if content.ends_with(b"\n") {
        text.push(b'\n');
    }
    Some(Cut { text, left, all })
}
