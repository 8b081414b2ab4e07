//! Files that say which programs a supervisor runs: supervisord's ini files,
//! runit and s6 service directories, cron tables, Procfiles.

use jettison_image::{Follow, ImagePath};

use super::reader::Reader;
use super::{command, shell};
use crate::How;

/// Services that one directory may hold.
const MOST_SERVICES: usize = 256;

/// Where cron finds its tables.
const CRON: &[&str] = &["/etc/crontab", "/etc/cron.d", "/var/spool/cron"];

/// Where supervisord looks when it is given no file.
const SUPERVISORD: &[&str] = &[
    "supervisord.conf",
    "etc/supervisord.conf",
    "/etc/supervisord.conf",
    "/etc/supervisor/supervisord.conf",
];

pub(super) fn arguments(reader: &mut Reader, stem: &[u8], arguments: &[Vec<u8>]) {
    match stem {
        b"supervisord" => {
            let given = arguments.iter().enumerate().find_map(|(at, word)| {
                let long = word.strip_prefix(b"--configuration=");
                let next =
                    matches!(&word[..], b"-c" | b"--configuration").then(|| arguments.get(at + 1));
                long.map(<[u8]>::to_vec).or_else(|| next.flatten().cloned())
            });
            let mut default = || {
                SUPERVISORD
                    .iter()
                    .find(|path| reader.existing(path.as_bytes()).is_some())
            };
            let file = match given {
                Some(file) => Some(file),
                None => default().map(|path| path.as_bytes().to_vec()),
            };
            if let Some(file) = file {
                supervisord(reader, &file, 0);
            }
        }
        b"runsvdir" | b"s6-svscan" | b"svscan" => {
            for directory in arguments {
                services(reader, directory);
            }
        }
        b"runsv" | b"s6-supervise" | b"supervise" => {
            for directory in arguments {
                service(reader, directory);
            }
        }
        b"init" if reader.existing(b"/etc/s6-overlay").is_some() => {
            for directory in [
                "/etc/s6-overlay",
                "/etc/services.d",
                "/etc/cont-init.d",
                "/etc/cont-finish.d",
            ] {
                services(reader, directory.as_bytes());
            }
        }
        b"cron" | b"crond" | b"dcron" | b"fcron" => {
            for table in CRON {
                cron(reader, table.as_bytes());
            }
            for directory in ["hourly", "daily", "weekly", "monthly"] {
                command::directory_of_programs(reader, format!("/etc/cron.{directory}").as_bytes());
            }
        }
        b"supercronic" => {
            for table in arguments {
                cron(reader, table);
            }
        }
        b"foreman" | b"honcho" | b"hivemind" | b"overmind" => procfile(reader),
        _ => {}
    }
}

/// One of supervisord's files, and those that it includes.
fn supervisord(reader: &mut Reader, file: &[u8], depth: usize) {
    let Some(path) = reader.name(file) else {
        return;
    };
    let Some(node) = reader.world.file(&path) else {
        return;
    };
    let data = reader.content(node);
    let mut section = Vec::new();
    for (name, value) in ini(&data, &mut section) {
        match (&name.0[..], &name.1[..]) {
            (b"include", b"files") => {
                for pattern in value
                    .split(u8::is_ascii_whitespace)
                    .filter(|word| !word.is_empty())
                {
                    let directory = path.parent().unwrap_or_else(ImagePath::root);
                    for file in matching(reader, &directory, pattern) {
                        if depth < 4 {
                            supervisord(reader, &file, depth + 1);
                        }
                    }
                }
            }
            (_, b"command" | b"serverurl" | b"environment") => {
                // supervisord splits like a shell but has none; `%(ENV_X)s` is its own.
                let value = expanded(reader, &value);
                if name.1 == b"command" {
                    reader.nested(|reader| shell::text(reader, &value));
                } else {
                    command::files(reader, &value);
                }
            }
            _ => {
                let value = expanded(reader, &value);
                command::files(reader, &value);
            }
        }
    }
}

type Key = (Vec<u8>, Vec<u8>);

/// Section, key and value of every line; indented lines continue a value.
fn ini(data: &[u8], section: &mut Vec<u8>) -> Vec<(Key, Vec<u8>)> {
    let mut out: Vec<(Key, Vec<u8>)> = Vec::new();
    for line in data.split(|&byte| byte == b'\n') {
        let trimmed = line.trim_ascii();
        if trimmed.is_empty() || matches!(trimmed[0], b';' | b'#') {
            continue;
        }
        let is_indented = matches!(line.first(), Some(b' ' | b'\t'));
        if let Some(name) = trimmed
            .strip_prefix(b"[")
            .and_then(|rest| rest.strip_suffix(b"]"))
        {
            *section = name.trim_ascii().to_vec();
        } else if let (true, Some((_, value))) = (is_indented, out.last_mut()) {
            value.push(b' ');
            value.extend_from_slice(trimmed);
        } else if let Some(at) = trimmed.iter().position(|byte| matches!(byte, b'=' | b':')) {
            let key = trimmed[..at].trim_ascii().to_ascii_lowercase();
            let value = trimmed[at + 1..].trim_ascii();
            // A comment begins with a blank and a semicolon.
            let end = memchr::memmem::find(value, b" ;").unwrap_or(value.len());
            out.push(((section.clone(), key), value[..end].to_vec()));
        }
    }
    out
}

/// `%(ENV_NAME)s` and `%%`; what is not known becomes nothing.
fn expanded(reader: &Reader, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = memchr::memchr(b'%', rest) {
        out.extend_from_slice(&rest[..at]);
        let after = &rest[at + 1..];
        let close = memchr::memmem::find(after, b")s");
        if let (Some(b'('), Some(close)) = (after.first(), close) {
            let name = std::str::from_utf8(&after[1..close]).unwrap_or_default();
            let name = name.strip_prefix("ENV_").unwrap_or_default();
            if let Some(value) = reader.world.environment.get(name) {
                out.extend_from_slice(value.as_bytes());
            }
            rest = &after[close + 2..];
        } else {
            out.push(b'%');
            rest = after.strip_prefix(b"%").unwrap_or(after);
        }
    }
    out.extend_from_slice(rest);
    out
}

/// The files that a pattern in the last component stands for.
fn matching(reader: &mut Reader, base: &ImagePath, pattern: &[u8]) -> Vec<Vec<u8>> {
    let absolute = if pattern.starts_with(b"/") {
        pattern.to_vec()
    } else {
        [b"/", base.as_bytes(), b"/", pattern].concat()
    };
    let at = absolute.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
    let (directory, name) = (&absolute[..at], &absolute[at + 1..]);
    if !super::pattern::is_pattern(name) {
        return vec![absolute];
    }
    let Ok(node) = reader.world.tree.resolve(directory, Follow::All) else {
        return Vec::new();
    };
    reader.matching(&absolute);
    let fitting = node
        .children()
        .filter(|child| super::pattern::fits(name, child.name()));
    fitting
        .take(MOST_SERVICES)
        .map(|child| [directory, b"/", child.name()].concat())
        .collect()
}

/// A directory of service directories.
fn services(reader: &mut Reader, directory: &[u8]) {
    let Some(path) = reader.existing(directory) else {
        return;
    };
    let Ok(node) = reader.world.tree.resolve(&path, Follow::All) else {
        return;
    };
    if !node.is_directory() {
        return;
    }
    reader.add(path, How::Family, "keeps its services there");
    for (seen, file) in node.subtree().enumerate() {
        if seen > MOST_SERVICES * 16 {
            break;
        }
        if matches!(file.name(), b"run" | b"finish" | b"up" | b"down" | b"check")
            || file.mode() & 0o111 != 0
        {
            runs(reader, file.path());
        }
    }
}

fn service(reader: &mut Reader, directory: &[u8]) {
    for name in [&b"run"[..], b"finish", b"check", b"log/run", b"log/finish"] {
        let path = [directory, b"/", name].concat();
        if let Some(path) = reader.existing(&path) {
            runs(reader, path);
        }
    }
}

fn runs(reader: &mut Reader, path: ImagePath) {
    if reader.world.file(&path).is_some() {
        reader.add(path, How::Runs, "runs a service");
    }
}

/// A table of cron, or a directory of them.
fn cron(reader: &mut Reader, table: &[u8]) {
    let Some(path) = reader.name(table) else {
        return;
    };
    let Ok(node) = reader.world.tree.resolve(&path, Follow::All) else {
        return;
    };
    for file in node
        .subtree()
        .filter(|node| node.is_file())
        .take(MOST_SERVICES)
    {
        reader.add(file.path(), How::Names, "is a table of cron");
        let data = reader.content(file);
        let mut found = Vec::new();
        for line in data.split(|&byte| byte == b'\n') {
            let line = line.trim_ascii();
            let is_entry = line
                .first()
                .is_some_and(|&byte| byte.is_ascii_digit() || b"*@".contains(&byte));
            if is_entry {
                found.push(line.to_vec());
            }
        }
        for line in found.into_iter().take(MOST_SERVICES) {
            let fields = if line.starts_with(b"@") { 1 } else { 5 };
            let command = after_fields(&line, fields);
            reader.nested(|reader| shell::text(reader, command));
            // System tables have a user in front of the command.
            let command = after_fields(command, 1);
            reader.nested(|reader| shell::text(reader, command));
        }
        reader.run(b"sh");
    }
}

fn after_fields(line: &[u8], fields: usize) -> &[u8] {
    let mut rest = line;
    for _ in 0..fields {
        let end = rest
            .iter()
            .position(u8::is_ascii_whitespace)
            .unwrap_or(rest.len());
        rest = rest[end..].trim_ascii_start();
    }
    rest
}

/// `web: command`.
fn procfile(reader: &mut Reader) {
    let Some(path) = reader.name(b"Procfile") else {
        return;
    };
    let Some(node) = reader.world.file(&path) else {
        return;
    };
    let data = reader.content(node);
    for line in data.split(|&byte| byte == b'\n').take(MOST_SERVICES) {
        if let Some(colon) = memchr::memchr(b':', line) {
            reader.nested(|reader| shell::text(reader, &line[colon + 1..]));
        }
    }
    reader.run(b"sh");
}
