//! Text that is no program and names files: configuration in any format. What
//! lists files for another purpose (package databases, documentation) is not
//! read. A name in quotes may also be a neighbour's: `href="row.xsl"`.

use jettison_image::{ImagePath, Node};

use super::{Reader, paths};
use crate::languages::text;
use crate::{Edge, World};

/// A configuration is not larger.
const MOST_BYTES: u64 = 1 << 20;

/// Endings of names whose text may be configuration.
const EXTENSIONS: &[&str] = &[
    "cfg",
    "cnf",
    "conf",
    "config",
    "cron",
    "dtd",
    "edn",
    "env",
    "gp",
    "gpi",
    "hcl",
    "ini",
    "json",
    "json5",
    "list",
    "load",
    "local",
    "plist",
    "properties",
    "rng",
    "rules",
    "service",
    "settings",
    "socket",
    "sql",
    "target",
    "timer",
    "toml",
    "vcl",
    "xml",
    "xsd",
    "xsl",
    "xslt",
    "yaml",
    "yml",
];

/// Endings of names whose text names neighbours without a directory.
const WITH_NEIGHBOURS: [&str; 11] = [
    "cfg", "conf", "dtd", "gp", "gpi", "ini", "rng", "sql", "xml", "xsd", "xsl",
];

/// What is below these lists files without needing them.
const NOT: &[&str] = &[
    "var/lib/dpkg/",
    "var/lib/apt/",
    "var/lib/rpm/",
    "var/cache/",
    "var/log/",
    "lib/apk/",
    "usr/lib/apk/",
    "usr/share/doc/",
    "usr/share/man/",
    "usr/share/info/",
    "usr/share/lintian/",
    "usr/share/bug/",
    "usr/share/menu/",
    "etc/apt/",
    "etc/dpkg/",
    "usr/share/doc-base/",
    "etc/passwd",
    "etc/shadow",
    "etc/group",
    "etc/gshadow",
    "etc/shells",
    "etc/subuid",
    "proc/",
    "sys/",
];

pub(super) fn edges(world: &World, node: Node, data: &[u8]) -> Vec<Edge> {
    let mut reader = Reader::of(world, node);
    let own = node.path().parent().unwrap_or_else(ImagePath::root);
    let extension = extension(node.name());
    let has_neighbours = WITH_NEIGHBOURS
        .iter()
        .any(|known| known.as_bytes() == extension);
    if is_data(node, data) {
        for line in data.split(|&byte| byte == b'\n') {
            if !is_comment(line) {
                paths::names(&mut reader, line);
                if has_neighbours {
                    neighbours(&mut reader, &own, line);
                }
            }
        }
    }
    reader.into_edges()
}

/// Files that are named from the directory of the one that names them.
fn neighbours(reader: &mut Reader, own: &ImagePath, line: &[u8]) {
    for quoted in text::strings(line) {
        let is_name = |byte: &u8| byte.is_ascii_graphic() && *byte != b'*';
        let is_relative = !quoted.text.starts_with(b"/") && quoted.text.contains(&b'.');
        if is_relative && quoted.text.iter().all(is_name) {
            text::file_below(reader, own, quoted.text);
        }
    }
}

/// Whether a file is text that may name others.
pub(super) fn is_data(node: Node, data: &[u8]) -> bool {
    if node.size_bytes() > MOST_BYTES || data.contains(&0) {
        return false;
    }
    let path = node.path();
    let path = path.as_bytes();
    if NOT.iter().any(|not| path.starts_with(not.as_bytes())) {
        return false;
    }
    let name = node.name();
    match std::str::from_utf8(extension(name)) {
        Ok(extension) if EXTENSIONS.binary_search(&extension).is_ok() => true,
        // `etc/default/name`, `etc/ld.so.conf.d`, `.env`.
        _ => path.starts_with(b"etc/") || name.starts_with(b".env"),
    }
}

/// What follows the last dot of a name; nothing where there is none.
fn extension(name: &[u8]) -> &[u8] {
    let at = name.iter().rposition(|&byte| byte == b'.');
    at.map_or(&[], |at| &name[at + 1..])
}

/// Comments name what is not set.
fn is_comment(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    line.starts_with(b"#") || line.starts_with(b";") || line.starts_with(b"//")
}

#[cfg(test)]
mod tests {
    use crate::scripts::testing::Image;

    #[test]
    fn lists_are_in_order() {
        assert!(super::EXTENSIONS.is_sorted());
    }

    #[test]
    fn configuration_names_files() {
        let image = Image::new(&[
            (
                "etc/app/app.yaml",
                "cert: /etc/app/cert.pem\n# old: /etc/app/old.pem\ndb: sqlite:////srv/x.db, /srv/none",
            ),
            ("etc/app/cert.pem", ""),
            ("etc/app/old.pem", ""),
            ("srv/x.db", ""),
            (
                "srv/xsl/books.xsl",
                "<xsl:include href=\"row.xsl\"/><a href='../none.xsl'/> \"1.0\"",
            ),
            ("srv/xsl/row.xsl", ""),
            ("etc/passwd", "root:x:0:0:root:/root:/bin/sh"),
            ("bin/sh", "\x7fELF"),
        ]);
        image.check(
            "etc/app/app.yaml",
            "Names /etc/app/cert.pem\nNames /srv/x.db",
        );
        image.check("srv/xsl/books.xsl", "Names /srv/xsl/row.xsl");
        image.check("etc/passwd", "");
    }
}
