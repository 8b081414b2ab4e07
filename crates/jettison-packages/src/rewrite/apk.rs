//! apk's database: packages that are left, with the directories (`F:`, `M:`)
//! and files (`R:`, `a:`, `Z:`) that are; and `world`, the names that were asked
//! for, so that apk does not want the others back.

use std::collections::HashSet;

use jettison_image::ImagePath;

use super::{Cut, Work};
use crate::installed::{PackageKind, apk, known};

pub(super) fn rewrite(work: &mut Work<'_>) {
    let names = work.left_of(PackageKind::Apk);
    let left: HashSet<String> = names.map(|package| package.name.clone()).collect();
    for path in apk::PATHS {
        let path = known(path);
        if let Some(content) = work.content(&path) {
            let cut = installed(work, &content, &left);
            work.put(&path, &content, cut, "packages");
        }
    }
    let path = known(apk::WORLD);
    if let Some(content) = work.content(&path) {
        let mut cut = Cut::default();
        for line in content.split_inclusive(|&byte| byte == b'\n') {
            let text = String::from_utf8_lossy(line);
            for asked in text.split_ascii_whitespace() {
                let name = asked.split(['=', '<', '>', '~', '@']).next();
                let stays = name.is_some_and(|name| left.contains(name));
                cut.take(format!("{asked}\n").as_bytes(), stays);
            }
        }
        work.put(&path, &content, cut, "names");
    }
}

fn installed(work: &Work<'_>, content: &[u8], left: &HashSet<String>) -> Cut {
    let mut cut = Cut::default();
    let mut start = 0;
    let mut at = 0;
    for line in content.split_inclusive(|&byte| byte == b'\n') {
        at += line.len();
        if line == b"\n" || at == content.len() {
            let (text, stays) = package(work, &content[start..at], left);
            // Empty lines between packages are none.
            if content[start..at].iter().any(|&byte| byte != b'\n') {
                cut.take(&text, stays);
            }
            start = at;
        }
    }
    cut
}

/// What is left of one package's lines.
fn package(work: &Work<'_>, lines: &[u8], left: &HashSet<String>) -> (Vec<u8>, bool) {
    let mut text = Vec::new();
    let mut stays = false;
    let mut directory = Directory::default();
    for line in lines.split_inclusive(|&byte| byte == b'\n') {
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        match bare {
            [b'F', b':', path @ ..] => {
                directory.end(&mut text);
                let path = ImagePath::new(path).ok();
                directory = Directory {
                    stays: path.as_ref().is_some_and(|path| work.keeps(path)),
                    path,
                    lines: line.to_vec(),
                    in_file: None,
                };
            }
            [b'R', b':', name @ ..] => {
                let path = match &directory.path {
                    Some(path) => path.join(name),
                    None => ImagePath::new(name),
                };
                let is_kept = path.is_ok_and(|path| work.keeps(&path));
                directory.in_file = Some(is_kept);
                directory.stays |= is_kept;
                directory.push(line);
            }
            [] => {
                directory.end(&mut text);
                directory = Directory::default();
                text.extend_from_slice(line);
            }
            // After `F:` what follows is of it or of its files.
            _ if !directory.lines.is_empty() => directory.push(line),
            _ => {
                if let [b'P', b':', name @ ..] = bare {
                    stays = left.contains(&*String::from_utf8_lossy(name));
                }
                text.extend_from_slice(line);
            }
        }
    }
    directory.end(&mut text);
    (text, stays)
}

#[derive(Default)]
struct Directory {
    path: Option<ImagePath>,
    lines: Vec<u8>,
    stays: bool,
    /// Whether the file that the next lines are of is kept.
    in_file: Option<bool>,
}

impl Directory {
    fn push(&mut self, line: &[u8]) {
        if self.in_file != Some(false) {
            self.lines.extend_from_slice(line);
        }
    }

    fn end(&mut self, text: &mut Vec<u8>) {
        if self.stays {
            text.append(&mut self.lines);
        }
        self.lines.clear();
    }
}
