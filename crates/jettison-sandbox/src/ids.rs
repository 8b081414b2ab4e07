//! Ids of a user namespace: which the machine lends us, and how they are mapped.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Pid;

use crate::error::Error;
use crate::tier::Tier;

/// Where the setuid programs of the package `uidmap` are; PATH is the
/// person's and has no say in what is run with the machine's rights.
const PLACES: [&str; 4] = ["/usr/bin", "/bin", "/usr/sbin", "/usr/local/bin"];

/// A range of ids that belong to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u32,
    pub(crate) count: u32,
}

/// What is needed to map subordinate ids, or what of it is missing.
pub(crate) struct Subordinate {
    newuidmap: PathBuf,
    newgidmap: PathBuf,
    uids: Vec<Range>,
    gids: Vec<Range>,
}

impl Subordinate {
    /// Looks for the two programs and for the ranges of the current user.
    pub(crate) fn find() -> Result<Self, String> {
        let program = |name: &str| {
            let mut places = PLACES.iter().map(|place| Path::new(place).join(name));
            places
                .find(|path| path.is_file())
                .ok_or_else(|| format!("{name} is not installed"))
        };
        let uid = rustix::process::getuid().as_raw();
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let name = name_of(&passwd, uid);
        let ranges = |file: &str| {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            let ranges = ranges_of(&text, uid, name);
            // Users of images go up to 65 535, which is `nobody` in some.
            match ranges
                .iter()
                .map(|range| u64::from(range.count))
                .sum::<u64>()
            {
                0 => Err(format!("{file} has no ids for user {uid}")),
                count if count < 65_535 => {
                    Err(format!("{file} has only {count} ids for user {uid}"))
                }
                _ => Ok(ranges),
            }
        };
        Ok(Self {
            newuidmap: program("newuidmap")?,
            newgidmap: program("newgidmap")?,
            uids: ranges("/etc/subuid")?,
            gids: ranges("/etc/subgid")?,
        })
    }
}

/// Maps the ids of the user namespace in which `process` is.
pub(crate) fn map(process: Pid, tier: Tier) -> Result<(), Error> {
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    let pid = process.as_raw_nonzero();
    if tier == Tier::UserNamespace {
        let subordinate = Subordinate::find().map_err(|reason| Error::Unavailable {
            tier,
            reason,
            hint: Some(HINT.to_owned()),
        })?;
        run(&subordinate.newuidmap, process, uid, &subordinate.uids)?;
        return run(&subordinate.newgidmap, process, gid, &subordinate.gids);
    }
    let write = |file: &str, text: String| {
        std::fs::write(format!("/proc/{pid}/{file}"), text)
            .map_err(|e| Error::step(format!("mapping ids ({file})"), e))
    };
    // Without subordinate ids groups cannot be changed (CVE-2014-8989).
    write("setgroups", "deny".to_owned())?;
    write("uid_map", format!("0 {uid} 1"))?;
    write("gid_map", format!("0 {gid} 1"))
}

/// How to get subordinate ids.
pub(crate) const HINT: &str = "sudo apt-get install uidmap && \
    sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \"$USER\"";

fn run(program: &Path, process: Pid, own: u32, ranges: &[Range]) -> Result<(), Error> {
    let mut command = Command::new(program);
    command.arg(process.as_raw_nonzero().to_string());
    command.args(["0", &own.to_string(), "1"]);
    let mut inside = 1_u32;
    for range in ranges {
        let (first, count) = (range.first.to_string(), range.count.to_string());
        command.args([&inside.to_string(), &first, &count]);
        inside = inside.saturating_add(range.count);
    }
    let output = command.stdin(Stdio::null()).output();
    let step = || format!("running {}", program.display());
    let output = output.map_err(|e| Error::step(step(), e))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::step(step(), io::Error::other(said)))
}

fn name_of(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

/// The lines of `/etc/subuid` for a user, by name or by number (subuid(5)).
fn ranges_of(text: &str, uid: u32, name: Option<&str>) -> Vec<Range> {
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        (Some(owner) == name || owner.parse() == Ok(uid)).then_some(())?;
        let range = Range {
            first: fields.next()?.parse().ok()?,
            count: fields.next()?.parse().ok()?,
        };
        (range.count > 0 && range.first.checked_add(range.count).is_some()).then_some(range)
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_found_by_name_and_by_number() {
        let text = "ann:100000:65536\n1001:300000:65536\nbob:1:x\nann:400000:10\n";
        let range = |first, count| Range { first, count };
        assert_eq!(
            ranges_of(text, 1000, Some("ann")),
            [range(100_000, 65_536), range(400_000, 10)]
        );
        assert_eq!(ranges_of(text, 1001, None), [range(300_000, 65_536)]);
        assert_eq!(ranges_of(text, 1002, Some("bob")), []);
        assert_eq!(
            name_of("root:x:0:0::/:\nann:x:1000:1000::/:\n", 1000),
            Some("ann")
        );
    }
}
