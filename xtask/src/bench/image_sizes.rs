//! How much an image weighs beyond the program in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::layout::{self, Sizes};
use super::measure;
use super::record::Record;
use super::{Context, Problem};
use crate::{upx, workspace};

/// The Go service with what it needs, then with more; and a command-line program that needs nothing.
pub(crate) fn run(context: &Context) -> Result<Record, Problem> {
    let mut record = Record::new("image");
    let service = example(context, "devops-info-go")?;
    let plain = build(context, &service, &[])?;
    row(&mut record, "devops-info-go", &plain);
    record.goal(
        "devops-info-go on the wire",
        2.4,
        plain.wire_bytes as f64 / 1e6,
        "MB",
    );
    let certificates = build(context, &service, &["--keep", "ca-certificates"])?;
    row(&mut record, "devops-info-go, CA bundle", &certificates);
    record.goal(
        "beside the binary with a CA bundle",
        0.3,
        beside(&certificates),
        "MB",
    );
    let zones = build(context, &service, &["--keep", "ca-certificates,tzdata"])?;
    row(
        &mut record,
        "devops-info-go, CA bundle and all time zones",
        &zones,
    );
    record.goal(
        "beside the binary with all time zones too",
        0.8,
        beside(&zones),
        "MB",
    );

    let program = example(context, "hello-go")?;
    let hello = build(context, &program, &[])?;
    row(&mut record, "hello-go", &hello);
    record.goal(
        "files beside the binary in hello-go",
        0.0,
        beside(&hello),
        "MB",
    );
    match upx::provide(&context.folder) {
        Ok(folder) => {
            let sizes = build_with(
                context,
                &program,
                &["--upx"],
                &workspace::path_with(&[folder]),
            )?;
            row(&mut record, "hello-go --upx", &sizes);
        }
        Err(reason) => record.without(format!("the row with --upx: {reason}")),
    }
    Ok(record)
}

fn beside(sizes: &Sizes) -> f64 {
    (sizes.unpacked_bytes - sizes.largest_bytes) as f64 / 1e6
}

fn row(record: &mut Record, what: &str, sizes: &Sizes) {
    record.row(
        what,
        &[
            ("binary_bytes", json!(sizes.largest_bytes)),
            ("unpacked_bytes", json!(sizes.unpacked_bytes)),
            ("on_the_wire_bytes", json!(sizes.wire_bytes)),
            ("layers", json!(sizes.layers.len())),
        ],
    );
}

/// An example that this bench stands on.
pub(crate) fn example(context: &Context, name: &str) -> Result<PathBuf, Problem> {
    let folder = context.root.join("examples").join(name);
    if !folder.is_dir() {
        return Err(format!("examples/{name} is missing").into());
    }
    Ok(folder)
}

/// Builds a project into a layout and counts it.
fn build(context: &Context, project: &Path, options: &[&str]) -> Result<Sizes, Problem> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    build_with(context, project, options, &path)
}

fn build_with(
    context: &Context,
    project: &Path,
    options: &[&str],
    path: &OsStr,
) -> Result<Sizes, Problem> {
    let folder = tempfile::tempdir_in(&context.folder)?;
    let layout = folder.path().join("layout");
    let mut command = context.jettison();
    command
        .arg("build")
        .arg(project)
        .arg("-o")
        .arg(format!("oci:{}", layout.display()))
        .args(options)
        .env("PATH", path);
    measure::once(context, &command)?;
    layout::sizes(&layout)
}
