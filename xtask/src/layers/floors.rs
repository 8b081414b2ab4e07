//! The floor of every crate: the one table behind `cargo xtask layers`. A crate that is not in it fails the check.

/// What a floor holds, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Floor {
    /// Images, Dockerfiles and plans as values.
    Values = 1,
    /// What is known about programs, packages and languages; and the sandbox.
    Knowledge = 2,
    /// What stays, what is wrong.
    Judgement = 3,
    /// One function per deed; all network, all host files.
    Deeds = 4,
    /// Words in, words out.
    Words = 5,
    /// Beside the house: tools for those who work on it.
    Workshop = 6,
}

/// Crates that do not exist yet have their place already.
const FLOORS: &[(&str, Floor)] = &[
    ("jettison-image", Floor::Values),
    ("jettison-dockerfile", Floor::Values),
    ("jettison-plan", Floor::Values),
    ("jettison-closure", Floor::Knowledge),
    ("jettison-packages", Floor::Knowledge),
    ("jettison-recipes", Floor::Knowledge),
    (SANDBOX, Floor::Knowledge),
    ("jettison-select", Floor::Judgement),
    ("jettison-lint", Floor::Judgement),
    ("jettison-engine", Floor::Deeds),
    ("jettison", Floor::Words),
    ("xtask", Floor::Workshop),
];

/// The crate that holds all `unsafe` code, and the only one below the deeds that touches the host.
pub(crate) const SANDBOX: &str = "jettison-sandbox";

/// The floor of a crate, if it has one.
pub(crate) fn floor_of(name: &str) -> Option<Floor> {
    FLOORS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, floor)| *floor)
}

/// Whether a crate may not open a host path, read a clock or the environment, or touch a network.
pub(crate) fn is_pure(name: &str) -> bool {
    name != SANDBOX && floor_of(name).is_some_and(|floor| floor <= Floor::Judgement)
}

/// Whether a crate is a library of the product, which never prints and never exits.
pub(crate) fn is_library(name: &str) -> bool {
    floor_of(name).is_some_and(|floor| floor <= Floor::Deeds)
}
