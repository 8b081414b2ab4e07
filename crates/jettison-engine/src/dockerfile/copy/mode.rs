//! `--chmod`: octal, or symbolic as chmod(1) of the BSDs reads it, which is
//! what BuildKit does (`u=rwX,go=u-w`); no umask.

use super::CopyError;

const SET_UID: u32 = 0o4000;
const SET_GID: u32 = 0o2000;
const STICKY: u32 = 0o1000;
/// What `a` and an empty who stand for.
const STANDARD: u32 = SET_UID | SET_GID | 0o777;

/// A mode to give, or changes to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    Octal(u32),
    Symbolic(Vec<Change>),
}

/// One step of a symbolic mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Set(u32),
    Clear(u32),
    /// `X`: for directories and what somebody may execute already.
    SetSearch(u32),
    /// `g=u`: bits of the class at `from` (a shift) go to the classes of `to`.
    Copy {
        from: u32,
        to: u32,
        set: bool,
        clear: bool,
    },
}

impl Mode {
    pub(super) fn parse(text: &[u8]) -> Result<Self, CopyError> {
        let bad = || CopyError::Mode(text.to_vec());
        let word = std::str::from_utf8(text).map_err(|_| bad())?;
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            let octal = u32::from_str_radix(word, 8).map_err(|_| bad())?;
            return if octal > 0o7777 {
                Err(bad())
            } else {
                Ok(Self::Octal(octal))
            };
        }
        let mut changes = Vec::new();
        for clause in text.split(|&byte| byte == b',') {
            clause_changes(clause, &mut changes).ok_or_else(bad)?;
        }
        Ok(Self::Symbolic(changes))
    }

    /// The mode that something gets which had `mode`.
    pub(super) fn apply(&self, mode: u32, is_directory: bool) -> u32 {
        let changes = match self {
            Self::Octal(octal) => return *octal,
            Self::Symbolic(changes) => changes,
        };
        let searchable = is_directory || mode & 0o111 != 0;
        changes.iter().fold(mode, |now, change| match *change {
            Change::Set(bits) => now | bits,
            Change::Clear(bits) => now & !bits,
            Change::SetSearch(bits) if searchable => now | bits,
            Change::SetSearch(_) => now,
            Change::Copy {
                from,
                to,
                set,
                clear,
            } => {
                let value = now >> from & 0o7;
                let gone = if set { 0o7 } else { value };
                let spread = |bits: u32| (bits << 6 | bits << 3 | bits) & to;
                let kept = if clear { now & !spread(gone) } else { now };
                if set { kept | spread(value) } else { kept }
            }
        })
    }

    /// The mode of directories that are made on the way: an octal mode without
    /// its upper bits, as mkdir(2) takes it.
    pub(super) fn of_made_directory(this: Option<&Self>) -> u32 {
        match this {
            Some(Self::Octal(octal)) => octal & 0o777,
            _ => 0o755,
        }
    }
}

/// `[ugoa...][[+-=][perms...]...]`; none when it is malformed.
fn clause_changes(clause: &[u8], changes: &mut Vec<Change>) -> Option<()> {
    let start = clause
        .iter()
        .position(|byte| !matches!(byte, b'a' | b'u' | b'g' | b'o'))?;
    let (names, mut rest) = clause.split_at(start);
    let mut who = names.iter().fold(0, |who, name| {
        who | match name {
            b'a' => STANDARD,
            b'u' => SET_UID | 0o700,
            b'g' => SET_GID | 0o070,
            _ => 0o007,
        }
    });
    while let Some((&operator, after)) = rest.split_first() {
        if !matches!(operator, b'+' | b'-' | b'=') {
            return None;
        }
        let end = after
            .iter()
            .position(|byte| !b"rstwxXugo".contains(byte))
            .unwrap_or(after.len());
        let (letters, next) = after.split_at(end);
        rest = next;
        who &= !STICKY;
        action(operator, letters, &mut who, changes);
    }
    Some(())
}

fn action(operator: u8, letters: &[u8], who: &mut u32, changes: &mut Vec<Change>) {
    let (mut bits, mut search) = (0, 0);
    let mut cleared = operator != b'=';
    for letter in letters {
        let only_others = *who != 0 && *who & !0o007 == 0;
        match letter {
            b'r' => bits |= 0o444,
            b'w' => bits |= 0o222,
            b'x' => bits |= 0o111,
            b'X' if operator == b'-' => bits |= 0o111,
            b'X' => search = 0o111,
            b's' if !only_others => bits |= SET_UID | SET_GID,
            b't' if !only_others => {
                *who |= STICKY;
                bits |= STICKY;
            }
            b'u' | b'g' | b'o' => {
                if bits != 0 {
                    plain(operator, *who, bits, changes);
                    bits = 0;
                }
                cleared = true;
                if search != 0 {
                    changes.push(Change::SetSearch(within(*who, search)));
                    search = 0;
                }
                changes.push(Change::Copy {
                    from: match letter {
                        b'u' => 6,
                        b'g' => 3,
                        _ => 0,
                    },
                    to: if *who == 0 { 0o777 } else { *who & 0o777 },
                    set: operator != b'-',
                    clear: operator != b'+',
                });
            }
            _ => {}
        }
    }
    if bits != 0 || !cleared {
        plain(operator, *who, bits, changes);
    }
    if search != 0 {
        changes.push(Change::SetSearch(within(*who, search)));
    }
}

fn plain(operator: u8, who: u32, bits: u32, changes: &mut Vec<Change>) {
    if operator == b'=' {
        changes.push(Change::Clear(if who == 0 { STANDARD } else { who }));
    }
    let bits = within(who, bits);
    changes.push(if operator == b'-' {
        Change::Clear(bits)
    } else {
        Change::Set(bits)
    });
}

fn within(who: u32, bits: u32) -> u32 {
    if who == 0 { bits } else { who & bits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        fn check(text: &str, mode: u32, is_directory: bool, expected: u32) {
            let parsed = Mode::parse(text.as_bytes()).expect(text);
            let found = parsed.apply(mode, is_directory);
            assert_eq!(found, expected, "{text} on {mode:o}: {found:o}");
        }
        check("755", 0o600, false, 0o755);
        check("04755", 0, false, 0o4755);
        check("u=rwX,go=rX", 0o600, false, 0o644);
        check("u=rwX,go=rX", 0o600, true, 0o755);
        check("a+x", 0o644, false, 0o755);
        check("+x", 0o644, false, 0o755);
        check("go-w", 0o666, false, 0o644);
        check("go=u-w", 0o750, false, 0o755);
        check("go=", 0o777, false, 0o700);
        check("u+s", 0o755, false, 0o4755);
        check("+t", 0o755, true, 0o1755);
        check("o+t", 0o755, true, 0o755);
        check("=r", 0o7777, false, 0o1444);
        check("g=u", 0o640, false, 0o660);
        check("-X", 0o755, false, 0o644);
        check("u=rwx,g=rx,o=", 0o644, false, 0o750);
        for bad in [
            "", "u", "9", "77777", "10000", "rwx", "u~x", "u+q", "u+x,", "0x7",
        ] {
            assert!(Mode::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
