//! What this machine allows, found out without leaving a trace: every tier
//! is tried in full, in namespaces that are gone a moment later.

use std::path::Path;

use crate::cgroup;
use crate::error::Error;
use crate::ids;
use crate::sandbox::{Options, Sandbox};
use crate::spec::Network;
use crate::tier::Tier;

/// Whether a tier can be had here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierSupport {
    /// The tier.
    pub tier: Tier,
    /// Why not, if not.
    pub missing: Option<Missing>,
}

/// Why something cannot be had, and what would help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// In one line.
    pub reason: String,
    /// Something to type.
    pub hint: Option<String>,
}

/// Tries every tier, strongest first. `scratch_dir` is where the weaker ones
/// would keep their copies; nothing stays in it.
pub fn survey(scratch_dir: &Path) -> Vec<TierSupport> {
    let tried = Tier::ALL.into_iter().map(|tier| {
        let options = Options {
            tier: Some(tier),
            network: Network::Private,
            scratch_dir: (!tier.has_namespaces()).then(|| scratch_dir.to_owned()),
            memory_bytes: Some(16 << 20),
        };
        let missing = match Sandbox::open_with(&options, true) {
            Ok(_) => None,
            Err(error) => Some(explain(tier, &error)),
        };
        TierSupport { tier, missing }
    });
    tried.collect()
}

/// Where the kernel could bound memory and processes for us: directories of
/// control groups that we may write to. Empty: they are watched instead.
pub fn control_groups() -> Vec<std::path::PathBuf> {
    cgroup::writable_parents()
        .into_iter()
        .map(|parent| parent.path)
        .collect()
}

/// Why `tier` could not be opened.
pub(crate) fn explain(tier: Tier, error: &Error) -> Missing {
    let (step, source) = match error {
        Error::Step { step, source } => (step.as_str(), source),
        Error::Unavailable { reason, hint, .. } => {
            return Missing {
                reason: reason.clone(),
                hint: hint.clone(),
            };
        }
        other => {
            return Missing {
                reason: other.to_string(),
                hint: other.hint(),
            };
        }
    };
    let reason = format!("{step}: {source}");
    let errno = source.raw_os_error();
    let refused = matches!(
        errno,
        Some(libc::EPERM | libc::EACCES | libc::ENOSPC | libc::ENOSYS)
    );
    let hint = if tier == Tier::UserNamespace && step.starts_with("running ") {
        Some(ids::HINT.to_owned())
    } else if refused {
        hint(tier, errno)
    } else {
        None
    };
    Missing { reason, hint }
}

fn hint(tier: Tier, errno: Option<i32>) -> Option<String> {
    let setting = |path: &str| {
        std::fs::read_to_string(path)
            .ok()
            .and_then(|text| text.trim().parse::<u64>().ok())
    };
    let root = rustix::process::geteuid().is_root();
    if tier.has_user_namespace() {
        let names = "/proc/sys/kernel";
        if setting(&format!("{names}/apparmor_restrict_unprivileged_userns")) == Some(1) && !root {
            return Some(
                "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0".to_owned(),
            );
        }
        if setting(&format!("{names}/unprivileged_userns_clone")) == Some(0) && !root {
            return Some("sudo sysctl -w kernel.unprivileged_userns_clone=1".to_owned());
        }
        let most = setting("/proc/sys/user/max_user_namespaces");
        if most == Some(0) || (errno == Some(libc::ENOSPC) && most.is_some()) {
            return Some("sudo sysctl -w user.max_user_namespaces=15000".to_owned());
        }
    }
    if is_filtered() || in_container() {
        return Some(
            "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
             --security-opt systempaths=unconfined …"
                .to_owned(),
        );
    }
    (!root && !tier.has_user_namespace()).then(|| "run it with sudo".to_owned())
}

/// Whether somebody has put a system call filter on us.
fn is_filtered() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| {
        line.strip_prefix("Seccomp:")
            .is_some_and(|v| v.trim() == "2")
    })
}

fn in_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"]
        .iter()
        .any(|path| Path::new(path).exists())
}

/// The strongest tier that contains strangers' programs.
pub(crate) fn open_strongest(options: &Options) -> Result<Sandbox, Error> {
    let mut tried = Vec::new();
    for tier in Tier::ALL
        .into_iter()
        .filter(|tier| tier.contains_strangers())
    {
        // Without being root there is nothing to try.
        if tier == Tier::Root && !rustix::process::geteuid().is_root() {
            continue;
        }
        match Sandbox::open_with(
            &Options {
                tier: Some(tier),
                ..options.clone()
            },
            true,
        ) {
            Ok(sandbox) => return Ok(sandbox),
            Err(error) => tried.push((tier, explain(tier, &error))),
        }
    }
    let (tier, missing) = match tried.into_iter().next_back() {
        Some(last) => last,
        None => (
            Tier::SingleUser,
            Missing {
                reason: "nothing to try".to_owned(),
                hint: None,
            },
        ),
    };
    Err(Error::Unavailable {
        tier,
        reason: missing.reason,
        hint: missing.hint,
    })
}

/// The user-mode emulator that the kernel would start for programs of an
/// architecture (`uname -m` words: `aarch64`, `x86_64`, `riscv64`, …), if one
/// is registered and on (binfmt_misc). With `in_containers` it is one that
/// the kernel holds open, so that it works inside a container's root.
pub fn emulator(machine: &str) -> Option<Emulator> {
    let directory = Path::new("/proc/sys/fs/binfmt_misc");
    std::fs::read_dir(directory)
        .ok()?
        .flatten()
        .find_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            // Debian and Docker's binfmt image register them under these names.
            name.strip_prefix("qemu-").filter(|rest| *rest == machine)?;
            let text = std::fs::read_to_string(entry.path()).ok()?;
            let mut lines = text.lines();
            (lines.next() == Some("enabled")).then_some(())?;
            let interpreter = text
                .lines()
                .find_map(|line| line.strip_prefix("interpreter "))?;
            let flags = text
                .lines()
                .find_map(|line| line.strip_prefix("flags: "))
                .unwrap_or("");
            Some(Emulator {
                interpreter: interpreter.into(),
                in_containers: flags.contains('F'),
            })
        })
}

/// A registered user-mode emulator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emulator {
    /// The program on this machine.
    pub interpreter: std::path::PathBuf,
    /// The kernel holds it open (flag F), so it need not be in the image.
    pub in_containers: bool,
}
