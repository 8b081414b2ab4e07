//! What layers hide of those below, and how many there may be.

use std::path::Path;

use jettison_sandbox::Sandbox;

use super::layer::*;
use crate::support::*;

/// Layers with removed paths and opaque directories show what they would in
/// docker.
pub(super) fn layers_hide(sandbox: &Sandbox, at: &Path) {
    let layers = [
        base().fill(sandbox, &at.join("0")),
        Layer::default()
            .directory("data")
            .directory("kept")
            .file("kept/new", "new\n")
            .removed("data/a")
            .removed("plain")
            .fill(sandbox, &at.join("1")),
        Layer::default()
            .directory("data/sub")
            .file("data/sub/only", "only\n")
            .opaque("data/sub")
            .file("swap", "a file\n")
            .fill(sandbox, &at.join("2")),
    ];
    let out = look(
        sandbox,
        &layers,
        "ls -a /data /data/sub /kept; cat /swap; ls /plain || true",
    );
    assert_eq!(
        out,
        "/data:\n.\n..\nb\nsub\n\n/data/sub:\n.\n..\nonly\n\n/kept:\n.\n..\nfile\nnew\na file\n"
    );
    // Moved, a snapshot is what it was.
    std::fs::rename(&layers[2], at.join("moved")).unwrap();
    let moved = [layers[0].clone(), layers[1].clone(), at.join("moved")];
    assert_eq!(look(sandbox, &moved, "ls /data/sub"), "only\n");
    let error = sandbox.stack(&layers).unwrap_err();
    assert!(error.to_string().contains("opening"), "{error}");
    // The top of a layer can be opaque too.
    let shell = Layer::default()
        .shell()
        .opaque("")
        .fill(sandbox, &at.join("4"));
    let all = [layers[0].clone(), shell];
    assert_eq!(
        look(sandbox, &all, "ls -d /data || true; ls -d /bin"),
        "/bin\n"
    );
    for directory in [&moved[0], &moved[1], &moved[2], &all[1]] {
        sandbox.discard(directory).unwrap();
        assert!(!directory.exists());
    }
    sandbox.discard(&layers[0]).unwrap();
}

pub(super) fn many_layers(sandbox: &Sandbox, at: &Path) {
    let mut layers = vec![Layer::default().shell().fill(sandbox, &at.join("shell"))];
    for number in 0..149 {
        let layer = Layer::default()
            .directory("all")
            .file(&format!("all/{number:03}"), "");
        layers.push(layer.fill(sandbox, &at.join(number.to_string())));
    }
    let upper = at.join("upper");
    let out = run_into(
        sandbox,
        &layers,
        &upper,
        sh("ls /all | busybox wc -l; echo > /all/last"),
    );
    assert_eq!(out, "149\n");
    assert_eq!(
        names(&exported(sandbox, &upper, &layers)),
        ["all/", "all/last"]
    );
    layers.push(upper);
    assert_eq!(look(sandbox, &layers, "ls /all | busybox wc -l"), "150\n");
    for layer in layers {
        sandbox.discard(&layer).unwrap();
    }
}
