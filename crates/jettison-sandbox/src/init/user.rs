//! Who the program runs as: docker's rules for `USER` against the root's own
//! `/etc/passwd` and `/etc/group` (moby/sys/user, `GetExecUser`).
//!
//! Called after the change of the root, so paths cannot lead outside.

use rustix::fs::{CWD, Mode, OFlags};

use super::resolve::read_small;
use crate::spec::Profile;
use crate::wire::Failure;
use std::os::fd::AsFd;

/// The largest honest file has a few thousand users.
const MOST_BYTES: u64 = 16 << 20;

/// A user with everything that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Supplementary groups, the primary one first.
    pub(crate) groups: Vec<u32>,
    pub(crate) home: String,
}

/// Resolves `USER[:GROUP]` inside the current root.
pub(super) fn resolve(text: &str, profile: &Profile) -> Result<User, Failure> {
    let root = rustix::fs::openat(
        CWD,
        "/",
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(|e| Failure::step("opening the container's root", e))?;
    let read = |path| {
        let bytes = read_small(root.as_fd(), path, MOST_BYTES).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (passwd, group) = (read("etc/passwd"), read("etc/group"));
    let user = look_up(text, &passwd, &group).map_err(Failure::user)?;
    match profile.root_becomes {
        Some((uid, gid)) if user.uid == 0 => {
            look_up(&format!("{uid}:{gid}"), &passwd, &group).map_err(Failure::user)
        }
        _ => Ok(user),
    }
}

/// Whoever runs the library, for programs that are not contained.
pub(super) fn unchanged() -> User {
    User {
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
        groups: Vec::new(),
        home: String::new(),
    }
}

fn look_up(text: &str, passwd: &str, group: &str) -> Result<User, String> {
    let (name, group_name) = match text.split_once(':') {
        Some((name, group)) => (name, group),
        None => (text, ""),
    };
    let wanted = if name.is_empty() { "0" } else { name };
    let number = |text: &str| text.parse::<u32>().ok().filter(|&n| n <= i32::MAX as u32);
    let mut user = User {
        uid: 0,
        gid: 0,
        groups: Vec::new(),
        home: "/".to_owned(),
    };
    let entry = passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.trim().split(':').collect();
        let [entry_name, _, uid, gid, _, home, ..] = fields[..] else {
            return None;
        };
        let (uid, gid) = (uid.parse::<u32>().ok()?, gid.parse::<u32>().ok()?);
        let matches = entry_name == wanted || number(wanted) == Some(uid);
        matches.then(|| (entry_name.to_owned(), uid, gid, home.to_owned()))
    });
    let mut found = None;
    match (entry, number(wanted)) {
        (Some((name, uid, gid, home)), _) => {
            (user.uid, user.gid) = (uid, gid);
            if !home.is_empty() {
                user.home = home;
            }
            found = Some(name);
        }
        (None, Some(uid)) => user.uid = uid,
        (None, None) => return Err(format!("user {wanted:?} is not in the image's /etc/passwd")),
    }
    if group_name.is_empty() {
        for line in group.lines() {
            let fields: Vec<&str> = line.trim().split(':').collect();
            let [_, _, gid, members, ..] = fields[..] else {
                continue;
            };
            let Ok(gid) = gid.parse::<u32>() else {
                continue;
            };
            if found
                .as_ref()
                .is_some_and(|name| members.split(',').any(|m| m == name))
            {
                user.groups.push(gid);
            }
        }
    } else {
        let entry = group.lines().find_map(|line| {
            let mut fields = line.trim().split(':');
            let name = fields.next()?;
            let gid = fields.nth(1)?.parse::<u32>().ok()?;
            (name == group_name || number(group_name) == Some(gid)).then_some(gid)
        });
        user.gid = entry
            .or_else(|| number(group_name))
            .ok_or_else(|| format!("group {group_name:?} is not in the image's /etc/group"))?;
    }
    let primary = user.gid;
    user.groups.retain(|&gid| gid != primary);
    user.groups.insert(0, primary);
    Ok(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbroken\n\
        web:x:33:34::/srv:/bin/false\n7:x:1007:1007::/seven:\n";
    const GROUP: &str = "root:x:0:root\nwww:x:34:\nlog:x:4:web,root\ndisk:x:6:root,\n";

    fn check(text: &str, uid: u32, gid: u32, groups: &[u32], home: &str) {
        let user = look_up(text, PASSWD, GROUP);
        let expected = User {
            uid,
            gid,
            groups: groups.to_vec(),
            home: home.to_owned(),
        };
        assert_eq!(user, Ok(expected), "{text:?}");
    }

    #[test]
    fn users_are_found_as_docker_finds_them() {
        check("", 0, 0, &[0, 4, 6], "/root");
        check("root", 0, 0, &[0, 4, 6], "/root");
        check("web", 33, 34, &[34, 4], "/srv");
        check("33", 33, 34, &[34, 4], "/srv");
        check("web:log", 33, 4, &[4], "/srv");
        check("web:9", 33, 9, &[9], "/srv");
        check("4242", 4242, 0, &[0], "/");
        check("4242:4243", 4242, 4243, &[4243], "/");
        // A name made of digits wins over the number.
        check("7", 1007, 1007, &[1007], "/seven");
    }

    #[test]
    fn names_that_are_missing_are_named() {
        assert!(look_up("nobody", PASSWD, GROUP).is_err_and(|e| e.contains("nobody")));
        assert!(look_up("web:staff", PASSWD, GROUP).is_err_and(|e| e.contains("staff")));
        assert!(look_up("-1", PASSWD, GROUP).is_err());
    }
}
