//! The ways in which a program can be contained, strongest first.

use std::fmt;

/// How programs are contained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Root's own namespaces with an overlay.
    Root,
    /// A user namespace with an overlay and subordinate ids: every user of an
    /// image is another user of the machine.
    UserNamespace,
    /// A user namespace with an overlay and one id: changes of owner and user
    /// are answered with success and do nothing.
    SingleUser,
    /// `chroot` into a copy, without namespaces: no network of its own, weak
    /// containment. Not for images of strangers.
    Chroot,
    /// A plain child process in the machine's file system. Only for programs
    /// that were just built from the person's own project.
    Unisolated,
}

impl Tier {
    /// From the strongest to the weakest.
    pub const ALL: [Self; 5] = [
        Self::Root,
        Self::UserNamespace,
        Self::SingleUser,
        Self::Chroot,
        Self::Unisolated,
    ];

    /// Whether images of strangers may run in it by default.
    pub fn contains_strangers(self) -> bool {
        matches!(self, Self::Root | Self::UserNamespace | Self::SingleUser)
    }

    /// Whether containers have namespaces (mounts, network, processes) of their own.
    pub fn has_namespaces(self) -> bool {
        self.contains_strangers()
    }

    /// Whether the supervisor lives in a user namespace.
    pub fn has_user_namespace(self) -> bool {
        matches!(self, Self::UserNamespace | Self::SingleUser)
    }

    /// Whether the files of an image can be kept with their owners, as
    /// snapshots are.
    pub fn keeps_snapshots(self) -> bool {
        matches!(self, Self::Root | Self::UserNamespace)
    }

    /// What the names of the overlay's own attributes begin with: in a user
    /// namespace `trusted.` attributes are out of reach (Linux 5.11).
    pub(crate) fn overlay_attributes(self) -> &'static str {
        if self.has_user_namespace() {
            "user.overlay."
        } else {
            "trusted.overlay."
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "root with overlay",
            Self::UserNamespace => "user namespace with overlay and subordinate ids",
            Self::SingleUser => "user namespace with overlay and a single id",
            Self::Chroot => "chroot on a copy",
            Self::Unisolated => "no isolation",
        })
    }
}
