//! `RECORD` of Python distributions (PEP 376) and `installed-files.txt` of
//! older ones: the rows of what is left, as they were.

use jettison_image::ImagePath;

use super::{Cut, Work};
use crate::installed::python::{first_field, relative};

pub(super) fn is_list(path: &[u8]) -> bool {
    path.ends_with(b".dist-info/RECORD") || path.ends_with(b".egg-info/installed-files.txt")
}

pub(super) fn rewrite(work: &mut Work<'_>, found: &[ImagePath]) {
    for path in found.iter().filter(|path| is_list(path.as_bytes())) {
        let Some(content) = work.content(path) else {
            continue;
        };
        let is_record = path.file_name() == b"RECORD";
        let Some(directory) = path.parent() else {
            continue;
        };
        let base = match is_record {
            true => directory.parent().unwrap_or_else(ImagePath::root),
            false => directory,
        };
        let mut cut = Cut::default();
        for line in content.split_inclusive(|&byte| byte == b'\n') {
            let bare = line.strip_suffix(b"\n").unwrap_or(line);
            let listed = match is_record {
                true => relative(&base, &first_field(bare)),
                false => relative(&base, bare.trim_ascii_end()),
            };
            cut.take(line, listed.is_some_and(|listed| work.keeps(&listed)));
        }
        work.put(path, &content, cut, "rows");
    }
}
