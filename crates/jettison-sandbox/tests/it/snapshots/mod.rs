//! Snapshots: layers as directories, what is written above them, and what
//! comes out of it as a layer; as root and as an ordinary user.

mod docker;
mod killed;
mod layer;
mod layers;
mod mounts;
mod wrote;

use std::path::{Path, PathBuf};

use jettison_sandbox::{ContainerSpec, Error, Sandbox, Tier};

use crate::support::*;
use layers::{layers_hide, many_layers};
use mounts::{a_socket, no_mount_points, own_files_stay, the_machines_network};
use wrote::{what_a_run_wrote, what_files_carry};

fn in_root(body: impl FnOnce(&Sandbox, &Path)) {
    let Some(sandbox) = root_tier() else { return };
    if busybox().is_none() {
        return;
    }
    let at = tempfile::tempdir().unwrap();
    body(&sandbox, at.path());
}

#[test]
fn layers_hide_what_is_below() {
    in_root(layers_hide);
}

#[test]
fn what_a_run_wrote_is_a_layer() {
    in_root(what_a_run_wrote);
}

#[test]
fn mount_points_are_in_no_layer() {
    in_root(no_mount_points);
}

#[test]
fn files_that_are_mounted_on_stay() {
    in_root(own_files_stay);
}

#[test]
fn what_files_carry_is_kept() {
    in_root(what_files_carry);
}

#[test]
fn a_hundred_and_fifty_layers() {
    in_root(many_layers);
}

#[test]
fn a_socket_of_the_machine() {
    in_root(a_socket);
}

#[test]
fn a_step_in_the_machines_network() {
    if is_root() && busybox().is_some() {
        let at = tempfile::tempdir().unwrap();
        the_machines_network(Tier::Root, None, at.path());
    }
}

/// Everything above as an ordinary user with subordinate ids.
#[test]
fn inner_snapshots() {
    let Some(sandbox) = crate::tiers::open(Tier::UserNamespace) else {
        return;
    };
    let scratch = std::env::var_os("JETTISON_TEST_TIER").unwrap();
    let at = Path::new(&scratch).with_file_name("snapshots");
    std::fs::create_dir(&at).unwrap();
    let bodies = [
        layers_hide,
        what_a_run_wrote,
        no_mount_points,
        own_files_stay,
        what_files_carry,
        many_layers,
        a_socket,
        what_is_there_stays,
    ];
    for (number, body) in bodies.into_iter().enumerate() {
        let at = at.join(number.to_string());
        std::fs::create_dir(&at).unwrap();
        body(&sandbox, &at);
        std::fs::remove_dir(&at).unwrap();
    }
    drop(sandbox);
    the_machines_network(Tier::UserNamespace, Some(scratch.into()), &at);
    println!("inner ran");
}

#[test]
fn snapshots_of_an_ordinary_user() {
    let text = as_user_with_ids("snapshots::inner_snapshots");
    assert!(text.is_none_or(|text| text.contains("inner ran")));
}

/// Without ids for the users of images no layer can be kept.
#[test]
fn inner_single_user() {
    let Some(sandbox) = crate::tiers::open(Tier::SingleUser) else {
        return;
    };
    let nowhere = Path::new("/nonexistent/snapshot");
    let errors = [
        sandbox.new_snapshot(nowhere).map(|_| ()).unwrap_err(),
        sandbox
            .stack(&[nowhere.to_owned()])
            .map(|_| ())
            .unwrap_err(),
        sandbox.export(nowhere, &[]).map(|_| ()).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
        assert!(error.hint().unwrap().contains("--add-subuids"));
    }
    println!("inner ran");
}

#[test]
fn a_user_without_ids_is_told_how_to_get_them() {
    let text = crate::tiers::as_user(54998, "snapshots::inner_single_user", &[]);
    assert!(text.is_none_or(|text| text.contains("inner ran")));
}

/// Who fills or writes into what is there already does not harm it.
fn what_is_there_stays(sandbox: &Sandbox, at: &Path) {
    let first = shell(sandbox, &at.join("first"));
    let again = sandbox.new_snapshot(&first);
    assert!(matches!(again, Err(Error::Step { .. })), "{again:?}");
    let root = sandbox.stack(std::slice::from_ref(&first)).unwrap();
    let spec = ContainerSpec {
        upper: Some(first.clone()),
        ..sh("true")
    };
    assert!(sandbox.start(&root, &spec).is_err());
    let upper = at.join("upper");
    std::fs::create_dir(&upper).unwrap();
    let spec = ContainerSpec {
        upper: Some(upper.clone()),
        ..sh("read x; echo y > /data/y; busybox rm /data/a")
    };
    let running = sandbox.start(&root, &spec).unwrap();
    assert!(sandbox.start(&root, &spec).is_err());
    assert_eq!(finish(&running).0.code, 0);
    running.close().unwrap();
    let layers = [first, upper];
    assert_eq!(layer::look(sandbox, &layers, "ls /data"), "b\nsub\ny\n");
    // Half a snapshot is none.
    let half = at.join("half");
    drop(sandbox.new_snapshot(&half).unwrap());
    for directory in layers.iter().chain([&half]) {
        sandbox.discard(directory).unwrap();
    }
}

#[test]
fn nobody_writes_over_a_snapshot() {
    in_root(what_is_there_stays);
}

/// Runs a test of this binary as a user who has subordinate ids.
pub(crate) fn as_user_with_ids(test: &str) -> Option<String> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _alone = ALONE.lock();
    if !is_root() || !crate::tiers::has("newuidmap") {
        return None;
    }
    let name = "jettison-test-snap";
    let _ = std::process::Command::new("useradd")
        .args(["--no-create-home", "--uid", "54322", name])
        .output();
    let text = crate::tiers::as_user(54322, test, &[]);
    let _ = std::process::Command::new("userdel").arg(name).output();
    text
}

/// A snapshot with a shell.
pub(crate) fn shell(sandbox: &Sandbox, directory: &Path) -> PathBuf {
    layer::base().fill(sandbox, directory)
}
