//! Users, groups, name service and directories, the same as the distroless
//! project gives them, but for `files` in the place of `compat`: that one makes
//! glibc load a module that a static base does not have.

use jettison_image::EntryKind;

use super::{Origin, Part, Tree, known};

/// The user that programs run as.
const NONROOT: u64 = 65532;

const PASSWD: &str = "\
root:x:0:0:root:/root:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
";

/// `tty` and `staff` keep the numbers that Debian gives them.
const GROUP: &str = "\
root:x:0:
nobody:x:65534:
tty:x:5:
staff:x:50:
nonroot:x:65532:
";

/// Without this file musl-built programs and Go still work, and glibc asks DNS
/// before `/etc/hosts`.
const NSSWITCH: &str = "\
passwd:         files
group:          files
shadow:         files
hosts:          files dns
networks:       files
protocols:      files
services:       files
ethers:         files
rpc:            files
";

const RULE: &str = "users root, nobody and nonroot (65532)";

pub(super) fn place(tree: &mut Tree) {
    for (path, text) in [
        ("etc/passwd", PASSWD),
        ("etc/group", GROUP),
        ("etc/nsswitch.conf", NSSWITCH),
    ] {
        tree.put_file(
            known(path),
            text.into(),
            (Part::Accounts, Origin::Rule(RULE)),
        );
    }
    tree.put_directory("root", 0o700, 0, RULE);
    tree.put_directory("home", 0o755, 0, RULE);
    tree.put_directory("home/nonroot", 0o700, NONROOT, RULE);
    let temporary = "world-writable directories of the file system hierarchy";
    tree.put_directory("tmp", 0o1777, 0, temporary);
    tree.put_directory("var/tmp", 0o1777, 0, temporary);
    // Engines mount over these; on a read-only root they must be there.
    for path in ["dev", "proc", "run", "sys"] {
        tree.put_directory(path, 0o755, 0, "mount points that engines expect");
    }
}

/// A loader at `/lib64/ld-linux-x86-64.so.2` is found through these.
pub(super) fn place_merged_usr(tree: &mut Tree) {
    let rule = "merged /usr";
    for name in ["bin", "sbin", "lib", "lib64"] {
        let kind = EntryKind::Symlink {
            target: format!("usr/{name}").into(),
        };
        tree.put(
            known(name),
            kind,
            0o777,
            (Part::Accounts, Origin::Rule(rule)),
        );
        tree.put_directory(&format!("usr/{name}"), 0o755, 0, rule);
    }
}
