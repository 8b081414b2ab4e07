//! `RUN --mount`. Its fields are read in two steps, as in BuildKit: the list itself and `from` when the file is
//! parsed, everything else when variables are known.

use super::csv;
use crate::ParseErrorKind;
use crate::expand::ExpandError;
use crate::text;

/// Resolves the variables of a value.
pub type Expander<'a> = dyn FnMut(&[u8]) -> Result<Vec<u8>, ExpandError> + 'a;

/// A mount of a RUN instruction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mount {
    /// What is mounted.
    pub kind: MountKind,
    /// Stage, image or named context.
    pub from: Vec<u8>,
    /// Path inside `from`; the id of a secret.
    pub source: Vec<u8>,
    /// Where.
    pub target: Vec<u8>,
    /// Not writable.
    pub read_only: bool,
    /// Size of a tmpfs; 0 means no limit.
    pub size_bytes: i64,
    /// Id of a cache, secret or agent.
    pub id: Vec<u8>,
    /// How builds share a cache.
    pub sharing: Option<Sharing>,
    /// Secret or agent must be there.
    pub required: bool,
    /// Environment variable that gets the secret; empty for the default.
    pub env: Option<Vec<u8>>,
    /// Permissions.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
}

/// The kinds of mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are those of the flag")]
pub enum MountKind {
    #[default]
    Bind,
    Cache,
    Tmpfs,
    Secret,
    Ssh,
}

impl MountKind {
    /// The name in the flag.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Cache => "cache",
            Self::Tmpfs => "tmpfs",
            Self::Secret => "secret",
            Self::Ssh => "ssh",
        }
    }
}

/// How builds that run at once share a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are those of the flag")]
pub enum Sharing {
    Shared,
    Private,
    Locked,
}

/// Why a mount cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MountError {
    /// The list is malformed.
    #[error("failed to parse csv mounts: {0}")]
    List(&'static str),
    /// A variable cannot be resolved.
    #[error(transparent)]
    Expand(#[from] ExpandError),
    /// A field is unknown, has no value, or a value that cannot be, or does not go with the kind.
    #[error("{0}")]
    Field(String),
}

/// Checks what can be checked before variables are known.
pub(super) fn check(value: &[u8]) -> Result<(), ParseErrorKind> {
    for field in csv::fields(value).map_err(ParseErrorKind::MountList)? {
        let Some(equals) = field.iter().position(|byte| *byte == b'=') else {
            continue;
        };
        let (key, value) = (&field[..equals], &field[equals + 1..]);
        let dollar = value.iter().position(|byte| *byte == b'$');
        if text::lower(key) == b"from" && dollar.is_some_and(|at| at + 1 != value.len()) {
            return Err(ParseErrorKind::MountFromVariable);
        }
    }
    Ok(())
}

impl Mount {
    /// The `from` of a mount as written (no variables may stand in it), which is all a build graph needs of it.
    pub fn from_field(value: &[u8]) -> Option<Vec<u8>> {
        let fields = csv::fields(value).ok()?;
        fields.iter().rev().find_map(|field| {
            let equals = field.iter().position(|byte| *byte == b'=')?;
            (text::lower(&field[..equals]) == b"from").then(|| field[equals + 1..].to_vec())
        })
    }

    /// Reads a mount; `expand` resolves the variables of each value.
    pub fn read(value: &[u8], expand: &mut Expander<'_>) -> Result<Self, MountError> {
        let mut mount = Mount::default();
        let mut read_only = None;
        for field in csv::fields(value).map_err(MountError::List)? {
            let equals = field.iter().position(|byte| *byte == b'=');
            let key =
                String::from_utf8_lossy(&text::lower(&field[..equals.unwrap_or(field.len())]))
                    .into_owned();
            let value = match equals {
                Some(at) => Some(expand(&field[at + 1..])?),
                None => None,
            };
            mount.field(&key, value, &field, &mut read_only)?;
        }
        mount.read_only =
            read_only.unwrap_or(!matches!(mount.kind, MountKind::Cache | MountKind::Tmpfs));
        mount.check()?;
        Ok(mount)
    }

    fn field(
        &mut self,
        key: &str,
        value: Option<Vec<u8>>,
        field: &[u8],
        read_only: &mut Option<bool>,
    ) -> Result<(), MountError> {
        let is_secret = matches!(self.kind, MountKind::Secret | MountKind::Ssh);
        let Some(value) = value else {
            match key {
                "readonly" | "ro" => *read_only = Some(true),
                "readwrite" | "rw" => *read_only = Some(false),
                "required" if is_secret => self.required = true,
                "required" => return Err(self.unexpected(key)),
                _ => {
                    return Err(problem(format!(
                        "invalid field '{}' must be a key=value pair",
                        text::lossy(field)
                    )));
                }
            }
            return Ok(());
        };
        let invalid = || problem(format!("invalid value for {key}: {}", text::lossy(&value)));
        match key {
            "type" => {
                self.kind = match text::lower(&value).as_slice() {
                    b"bind" => MountKind::Bind,
                    b"cache" => MountKind::Cache,
                    b"tmpfs" => MountKind::Tmpfs,
                    b"secret" => MountKind::Secret,
                    b"ssh" => MountKind::Ssh,
                    _ => {
                        return Err(problem(format!(
                            "unsupported mount type {}",
                            crate::syntax::go_quote(&value)
                        )));
                    }
                };
            }
            "from" => self.from = value,
            "source" | "src" => self.source = value,
            "target" | "dst" | "destination" => self.target = value,
            "readonly" | "ro" => *read_only = Some(boolean(&value).ok_or_else(invalid)?),
            "readwrite" | "rw" => *read_only = Some(!boolean(&value).ok_or_else(invalid)?),
            "required" if is_secret => self.required = boolean(&value).ok_or_else(invalid)?,
            "size" if self.kind == MountKind::Tmpfs => {
                self.size_bytes = size(&value).ok_or_else(invalid)?
            }
            "required" | "size" => return Err(self.unexpected(key)),
            "id" => self.id = value,
            "sharing" => {
                self.sharing = Some(match text::lower(&value).as_slice() {
                    b"shared" => Sharing::Shared,
                    b"private" => Sharing::Private,
                    b"locked" => Sharing::Locked,
                    _ => {
                        return Err(problem(format!(
                            "unsupported sharing value {}",
                            crate::syntax::go_quote(&value)
                        )));
                    }
                });
            }
            "mode" => self.mode = Some(number(&value, 8).ok_or_else(|| bad_number(&value, key))?),
            "uid" => self.uid = Some(number(&value, 10).ok_or_else(|| bad_number(&value, key))?),
            "gid" => self.gid = Some(number(&value, 10).ok_or_else(|| bad_number(&value, key))?),
            "env" => self.env = Some(value),
            _ => {
                return Err(problem(format!(
                    "unexpected key '{key}' in '{}'",
                    text::lossy(field)
                )));
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), MountError> {
        let kind = self.kind.as_str();
        if matches!(self.kind, MountKind::Bind | MountKind::Tmpfs) {
            for (name, given) in [("mode", self.mode), ("uid", self.uid), ("gid", self.gid)] {
                if given.is_some() {
                    return Err(problem(format!(
                        "{name} not allowed for \"{kind}\" type mounts"
                    )));
                }
            }
        }
        if self.kind == MountKind::Secret {
            if !self.from.is_empty() {
                return Err(problem("secret mount should not have a from".to_owned()));
            }
            if self.sharing.is_some() {
                return Err(problem("secret mount should not define sharing".to_owned()));
            }
            if self.source.is_empty() && self.target.is_empty() && self.id.is_empty() {
                return Err(problem(
                    "invalid secret mount. one of source, target required".to_owned(),
                ));
            }
            if !self.source.is_empty() && !self.id.is_empty() {
                return Err(problem("both source and id can't be set".to_owned()));
            }
        }
        if self.sharing.is_some() && self.kind != MountKind::Cache {
            return Err(problem(format!(
                "invalid cache sharing set for {kind} mount"
            )));
        }
        Ok(())
    }

    fn unexpected(&self, key: &str) -> MountError {
        problem(format!(
            "unexpected key '{key}' for mount type '{}'",
            self.kind.as_str()
        ))
    }
}

fn problem(text: String) -> MountError {
    MountError::Field(text)
}

fn bad_number(value: &[u8], key: &str) -> MountError {
    problem(format!("invalid value {} for {key}", text::lossy(value)))
}

/// Go's `strconv.ParseBool`.
pub(super) fn boolean(value: &[u8]) -> Option<bool> {
    match value {
        b"1" | b"t" | b"T" | b"TRUE" | b"true" | b"True" => Some(true),
        b"0" | b"f" | b"F" | b"FALSE" | b"false" | b"False" => Some(false),
        _ => None,
    }
}

fn number(value: &[u8], radix: u32) -> Option<u32> {
    let digits = std::str::from_utf8(value).ok()?;
    // Go takes no sign here.
    if digits.starts_with('+') {
        None
    } else {
        u32::from_str_radix(digits, radix).ok()
    }
}

/// A size as docker takes it: a decimal number, perhaps a blank, perhaps `b`, `k`, `m`, `g`, `t`, `p` with `b` or `ib`.
fn size(value: &[u8]) -> Option<i64> {
    let value = std::str::from_utf8(value).ok()?;
    let last = value.rfind(|character: char| {
        character.is_ascii_digit() || character == '.' || character == ' '
    })?;
    let (number, suffix) = value.split_at(last + 1);
    let number = number.strip_suffix(' ').unwrap_or(number);
    if number.is_empty()
        || !number
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'+' | b'-' | b'e' | b'E'))
    {
        return None;
    }
    let number: f64 = number
        .parse()
        .ok()
        .filter(|number: &f64| *number >= 0.0 && number.is_finite())?;
    let suffix = suffix.to_ascii_lowercase();
    let power = match suffix.chars().next() {
        None => 0,
        Some('b') if suffix.len() == 1 => 0,
        Some(letter) => "kmgtp".find(letter)? + 1,
    };
    if power > 0 && !matches!(&suffix[1..], "" | "b" | "ib") {
        return None;
    }
    let scale = (0..power).fold(1.0, |scale, _| scale * 1024.0);
    // Past the range of i64 the cast saturates.
    Some((number * scale) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Mount, MountError> {
        Mount::read(value.as_bytes(), &mut |word| Ok(word.to_vec()))
    }

    #[test]
    fn kinds_and_defaults() {
        let cache =
            read("type=cache,target=/c,sharing=locked,uid=5,mode=0750").expect("a valid mount");
        assert_eq!(
            (
                cache.kind,
                cache.read_only,
                cache.sharing,
                cache.uid,
                cache.mode
            ),
            (
                MountKind::Cache,
                false,
                Some(Sharing::Locked),
                Some(5),
                Some(0o750)
            )
        );
        assert!(read("target=/x").expect("a valid mount").read_only);
        assert!(!read("target=/x,rw").expect("a valid mount").read_only);
        assert_eq!(
            read("type=tmpfs,size=1.5g,target=/t")
                .expect("a valid mount")
                .size_bytes,
            1_610_612_736
        );
        assert!(
            read("type=secret,id=x,required")
                .expect("a valid mount")
                .required
        );
    }

    #[test]
    fn what_cannot_be() {
        for bad in [
            "type=bind,mode=7",
            "type=secret",
            "type=secret,id=a,src=b",
            "type=secret,id=a,from=b",
            "type=x",
            "nope",
            "nope=1",
            "type=bind,size=1",
            "type=bind,required",
            "sharing=locked",
            "type=cache,sharing=x",
            "type=cache,uid=-1",
            "type=cache,uid=+1",
            "ro=maybe",
            "type=tmpfs,size=x",
        ] {
            assert!(matches!(read(bad), Err(MountError::Field(_))), "{bad}");
        }
    }
}
