//! Commands of scripts that make, move and change files.

use super::{Run, Status};
use crate::system::accounts;
use crate::system::model::{Found, Permissions};

impl Run<'_, '_> {
    /// Carries out a command on files; none where it is no such command, or
    /// not one whose words are known.
    pub(super) fn file_command(&mut self, words: &[Vec<u8>]) -> Option<Status> {
        let name = words.first()?.as_slice();
        let (options, names): (Vec<&[u8]>, Vec<&[u8]>) = words
            .iter()
            .skip(1)
            .map(Vec::as_slice)
            .filter(|word| *word != b"--")
            .partition(|word| word.first() == Some(&b'-') && word.len() > 1);
        let has = |letter: u8| {
            options
                .iter()
                .any(|option| option.get(1) != Some(&b'-') && option[1..].contains(&letter))
        };
        // From which directory a name counts is not followed.
        let is_relative = |name: &&[u8]| !name.starts_with(b"/");
        let changed = match name {
            // Its options have words of their own, and a rule too.
            b"install" if has(b'd') => &[],
            b"mkdir" | b"touch" | b"cp" | b"mv" | b"install" | b"rm" | b"rmdir" => &names[..],
            b"chmod" | b"chown" | b"chgrp" | b"ln" => names.get(1..).unwrap_or_default(),
            _ => &[],
        };
        let is_mode_first = matches!(name, b"mkdir" | b"install") && has(b'm');
        if changed
            .iter()
            .skip(usize::from(is_mode_first))
            .any(is_relative)
        {
            return None;
        }
        match name {
            b"mkdir" => {
                let mut names = names.as_slice();
                let mut mode = 0o755;
                if has(b'm') {
                    mode = octal(names.first()?)?;
                    names = &names[1..];
                }
                for name in names {
                    if !self.model.make_directory(name, mode) {
                        return None;
                    }
                }
            }
            // Times of links are nobody's concern.
            b"touch" if has_word(&options, b"--reference") => {}
            b"touch" if options.is_empty() => {
                for name in names {
                    if !self.model.exists(name) {
                        self.model.write(name, Vec::new(), 0o644);
                    }
                }
            }
            // A mode of another file, or of all that lies below.
            b"chmod" if has(b'R') || options.iter().any(|one| one.starts_with(b"--")) => {
                return None;
            }
            b"chmod" => {
                let (mode, names) = names.split_first()?;
                let mode = octal(mode);
                for name in names {
                    let mode = mode?;
                    if self.model.exists(name) && !self.model.change(name, |made| made.mode = mode)
                    {
                        return None;
                    }
                }
            }
            b"chown" | b"chgrp" => {
                if has(b'R') {
                    return None;
                }
                let (owner, names) = names.split_first()?;
                let (uid, gid) = self.owner(owner, name == b"chgrp")?;
                for name in names {
                    let change = |made: &mut Permissions| {
                        made.uid = uid.unwrap_or(made.uid);
                        made.gid = gid.unwrap_or(made.gid);
                    };
                    if self.model.exists(name) && !self.model.change(name, change) {
                        return None;
                    }
                }
            }
            b"ln" if has(b's') => {
                let [target, place] = names.as_slice() else {
                    return None;
                };
                let mut place = place.to_vec();
                if self.model.find(&place) == Some(Found::Directory) && !has(b'n') && !has(b'T') {
                    let end = target.iter().rposition(|byte| *byte == b'/');
                    let last = &target[end.map_or(0, |at| at + 1)..];
                    place = [&place, b"/".as_slice(), last].concat();
                }
                if self.model.find_link(&place).is_some() {
                    if !has(b'f') {
                        return Some(Status::No);
                    }
                    self.model.remove(&place);
                }
                self.model.link(&place, target);
            }
            b"cp" | b"install" if !has(b'r') && !has(b'R') && !has(b'a') => {
                let mut names = names;
                let mut mode = 0o644;
                if name == b"install" {
                    if has(b'd') {
                        return self.make_directories(words);
                    }
                    if !options.is_empty() && options.iter().any(|option| *option != b"-m") {
                        return None;
                    }
                    mode = 0o755;
                    if has(b'm') {
                        mode = octal(names.first()?)?;
                        names.remove(0);
                    }
                }
                let [from, to] = names.as_slice() else {
                    return None;
                };
                let Some(Found::File(own)) = self.model.find(from) else {
                    return Some(Status::No);
                };
                let content = self.model.read(from)?;
                let to = match self.model.find(to) {
                    Some(Found::Directory) => {
                        let end = from.iter().rposition(|byte| *byte == b'/');
                        [to, &from[end.unwrap_or(0)..]].concat()
                    }
                    _ => to.to_vec(),
                };
                if name == b"cp" && has(b'n') && self.model.exists(&to) {
                    return Some(Status::Yes);
                }
                let mode = if name == b"cp" { own } else { mode };
                self.model.write(&to, content, mode);
            }
            b"mv" => {
                let [from, to] = names.as_slice() else {
                    return None;
                };
                let into = self.model.find(to) == Some(Found::Directory);
                let last = from.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                let to = &match into {
                    true => [to, &from[last..]].concat(),
                    false => to.to_vec(),
                };
                match self.model.find_link(from) {
                    None => return Some(Status::No),
                    Some(Found::Symlink(target)) => {
                        self.model.remove(from);
                        self.model.remove(to);
                        self.model.link(to, &target);
                    }
                    Some(Found::File(mode)) => {
                        let content = self.model.read(from)?;
                        self.model.remove(from);
                        self.model.remove(to);
                        self.model.write(to, content, mode);
                    }
                    Some(_) => return None,
                }
            }
            b"rm" if !has(b'r') && !has(b'R') => {
                for name in names {
                    if self.model.find_link(name) == Some(Found::Directory) {
                        return Some(Status::No);
                    }
                    self.model.remove(name);
                }
            }
            b"rmdir" => {
                for name in names {
                    let is_directory = self.model.find_link(name) == Some(Found::Directory);
                    if !is_directory || !self.model.below(name).is_empty() {
                        return Some(Status::No);
                    }
                    self.model.remove(name);
                }
            }
            // What is not there needs no removal.
            b"rm" => {
                if names
                    .iter()
                    .any(|name| self.model.find_link(name).is_some())
                {
                    return None;
                }
            }
            _ => return None,
        }
        Some(Status::Yes)
    }

    /// `install -d`, with its options.
    fn make_directories(&mut self, words: &[Vec<u8>]) -> Option<Status> {
        let (mut mode, mut owner, mut group) = (0o755, None, None);
        let mut names = Vec::new();
        let mut rest = words.iter().skip(1);
        while let Some(word) = rest.next() {
            match word.as_slice() {
                b"-d" | b"-v" | b"-p" => {}
                b"-m" => mode = octal(rest.next()?)?,
                b"-o" => owner = Some(rest.next()?),
                b"-g" => group = Some(rest.next()?),
                other if other.first() == Some(&b'-') => return None,
                other => names.push(other),
            }
        }
        let uid = match owner {
            Some(owner) => self.owner(owner, false)?.0,
            None => None,
        };
        let gid = match group {
            Some(group) => self.owner(group, true)?.1,
            None => None,
        };
        for name in names {
            let made = self.model.make_directory(name, mode)
                && self.model.change(name, |made| {
                    made.mode = mode;
                    made.uid = uid.unwrap_or(0);
                    made.gid = gid.unwrap_or(0);
                });
            if !made {
                return None;
            }
        }
        Some(Status::Yes)
    }

    /// `USER[:GROUP]`, by name or number.
    pub(super) fn owner(&self, text: &[u8], is_group: bool) -> Option<(Option<u64>, Option<u64>)> {
        let find = |file: &str, name: &[u8]| {
            if let Ok(number) = String::from_utf8_lossy(name).parse() {
                return Some(number);
            }
            accounts::lookup(&self.model.read(file.as_bytes())?, name)
        };
        if is_group {
            return Some((None, Some(find("/etc/group", text)?)));
        }
        let at = text.iter().position(|byte| b":.".contains(byte));
        let (user, group) = match at {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        let uid = match user {
            b"" => None,
            user => Some(find("/etc/passwd", user)?),
        };
        let gid = match group {
            None | Some(b"") => None,
            Some(group) => Some(find("/etc/group", group)?),
        };
        Some((uid, gid))
    }
}

fn has_word(options: &[&[u8]], word: &[u8]) -> bool {
    options.iter().any(|option| option.starts_with(word))
}

/// A mode in octal digits; `0755` and its like.
pub(super) fn octal(text: &[u8]) -> Option<u32> {
    let mode = u32::from_str_radix(std::str::from_utf8(text).ok()?, 8).ok()?;
    (mode <= 0o7777).then_some(mode)
}
