//! Dependencies point downwards: checked on what `cargo metadata` says, whatever features or targets are on.

use serde_json::Value;

use super::floors::{floor_of, is_pure};

/// Crates that exist to reach the host. A pure crate that depends on one means to.
const HOST_CRATES: &[&str] = &[
    "bollard",
    "fs4",
    "hyper",
    "ignore",
    "libc",
    "memmap2",
    "mio",
    "nix",
    "oci-client",
    "reqwest",
    "rustix",
    "socket2",
    "tempfile",
    "tokio",
    "ureq",
    "walkdir",
];

/// Says what is wrong with the dependencies of the workspace's crates, one line each.
pub(crate) fn check(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let members: Vec<&str> = packages
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    let mut wrong = Vec::new();
    for package in packages {
        let Some(name) = package["name"].as_str() else {
            wrong.push("a package without a name".to_owned());
            continue;
        };
        if floor_of(name).is_none() {
            wrong.push(format!(
                "{name}: has no floor; give it one in xtask/src/layers/floors.rs"
            ));
            continue;
        }
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            wrong.extend(check_edge(name, dependency, &members));
        }
    }
    wrong
}

fn check_edge(name: &str, dependency: &Value, members: &[&str]) -> Option<String> {
    let used = dependency["name"].as_str()?;
    // "dev", "build", or null for a normal one.
    let kind = dependency["kind"].as_str().unwrap_or("normal");
    if !members.contains(&used) && floor_of(used).is_none() {
        let reaches_out = kind != "dev" && is_pure(name) && HOST_CRATES.contains(&used);
        return reaches_out.then(|| {
            format!("{name}: a pure crate may not depend on {used}, which reaches the host")
        });
    }
    let (from, to) = (floor_of(name)?, floor_of(used)?);
    // Tests may look sideways (another crate's reader judges this one's writer), never up.
    let allowed = if kind == "dev" { to <= from } else { to < from };
    let direction = if to == from { "sideways" } else { "upward" };
    (!allowed).then(|| {
        format!(
            "{name} (floor {}) → {used} (floor {}): {direction} {kind} dependency",
            from as u8, to as u8
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::check;

    /// A made-up workspace: each crate with its dependencies as `name` or `name:kind`.
    fn workspace(crates: &[(&str, &[&str])]) -> Value {
        let packages: Vec<Value> = crates
            .iter()
            .map(|(name, dependencies)| {
                let dependencies: Vec<Value> = dependencies
                    .iter()
                    .map(|text| match text.split_once(':') {
                        Some((name, kind)) => json!({"name": name, "kind": kind}),
                        None => json!({"name": text, "kind": null}),
                    })
                    .collect();
                json!({"name": name, "dependencies": dependencies})
            })
            .collect();
        json!({ "packages": packages })
    }

    fn check_one(crates: &[(&str, &[&str])], expected: &[&str]) {
        assert_eq!(check(&workspace(crates)), expected);
    }

    #[test]
    fn downward_edges_pass() {
        check_one(
            &[
                ("jettison-image", &["serde"]),
                ("jettison-packages", &["jettison-image"]),
                ("jettison-sandbox", &["jettison-image", "libc"]),
                (
                    "jettison-engine",
                    &["jettison-packages", "jettison-image", "tokio"],
                ),
                ("jettison", &["jettison-engine", "jettison-image:build"]),
            ],
            &[],
        );
    }

    #[test]
    fn sideways_and_upward_edges_fail() {
        check_one(
            &[
                ("jettison-image", &["jettison-plan"]),
                ("jettison-plan", &[]),
            ],
            &["jettison-image (floor 1) → jettison-plan (floor 1): sideways normal dependency"],
        );
        check_one(
            &[
                ("jettison-closure", &["jettison-engine:build"]),
                ("jettison-engine", &[]),
            ],
            &["jettison-closure (floor 2) → jettison-engine (floor 4): upward build dependency"],
        );
        check_one(
            &[("jettison-engine", &["xtask"])],
            &["jettison-engine (floor 4) → xtask (floor 6): upward normal dependency"],
        );
    }

    #[test]
    fn tests_may_look_sideways_but_not_up() {
        check_one(
            &[(
                "jettison-closure",
                &["jettison-packages:dev", "tempfile:dev"],
            )],
            &[],
        );
        check_one(
            &[("jettison-closure", &["jettison-lint:dev"])],
            &["jettison-closure (floor 2) → jettison-lint (floor 3): upward dev dependency"],
        );
    }

    #[test]
    fn a_crate_without_a_floor_fails() {
        check_one(
            &[("jettison-extras", &["jettison-image"])],
            &["jettison-extras: has no floor; give it one in xtask/src/layers/floors.rs"],
        );
    }

    #[test]
    fn a_pure_crate_may_not_depend_on_what_reaches_the_host() {
        check_one(
            &[("jettison-recipes", &["tokio"])],
            &["jettison-recipes: a pure crate may not depend on tokio, which reaches the host"],
        );
    }
}
