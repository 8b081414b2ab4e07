//! Starting, ending, exit codes, output.

use crate::support::*;

#[test]
fn a_program_runs_and_its_output_and_exit_code_come_back() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let (exit, out, err) = run(&sandbox, &root, &sh("echo out; echo err >&2; exit 7"));
    assert_eq!(
        (exit.code, out.as_str(), err.as_str()),
        (7, "out\n", "err\n")
    );
}
