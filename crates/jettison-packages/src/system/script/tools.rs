//! Simple commands: builtins of the shell, and Debian's own tools.

use jettison_dockerfile::shell::{Assignment, Command, ShellWord};

use super::files::octal;
use super::{Flow, Run, Status, Text};
use crate::system::accounts::{self, NewGroup, NewUser};
use crate::system::alternatives;
use crate::system::diversions;

/// Commands without which the system is the same: they speak to a person or to
/// services that do not run, or a rule of its own does what they do.
pub(super) fn changes_nothing(name: &[u8]) -> bool {
    const NAMES: [&str; 50] = [
        ":",
        "true",
        "false",
        "echo",
        "printf",
        "set",
        "exit",
        "return",
        "local",
        "export",
        "unset",
        "shift",
        "trap",
        "read",
        "cd",
        "umask",
        "test",
        "[",
        ".",
        "eval",
        "exec",
        "command",
        "which",
        "grep",
        "sed",
        "cat",
        "cmp",
        "ischroot",
        "dpkg",
        "dpkg-query",
        "dpkg-maintscript-helper",
        "dpkg-trigger",
        "deb-systemd-invoke",
        "invoke-rc.d",
        "service",
        "systemctl",
        "deb-systemd-helper",
        "ldconfig",
        "update-ca-certificates",
        "update-menus",
        "update-mime",
        "setcap",
        "break",
        "continue",
        "type",
        "warning",
        "setup_colors",
        "restorecon",
        "getent",
        "sync",
    ];
    std::str::from_utf8(name).is_ok_and(|name| NAMES.contains(&name) || name.starts_with("db_"))
}

/// Commands that take away what earlier versions left: a fresh system has
/// nothing of that kind.
pub(super) fn tidies_up(name: &[u8]) -> bool {
    [b"rm".as_slice(), b"rmdir"].contains(&name)
}

impl<'a> Run<'a, '_> {
    /// Whether a command adds a user or group that is there.
    pub(super) fn is_known_account(&mut self, name: &[u8], words: &'a [ShellWord]) -> bool {
        let file: &[u8] = match name {
            b"groupadd" | b"addgroup" => b"/etc/group",
            b"useradd" | b"adduser" => b"/etc/passwd",
            _ => return false,
        };
        let last = words.last().and_then(|word| self.text(word));
        let known = self.model.read(file).unwrap_or_default();
        last.is_some_and(|last| accounts::lookup(&known, &last).is_some())
    }

    pub(super) fn simple(
        &mut self,
        command: &'a Command,
        assignments: &'a [Assignment],
        words: &'a [ShellWord],
    ) -> Flow {
        if words.is_empty() {
            for assignment in assignments {
                let value = match (assignment.append, &assignment.array) {
                    (false, None) => self.text(&assignment.value),
                    _ => None,
                };
                let name = self.bytes(&assignment.name).to_vec();
                self.variables.insert(name, value);
            }
            return Flow::On(Status::Yes);
        }
        let Some(name) = self.text(&words[0]) else {
            self.doubt(command);
            return Flow::On(Status::Unknown);
        };
        if let Some(body) = self.functions.get(&name).copied() {
            let arguments = self.arguments_of(words);
            return self.call(body, arguments);
        }
        match name.as_slice() {
            b"[" | b"test" => {
                let mut texts: Vec<Text> = words[1..].iter().map(|word| self.text(word)).collect();
                if name == b"[" {
                    texts.pop();
                }
                return Flow::On(self.judge(&texts));
            }
            b"exit" => return Flow::Exit,
            b"return" => {
                let status = match words.get(1).map(|word| self.text(word)) {
                    None => Status::Yes,
                    Some(Some(code)) => (code == b"0").into(),
                    Some(None) => Status::Unknown,
                };
                return Flow::Return(status);
            }
            b"local" | b"export" | b"readonly" => {
                for word in &words[1..] {
                    let Some(text) = self.text(word) else {
                        let text = self.bytes(&word.range);
                        let end = text.iter().position(|byte| *byte == b'=');
                        let name = text[..end.unwrap_or(text.len())].to_vec();
                        self.variables.insert(name, None);
                        continue;
                    };
                    if let Some(at) = text.iter().position(|byte| *byte == b'=') {
                        let value = text[at + 1..].to_vec();
                        self.variables.insert(text[..at].to_vec(), Some(value));
                    }
                }
                return Flow::On(Status::Yes);
            }
            b"shift" => {
                let count = match words.get(1).map(|word| self.text(word)) {
                    None => Some(1),
                    Some(text) => text.and_then(|text| String::from_utf8(text).ok()?.parse().ok()),
                };
                let last = self.arguments.len();
                match count {
                    Some(count) => {
                        let end = last.min(1_usize.saturating_add(count));
                        self.arguments.drain(last.min(1)..end);
                    }
                    None => self
                        .arguments
                        .iter_mut()
                        .skip(1)
                        .for_each(|one| *one = None),
                }
                return Flow::On(Status::Yes);
            }
            b"unset" => {
                for word in &words[1..] {
                    if let Some(name) = self.text(word) {
                        self.variables.insert(name, Some(Vec::new()));
                    }
                }
                return Flow::On(Status::Yes);
            }
            b"set" => {
                let place = words
                    .iter()
                    .position(|word| self.bytes(&word.range) == b"--");
                if let Some(at) = place {
                    let first = self.arguments.first().cloned().flatten();
                    self.arguments = self.arguments_of(&words[at..]);
                    self.arguments[0] = first;
                }
                return Flow::On(Status::Yes);
            }
            // What is read in may set anything.
            b"." | b"eval" => {
                let file = words.get(1).and_then(|word| self.text(word));
                self.is_open |= !file.is_some_and(|file| file.ends_with(b"/confmodule"));
                if name == b"eval" {
                    self.doubt(command);
                }
                return Flow::On(Status::Yes);
            }
            b"read" => {
                for word in &words[1..] {
                    if let Some(name) = self.text(word) {
                        self.variables.insert(name, None);
                    }
                }
                return Flow::On(Status::Unknown);
            }
            b"db_get" => {
                self.variables.insert(b"RET".to_vec(), None);
                return Flow::On(Status::Yes);
            }
            b"trap" | b"umask" | b"cd" => {
                return Flow::On(Status::Yes);
            }
            _ => {}
        }
        let Some(fields) = self.fields(words) else {
            if !self.is_harmless(command, &name) {
                self.doubt(command);
            }
            return Flow::On(Status::Unknown);
        };
        if let Some(status) = self.written(command, &fields) {
            return Flow::On(status);
        }
        if let Some(status) = self.asked(&fields) {
            return Flow::On(status);
        }
        if let Some(status) = self.file_command(&fields) {
            if status == Status::Yes {
                let all = fields.join(&b' ');
                self.did(String::from_utf8_lossy(&all).into_owned());
            }
            return Flow::On(status);
        }
        if let Some(status) = self.tool(&fields) {
            return Flow::On(status);
        }
        if !self.is_harmless(command, &name) {
            self.doubt(command);
        }
        Flow::On(match name.as_slice() {
            // Called as a statement, these are taken to do what they are for.
            b"dpkg-maintscript-helper" | b"dpkg-trigger" | b"echo" | b"printf" => Status::Yes,
            _ => Status::Unknown,
        })
    }

    fn arguments_of(&mut self, words: &'a [ShellWord]) -> Vec<Text> {
        let mut arguments = Vec::new();
        for word in words {
            match self.field(word) {
                Some(fields) => arguments.extend(fields.into_iter().map(Some)),
                None => arguments.push(None),
            }
        }
        arguments
    }

    /// A file that a command's output goes to.
    fn written(&mut self, command: &'a Command, fields: &[Vec<u8>]) -> Option<Status> {
        let mut out = None;
        let mut heredoc = None;
        for redirection in &command.redirections {
            match self.bytes(&redirection.operator) {
                b">" | b">|" if redirection.descriptor.is_none() => {
                    let target = self.text(&redirection.target)?;
                    if target != b"/dev/null" {
                        out = Some(target);
                    }
                }
                b">>" => return None,
                b"<<" | b"<<-" => heredoc = redirection.heredoc,
                _ => {}
            }
        }
        let out = out.filter(|out| out.starts_with(b"/"))?;
        let words: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
        let content = match words.as_slice() {
            [b":" | b"true"] => Vec::new(),
            // Some shells make more of a backslash than others.
            [b"echo", rest @ ..] if rest.iter().any(|word| word.contains(&b'\\')) => return None,
            [b"echo", rest @ ..] if rest.first() != Some(&b"-n".as_slice()) => {
                [&rest.join(&b' '), b"\n".as_slice()].concat()
            }
            [b"cat"] => {
                let body = self.script.heredocs.get(heredoc?)?;
                let text = self.bytes(&body.range);
                if body.expand && text.iter().any(|byte| b"$`".contains(byte)) {
                    return None;
                }
                text.to_vec()
            }
            [b"cat", file] => self.model.read(file)?,
            _ => return None,
        };
        self.model.write(&out, content, 0o644);
        self.did(format!("wrote {}", String::from_utf8_lossy(&out)));
        Some(Status::Yes)
    }

    /// Several commands in a row of pipes: nothing is told of them but whether
    /// they could have changed something.
    pub(super) fn piped(&mut self, commands: &'a [Command]) -> Status {
        for command in commands {
            self.skip_command(command);
        }
        Status::Unknown
    }

    /// Debian's own tools.
    fn tool(&mut self, fields: &[Vec<u8>]) -> Option<Status> {
        let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).ok();
        let words: Vec<String> = fields.iter().map(text).collect::<Option<_>>()?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["update-alternatives", arguments @ ..] => {
                let done = alternatives::install(self.model, arguments)?;
                self.did(done);
            }
            ["adduser", arguments @ ..] => self.add_user(arguments, true)?,
            ["useradd", arguments @ ..] => self.add_user(arguments, false)?,
            ["addgroup" | "groupadd", arguments @ ..] => self.add_group(arguments)?,
            ["dpkg-divert", arguments @ ..] => {
                let done = diversions::divert(self.model, arguments)?;
                self.did(done);
            }
            ["add-shell", shells @ ..] => {
                let mut text = self.model.read(b"/etc/shells").unwrap_or_default();
                for shell in shells {
                    let is_known = text
                        .split(|&byte| byte == b'\n')
                        .any(|line| line == shell.as_bytes());
                    if !is_known {
                        text.extend_from_slice(shell.as_bytes());
                        text.push(b'\n');
                    }
                }
                self.model.write(b"/etc/shells", text, 0o644);
                self.did(format!("added {} to /etc/shells", shells.join(" ")));
            }
            ["update-shells"] => {
                accounts::update_shells(self.model);
                self.did("wrote /etc/shells".to_owned());
            }
            ["shadowconfig", "on"] => {
                accounts::shadow(self.model);
                self.did("wrote /etc/shadow and /etc/gshadow".to_owned());
            }
            ["systemd-sysusers", names @ ..] => {
                for name in names {
                    let path = match name.starts_with('/') {
                        true => (*name).to_owned(),
                        false => format!("/usr/lib/sysusers.d/{name}"),
                    };
                    let text = self.model.read(path.as_bytes())?;
                    let added = accounts::sysusers(self.model, &String::from_utf8_lossy(&text))?;
                    self.did(added);
                }
            }
            [
                "dpkg-statoverride",
                "--update",
                "--add",
                user,
                group,
                mode,
                path,
            ] => {
                let owner = format!("{user}:{group}");
                let (uid, gid) = self.owner(owner.as_bytes(), false)?;
                let mode = octal(mode.as_bytes())?;
                let changed = self.model.change(path.as_bytes(), |made| {
                    made.uid = uid.unwrap_or(0);
                    made.gid = gid.unwrap_or(0);
                    made.mode = mode;
                });
                if !changed {
                    return None;
                }
                let mut text = self
                    .model
                    .read(b"/var/lib/dpkg/statoverride")
                    .unwrap_or_default();
                text.extend_from_slice(format!("{user} {group} {mode:o} {path}\n").as_bytes());
                self.model.write(b"/var/lib/dpkg/statoverride", text, 0o644);
                self.did(format!("{owner} {mode:o} {path}"));
            }
            _ => return None,
        }
        Some(Status::Yes)
    }

    /// `adduser --system`, `useradd --system`; both take a name that is there.
    fn add_user(&mut self, arguments: &[&str], is_debian: bool) -> Option<()> {
        let mut user = NewUser::default();
        let (mut is_system, mut make_home, mut names) = (false, is_debian, Vec::new());
        let mut rest = arguments.iter();
        while let Some(&word) = rest.next() {
            let (option, mut value) = match word.split_once('=') {
                Some((option, value)) if word.starts_with("--") => (option, Some(value)),
                _ => (word, None),
            };
            let mut take = || value.take().or_else(|| rest.next().copied());
            match option {
                "--system" | "-r" => is_system = true,
                "--group" if is_debian => user.own_group = true,
                "--user-group" | "-U" if !is_debian => user.own_group = true,
                "--no-create-home" | "-M" => make_home = false,
                "--create-home" | "-m" => make_home = true,
                "--home" | "--home-dir" | "-d" => user.home = take()?.to_owned(),
                "--shell" | "-s" => user.shell = take()?.to_owned(),
                "--gecos" | "--comment" | "-c" => user.gecos = take()?.to_owned(),
                "--uid" | "-u" => user.uid = Some(take()?.parse().ok()?),
                "--ingroup" | "--gid" | "-g" => user.group = Some(take()?.to_owned()),
                "--quiet"
                | "--disabled-password"
                | "--disabled-login"
                | "--force-badname"
                | "--allow-bad-names"
                | "--allow-badname" => {}
                other if other.starts_with('-') => return None,
                other => names.push(other),
            }
        }
        match names.as_slice() {
            [name] if is_system => {
                user.name = (*name).to_owned();
                let home = user.home.clone();
                let made = accounts::add_user(self.model, user)?;
                // A home that is there already is not touched.
                let is_new = !home.is_empty() && !self.model.exists(home.as_bytes());
                if make_home && is_new && home != "/nonexistent" {
                    self.model.make_directory(home.as_bytes(), 0o755);
                    self.model
                        .change(home.as_bytes(), |own| (own.uid, own.gid) = made);
                }
                self.did(format!("user {name} {}", made.0));
            }
            // `adduser USER GROUP`.
            [user, group] if is_debian => {
                accounts::join(self.model, user, group)?;
                self.did(format!("user {user} is in group {group}"));
            }
            _ => return None,
        }
        Some(())
    }

    fn add_group(&mut self, arguments: &[&str]) -> Option<()> {
        let mut group = NewGroup::default();
        let mut rest = arguments.iter();
        while let Some(&word) = rest.next() {
            match word {
                "--system" | "-r" | "--quiet" | "--force-badname" | "-f" | "--force" => {}
                "--gid" | "-g" => group.gid = Some(rest.next()?.parse().ok()?),
                other if other.starts_with('-') => return None,
                other => group.name = other.to_owned(),
            }
        }
        let gid = accounts::add_group(self.model, &group)?;
        self.did(format!("group {} {gid}", group.name));
        Some(())
    }
}
