//! Users, groups, shadow files and login shells, as adduser, useradd,
//! shadowconfig, systemd-sysusers and update-shells write them.

use std::collections::BTreeSet;

use super::model::Model;

const PASSWD: &[u8] = b"/etc/passwd";
const GROUP: &[u8] = b"/etc/group";
const SHADOW: &[u8] = b"/etc/shadow";
const GSHADOW: &[u8] = b"/etc/gshadow";
/// Numbers that packages are given (Debian policy §9.2.2).
const SYSTEM: std::ops::RangeInclusive<u64> = 100..=999;
const NOGROUP: u64 = 65534;
/// The group that reads shadow files.
const SHADOW_GROUP: u64 = 42;

/// A user that a package wants.
#[derive(Debug, Default)]
pub(super) struct NewUser {
    pub(super) name: String,
    pub(super) uid: Option<u64>,
    /// A group of the same name.
    pub(super) own_group: bool,
    /// A group that is there, by name or number.
    pub(super) group: Option<String>,
    pub(super) gecos: String,
    pub(super) home: String,
    pub(super) shell: String,
}

/// A group that a package wants.
#[derive(Debug, Default)]
pub(super) struct NewGroup {
    pub(super) name: String,
    pub(super) gid: Option<u64>,
}

/// The number of a name, or of a number, in passwd or group.
pub(super) fn lookup(database: &[u8], name: &[u8]) -> Option<u64> {
    database.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b':');
        let (known, number) = (fields.next()?, fields.nth(1)?);
        let is = known == name || number == name;
        std::str::from_utf8(number)
            .ok()
            .filter(|_| is)?
            .parse()
            .ok()
    })
}

fn numbers(database: &[u8]) -> BTreeSet<u64> {
    let lines = database.split(|&byte| byte == b'\n');
    let numbers = lines.filter_map(|line| {
        let number = line.split(|&byte| byte == b':').nth(2)?;
        std::str::from_utf8(number).ok()?.parse().ok()
    });
    numbers.collect()
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    !name.is_empty()
        && name.len() <= 64
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

fn is_field(text: &str) -> bool {
    !text.contains([':', '\n', '\0'])
}

fn append(model: &mut Model<'_>, file: &[u8], line: &str) {
    let mut text = model.read(file).unwrap_or_default();
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text.extend_from_slice(line.as_bytes());
    text.push(b'\n');
    model.write(file, text, 0o644);
}

/// Adds a group; its number. One that is there stays as it is.
pub(super) fn add_group(model: &mut Model<'_>, group: &NewGroup) -> Option<u64> {
    if !is_name(&group.name) {
        return None;
    }
    let text = model.read(GROUP).unwrap_or_default();
    if let Some(gid) = lookup(&text, group.name.as_bytes()) {
        return Some(gid);
    }
    let taken = numbers(&text);
    let gid = match group.gid {
        Some(gid) => gid,
        None => SYSTEM.into_iter().find(|gid| !taken.contains(gid))?,
    };
    append(model, GROUP, &format!("{}:x:{gid}:", group.name));
    if model.exists(GSHADOW) {
        append(model, GSHADOW, &format!("{}:!::", group.name));
    }
    Some(gid)
}

/// Adds a user; its numbers. One that is there stays as it is.
pub(super) fn add_user(model: &mut Model<'_>, user: NewUser) -> Option<(u64, u64)> {
    if !is_name(&user.name)
        || ![&user.gecos, &user.home, &user.shell]
            .map(|text| is_field(text))
            .iter()
            .all(|is| *is)
    {
        return None;
    }
    let text = model.read(PASSWD).unwrap_or_default();
    if let Some(uid) = lookup(&text, user.name.as_bytes()) {
        return Some((uid, NOGROUP));
    }
    let mut taken = numbers(&text);
    if user.own_group {
        taken.extend(numbers(&model.read(GROUP).unwrap_or_default()));
    }
    let uid = match user.uid {
        Some(uid) => uid,
        None => SYSTEM.into_iter().find(|uid| !taken.contains(uid))?,
    };
    let gid = match &user.group {
        Some(group) => lookup(&model.read(GROUP).unwrap_or_default(), group.as_bytes())?,
        None if user.own_group => {
            let group = NewGroup {
                name: user.name.clone(),
                gid: Some(uid),
            };
            add_group(model, &group)?
        }
        None => NOGROUP,
    };
    let or = |text: &str, default: &str| match text {
        "" => default.to_owned(),
        text => text.to_owned(),
    };
    let (home, shell) = (
        or(&user.home, "/nonexistent"),
        or(&user.shell, "/usr/sbin/nologin"),
    );
    let line = format!("{}:x:{uid}:{gid}:{}:{home}:{shell}", user.name, user.gecos);
    append(model, PASSWD, &line);
    if model.exists(SHADOW) {
        append(model, SHADOW, &format!("{}:!:{}::::::", user.name, DAY));
    }
    Some((uid, gid))
}

/// Makes a user a member of a group.
pub(super) fn join(model: &mut Model<'_>, user: &str, group: &str) -> Option<()> {
    let text = model.read(GROUP)?;
    let text = String::from_utf8(text).ok()?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let prefix = format!("{group}:");
    let line = lines.iter_mut().find(|line| line.starts_with(&prefix))?;
    let (head, members) = line.rsplit_once(':')?;
    if !members.split(',').any(|member| member == user) {
        *line = match members {
            "" => format!("{head}:{user}"),
            members => format!("{head}:{members},{user}"),
        };
    }
    let text = lines.join("\n") + "\n";
    model.write(GROUP, text.into_bytes(), 0o644);
    Some(())
}

/// The day of the last change of passwords that nobody has: a fixed one, so
/// that the same packages give the same files (shadow(5) counts days; 0 would
/// ask for a new password).
const DAY: u64 = 1;

/// `shadowconfig on`: the shadow files of passwd and group.
pub(super) fn shadow(model: &mut Model<'_>) {
    for (from, to, is_user) in [(PASSWD, SHADOW, true), (GROUP, GSHADOW, false)] {
        if model.exists(to) {
            continue;
        }
        let Some(text) = model.read(from) else {
            continue;
        };
        let text = String::from_utf8_lossy(&text).into_owned();
        let (mut open, mut shadow) = (String::new(), String::new());
        for line in text.lines() {
            let mut fields: Vec<&str> = line.split(':').collect();
            if fields.len() < 4 {
                continue;
            }
            let password = match fields[1] {
                "x" | "" => "*",
                other => other,
            };
            shadow += &match is_user {
                true => format!("{}:{password}:{DAY}:0:99999:7:::\n", fields[0]),
                false => format!("{}:{password}::{}\n", fields[0], fields[3]),
            };
            fields[1] = "x";
            open += &fields.join(":");
            open.push('\n');
        }
        model.write(from, open.into_bytes(), 0o644);
        model.write(to, shadow.into_bytes(), 0o640);
        model.change(to, |made| {
            made.mode = 0o640;
            made.gid = SHADOW_GROUP;
        });
    }
}

/// The lines `u`, `g` and `m` of a sysusers.d(5) file; what was added.
pub(super) fn sysusers(model: &mut Model<'_>, text: &str) -> Option<String> {
    let mut added = Vec::new();
    for line in text.lines() {
        let words = split(line.trim());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let field = |at: usize| match words.get(at).copied() {
            None | Some("-") => String::new(),
            Some(text) => text.to_owned(),
        };
        match words.as_slice() {
            [] => {}
            [comment, ..] if comment.starts_with('#') => {}
            ["g", name, ..] => {
                let group = NewGroup {
                    name: (*name).to_owned(),
                    gid: field(2).parse().ok(),
                };
                added.push(format!("group {name} {}", add_group(model, &group)?));
            }
            ["u" | "u!", name, ..] => {
                let id = field(2);
                let (uid, group) = match id.split_once(':') {
                    Some((uid, group)) => (uid.parse().ok(), Some(group.to_owned())),
                    None => (id.parse().ok(), None),
                };
                let user = NewUser {
                    name: (*name).to_owned(),
                    uid,
                    own_group: group.is_none(),
                    group,
                    gecos: field(3),
                    home: match field(4).as_str() {
                        "" => "/".to_owned(),
                        home => home.to_owned(),
                    },
                    shell: field(5),
                };
                added.push(format!("user {name} {}", add_user(model, user)?.0));
            }
            ["m", user, group, ..] => {
                join(model, user, group)?;
                added.push(format!("user {user} is in group {group}"));
            }
            _ => return None,
        }
    }
    Some(added.join(", "))
}

/// Words apart by blanks, quoted ones whole.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            blank if blank.is_whitespace() && !is_quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

/// update-shells(8): the shells that packages register, under both names that
/// the merged `/usr` gives them.
pub(super) fn update_shells(model: &mut Model<'_>) {
    let mut text = model.read(b"/etc/shells").unwrap_or_default();
    let mut state = Vec::new();
    for file in model.below(b"/usr/share/debianutils/shells.d") {
        let lines = model.read(file.as_bytes()).unwrap_or_default();
        for line in lines.split(|&byte| byte == b'\n') {
            if line.first() != Some(&b'/') {
                continue;
            }
            let merged = [b"/usr", line].concat();
            let mut names = vec![line.to_vec()];
            if !line.starts_with(b"/usr/") && model.exists(&merged) {
                names.push(merged);
            }
            for name in names {
                let is_known = text.split(|&byte| byte == b'\n').any(|known| known == name);
                if !is_known && model.exists(&name) {
                    text.extend_from_slice(&name);
                    text.push(b'\n');
                }
                state.extend_from_slice(&name);
                state.push(b'\n');
            }
        }
    }
    model.write(b"/etc/shells", text, 0o644);
    model.write(b"/var/lib/shells.state", state, 0o644);
}
