//! What the tracer sees of real programs.

mod ends;
mod oracle;
mod probe;
mod tiers;

use std::collections::BTreeMap;

use jettison_plan::Trace;
use jettison_sandbox::{ContainerSpec, ExecSpec, Root, Sandbox, Tracing};

use crate::support::*;

/// Path and touches, as text.
pub(crate) fn lines(trace: &Trace) -> BTreeMap<String, String> {
    let paths = trace.paths.iter();
    paths
        .map(|(path, touch)| (path.to_string(), format!("{touch:?}")))
        .collect()
}

pub(crate) fn traced(
    sandbox: &Sandbox,
    root: &Root,
    by: Tracing,
    spec: &ContainerSpec,
) -> (Trace, String) {
    let spec = ContainerSpec {
        trace: by,
        ..spec.clone()
    };
    let container = sandbox.start(root, &spec).unwrap();
    let (exit, out, err) = finish(&container);
    let trace = container.take_trace().unwrap();
    assert_eq!(trace.lost, 0, "{:?}", trace.notes);
    (trace, format!("{} {out}{err}", exit.code))
}

#[test]
fn a_shell_touches_what_it_is_told_to() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let script = "cat /etc/passwd > /copy; ls /etc; cat /missing /etc/../etc/none; \
                  test -e /etc/group; cd /etc; cat ./group; readlink /bin/cat; rm /copy; \
                  mkdir /new; echo x > /dev/null; cat /proc/self/status > /dev/null; exit 3";
    let (trace, _) = traced(&sandbox, &root, Tracing::ByNotification, &sh(script));
    let lines = lines(&trace);
    let check = |path: &str, expected: &str| {
        // Which of the C library's ways to ask about an open file it takes,
        // is its own affair.
        let found = lines.get(path);
        let found = found.map(|touch| touch.replace("opened+asked", "opened"));
        assert_eq!(found.as_deref(), Some(expected), "{path}");
    };
    check("/etc/passwd", "opened");
    check("/copy", "asked+changed");
    check("/missing", "opened+missing");
    check("/etc/none", "opened+missing");
    check("/etc/group", "opened");
    check("/bin/sh", "link");
    check("/bin/cat", "link+asked");
    check("/bin/busybox", "executed");
    check("/new", "changed");
    assert!(lines["/etc"].contains("listed"));
    assert!(
        !lines
            .keys()
            .any(|path| path.starts_with("/proc") || path.starts_with("/dev"))
    );
    let busybox = &trace.programs[&jettison_plan::FilePath::new("bin/busybox")];
    assert_eq!(busybox[..2], ["/bin/sh", "-c"]);
}

#[test]
fn traces_are_drained_between_probes() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let spec = ContainerSpec {
        trace: Tracing::On,
        ..sh("sleep 60")
    };
    let container = sandbox.start(&root, &spec).unwrap();
    let first = container.take_trace().unwrap();
    assert!(lines(&first).contains_key("/bin/busybox"), "{first:?}");
    for (path, touch) in [("/etc/passwd", "opened"), ("/none", "opened+missing")] {
        let spec = ExecSpec {
            args: vec!["/bin/cat".into(), path.into()],
            ..ExecSpec::default()
        };
        let command = container.exec(&spec).unwrap();
        command.wait(Some(MOMENT)).unwrap().unwrap();
        let trace = container.take_trace().unwrap();
        assert_eq!(lines(&trace)[path], touch);
        assert_eq!(trace.lost, 0);
        let other = if path == "/none" {
            "/etc/passwd"
        } else {
            "/none"
        };
        assert!(!lines(&trace).contains_key(other));
    }
    container.stop(9, MOMENT).unwrap();
    assert_eq!(container.take_trace().unwrap().paths.len(), 0);
}
