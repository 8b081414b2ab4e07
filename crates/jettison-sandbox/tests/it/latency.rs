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

/// One step of a build: a container on a stack, its layer kept and read.
fn a_step(sandbox: &jettison_sandbox::Sandbox, at: &std::path::Path) {
    let below = crate::snapshots::shell(sandbox, &at.join("base"));
    let root = sandbox.stack(std::slice::from_ref(&below)).unwrap();
    let mut times = Vec::new();
    for number in 0..50 {
        let upper = at.join(number.to_string());
        let before = Instant::now();
        std::fs::create_dir(&upper).unwrap();
        let spec = ContainerSpec {
            args: vec!["/bin/true".into()],
            network: Network::None,
            upper: Some(upper.clone()),
            ..ContainerSpec::default()
        };
        let container = sandbox.start(&root, &spec).unwrap();
        container.wait(Some(MOMENT)).unwrap().unwrap();
        container.close().unwrap();
        let ran = before.elapsed();
        let mut export = sandbox
            .export(&upper, std::slice::from_ref(&below))
            .unwrap();
        assert!(export.next_entry().unwrap().is_none());
        times.push((ran, before.elapsed()));
    }
    times.sort();
    println!(
        "a step: median {:?}, with its export {:?}",
        times[25].0, times[25].1
    );
    println!(
        "a step: least {:?}, with its export {:?}",
        times[0].0, times[0].1
    );
    let upper = at.join("many");
    std::fs::create_dir(&upper).unwrap();
    let script = "for d in 0 1 2 3 4 5 6 7 8 9; do busybox mkdir /$d; \
                  for i in $(busybox seq 1000); do echo $d $i > /$d/$i; done; done";
    let spec = ContainerSpec {
        network: Network::None,
        upper: Some(upper.clone()),
        ..sh(script)
    };
    let container = sandbox.start(&root, &spec).unwrap();
    container.wait(Some(MOMENT)).unwrap().unwrap();
    let before = Instant::now();
    container.close().unwrap();
    println!("closed: {:?}", before.elapsed());
    let mut read = Vec::new();
    for _ in 0..5 {
        let before = Instant::now();
        let mut export = sandbox
            .export(&upper, std::slice::from_ref(&below))
            .unwrap();
        let mut count = 0;
        while let Some(mut entry) = export.next_entry().unwrap() {
            std::io::copy(&mut entry, &mut std::io::sink()).unwrap();
            count += 1;
        }
        assert_eq!(count, 10_010);
        read.push(before.elapsed());
    }
    read.sort();
    println!(
        "10000 small files read: median {:?}, least {:?}",
        read[2], read[0]
    );
    let before = Instant::now();
    sandbox.discard(&upper).unwrap();
    println!("and removed: {:?}", before.elapsed());
}

#[test]
#[ignore = "measures; run it alone, in a release build"]
fn a_step_of_a_build() {
    let Some(sandbox) = root_tier() else { return };
    let at = tempfile::tempdir().unwrap();
    a_step(&sandbox, at.path());
}

/// The same as an ordinary user; does nothing unless it is started as one.
#[test]
fn inner_step() {
    let Some(sandbox) = crate::tiers::open(jettison_sandbox::Tier::UserNamespace) else {
        return;
    };
    let scratch = std::env::var_os("JETTISON_TEST_TIER").unwrap();
    let at = std::path::Path::new(&scratch).with_file_name("snapshots");
    std::fs::create_dir(&at).unwrap();
    a_step(&sandbox, &at);
}

#[test]
#[ignore = "measures; run it alone, in a release build"]
fn a_step_of_an_ordinary_user() {
    let text = crate::snapshots::as_user_with_ids("latency::inner_step");
    println!("{}", text.unwrap_or_default());
}
