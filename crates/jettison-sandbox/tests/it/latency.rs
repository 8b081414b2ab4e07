//! How long a command takes beyond preparing its root.

use std::time::Instant;

use jettison_sandbox::{ContainerSpec, Network, Profile};

use crate::support::*;

#[test]
#[ignore = "measures; run it alone, in a release build"]
fn a_command_in_a_prepared_root() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    for (name, network, profile) in [
        (
            "private network, as shipped",
            Network::Private,
            Profile::AS_SHIPPED,
        ),
        ("no network, as shipped", Network::None, Profile::AS_SHIPPED),
        (
            "private network, hardened",
            Network::Private,
            Profile::HARDENED,
        ),
    ] {
        let spec = ContainerSpec {
            args: vec!["/bin/true".into()],
            network,
            profile,
            ..ContainerSpec::default()
        };
        let mut times = Vec::new();
        for _ in 0..100 {
            let before = Instant::now();
            let container = sandbox.start(&root, &spec).unwrap();
            container.wait(Some(MOMENT)).unwrap().unwrap();
            times.push(before.elapsed());
        }
        times.sort();
        println!("{name}: median {:?}, least {:?}", times[50], times[0]);
    }
}
