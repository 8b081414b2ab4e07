//! What executing a Dockerfile costs, beside BuildKit and buildah: a Go service cold, unchanged and with one line changed, and
//! a COPY of 10,000 files. Nobody slims here (`--no-slim`), the Dockerfiles have no cache mounts, bases are local. What is built
//! is handed over as an OCI image on disk; what is unchanged stays where the builder keeps it.

mod buildah;
mod input;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::Context;
use super::image_sizes::example;
use super::layout;
use super::measure::{Usage, medians, once};
use super::record::Record;
use crate::Problem;
use crate::buildkit::BuildKit;
use buildah::Buildah;
use input::Input;

/// What is measured: its name, and what is done before each run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// The builder forgets everything.
    Forget,
    /// The service is another.
    Change,
    Nothing,
}

struct Case<'a> {
    what: &'a str,
    /// What a builder is to have built just before.
    before: Before,
    directory: &'a Path,
    compression: &'a str,
}

/// Directory, compression and where the result goes, to a command line.
type Told<'a> = dyn Fn(&Path, &str, Option<&Path>) -> Command + 'a;

/// A builder: what it is called, how it is told, and how it forgets.
struct Builder<'a> {
    name: String,
    command: Box<Told<'a>>,
    forget: Box<dyn Fn() -> Result<(), Problem> + 'a>,
    /// What the kernel counts is all of it: no daemon works for it.
    is_alone: bool,
}

/// All builders take turns in each case.
pub(crate) fn run(context: &Context) -> Result<Record, Problem> {
    let folder = context.folder.join("dockerfile");
    let input = input::provide(&folder, &example(context, "devops-info-go")?)?;
    let mut record = Record::new("Dockerfiles, to an OCI image on disk");
    let kept = tempfile::tempdir_in(&context.folder)?;
    let buildkit = BuildKit::start(kept.path());
    let buildah = Buildah::find(&context.folder);
    let mut builders = vec![ours(context, &input)];
    match &buildkit {
        Ok(buildkit) => builders.push(of_buildkit(buildkit, &input)),
        Err(reason) => record.without(format!("BuildKit ({reason})")),
    }
    match &buildah {
        Ok(buildah) => builders.push(of_buildah(buildah, &input)),
        Err(reason) => record.without(reason.clone()),
    }
    let case = |what, before, directory, compression| Case {
        what,
        before,
        directory,
        compression,
    };
    let cases = [
        case("Go service, cold", Before::Forget, &*input.service, "gzip"),
        case(
            "Go service, one line changed",
            Before::Change,
            &input.service,
            "gzip",
        ),
        case(
            "Go service, unchanged",
            Before::Nothing,
            &input.service,
            "gzip",
        ),
        case(
            "COPY of 200 MB in 10,000 files, gzip",
            Before::Forget,
            &input.many,
            "gzip",
        ),
        case(
            "COPY of 200 MB in 10,000 files, zstd",
            Before::Forget,
            &input.many,
            "zstd",
        ),
        case(
            "the same files, unchanged",
            Before::Nothing,
            &input.many,
            "zstd",
        ),
    ];
    let mut found: Vec<Vec<Usage>> = Vec::new();
    let mut peak_bytes: f64 = 0.0;
    let mut sizes = Vec::new();
    for case in &cases {
        println!("  {} …", case.what);
        let measured = measure(context, case, &builders)?;
        for (builder, (usage, size)) in builders.iter().zip(&measured) {
            let what = format!("{}: {}", case.what, builder.name);
            let mut figures = vec![("wall_s", json!((usage.wall_s * 1000.0).round() / 1000.0))];
            if builder.is_alone {
                figures.push(("cpu_s", json!((usage.cpu_s * 1000.0).round() / 1000.0)));
                figures.push(("peak_bytes", json!(usage.peak_bytes as u64)));
            }
            if *size > 0 {
                figures.push(("on_the_wire_bytes", json!(size)));
            }
            record.row(&what, &figures);
        }
        // What a compiler takes is not the builder's.
        if case.directory == input.many {
            peak_bytes = peak_bytes.max(measured[0].0.peak_bytes);
        }
        sizes.push(measured[0].1);
        found.push(measured.into_iter().map(|(usage, _)| usage).collect());
    }
    let large = case(
        "COPY of a file of 1 GiB",
        Before::Forget,
        &input.large,
        "zstd",
    );
    let measured = measure(context, &large, &builders[..1])?;
    record.usage("COPY of a file of 1 GiB, zstd: jettison", measured[0].0);
    peak_bytes = peak_bytes.max(measured[0].0.peak_bytes);

    let best = |case: usize| {
        let others = found[case].iter().skip(1).map(|usage| usage.wall_s);
        others.reduce(f64::min)
    };
    let own = |case: usize| found[case][0].wall_s;
    if let Some(best) = best(0) {
        let ratio = own(0) / best;
        record.goal(
            "cold, against the faster of the others",
            1.0,
            ratio,
            "times",
        );
    }
    record.goal("one line changed", 0.5, own(1), "s");
    record.goal("unchanged service", 0.06, own(2), "s");
    if let Some(best) = best(2) {
        let ratio = own(2) / best;
        record.goal(
            "unchanged, against the faster of the others",
            1.0,
            ratio,
            "times",
        );
    }
    record.goal("10,000 files with gzip", 1.4, own(3), "s");
    record.goal(
        "10,000 files with gzip, their size",
        75.0,
        sizes[3] as f64 / 1e6,
        "MB",
    );
    record.goal("10,000 files with zstd", 0.7, own(4), "s");
    record.goal("10,000 files, unchanged", 0.05, own(5), "s");
    record.goal(
        "memory, whatever is copied",
        200.0,
        peak_bytes / f64::from(1 << 20),
        "MiB",
    );
    Ok(record)
}

/// The medians of each builder, and what its image takes on the wire.
fn measure(
    context: &Context,
    case: &Case<'_>,
    builders: &[Builder<'_>],
) -> Result<Vec<(Usage, u64)>, Problem> {
    let folder = tempfile::tempdir_in(&context.folder)?;
    let mut usages: Vec<Vec<Usage>> = builders.iter().map(|_| Vec::new()).collect();
    let mut sizes = vec![0; builders.len()];
    // Who forgets has nothing to warm up.
    let warm = usize::from(case.before != Before::Forget);
    for round in 0..context.runs + warm {
        if case.before == Before::Change {
            input::change(case.directory, round)?;
        }
        for (number, builder) in builders.iter().enumerate() {
            let result = folder.path().join(format!("{number}-{round}"));
            if case.before == Before::Forget {
                (builder.forget)()?;
            }
            let to = (case.before != Before::Nothing).then_some(&*result);
            let command = (builder.command)(case.directory, case.compression, to);
            let usage = once(context, &command);
            let usage = usage.map_err(|problem| format!("{}: {problem}", builder.name))?;
            if round >= warm {
                usages[number].push(usage);
            }
            if to.is_none() {
                continue;
            }
            sizes[number] = wire(&result)?;
            match result.is_dir() {
                true => std::fs::remove_dir_all(&result)?,
                false => std::fs::remove_file(&result)?,
            }
        }
    }
    let usages = usages.iter().map(|usages| medians(usages));
    Ok(usages.zip(sizes).collect())
}

/// What an image takes on the wire: all blobs of its layout.
fn wire(layout: &Path) -> Result<u64, Problem> {
    if layout.is_dir() {
        return Ok(layout::wire(layout)?);
    }
    // BuildKit writes an archive of one.
    let mut bytes = 0;
    let mut archive = tar::Archive::new(std::fs::File::open(layout)?);
    for entry in archive.entries()? {
        let entry = entry?;
        if entry.path()?.starts_with("blobs") && entry.header().entry_type().is_file() {
            bytes += entry.size();
        }
    }
    Ok(bytes)
}

fn ours<'a>(context: &'a Context, input: &'a Input) -> Builder<'a> {
    let store: PathBuf = context.folder.join("dockerfile-store");
    let kept = store.clone();
    let forget = move || match kept.exists() {
        true => Ok(std::fs::remove_dir_all(&kept)?),
        false => Ok(()),
    };
    let command = move |directory: &Path, compression: &str, to: Option<&Path>| {
        let mut command = Command::new(&context.jettison);
        command.arg("--store").arg(&store).arg("build");
        command.arg(directory).arg("--no-slim");
        let base = format!("golang=oci-layout://{}", input.base.display());
        // Nor do the others hand it to a Docker engine.
        command.args(["--build-context", &base, "-t", "bench", "--no-load"]);
        if let Some(to) = to {
            let to = to.display();
            let output = format!("type=oci,dest={to},tar=false,compression={compression}");
            command.args(["-o", &output]);
        }
        command
    };
    Builder {
        name: "jettison".to_owned(),
        command: Box::new(command),
        forget: Box::new(forget),
        is_alone: true,
    }
}

fn of_buildkit<'a>(buildkit: &'a BuildKit, input: &'a Input) -> Builder<'a> {
    let command = |directory: &Path, compression: &str, to: Option<&Path>| {
        let mut command = buildkit.client();
        command.args(["build", "--frontend", "dockerfile.v0", "--progress=plain"]);
        for name in ["context", "dockerfile"] {
            command.args(["--local", &format!("{name}={}", directory.display())]);
        }
        command.args(["--oci-layout", &format!("base={}", input.base.display())]);
        let base = format!("context:golang=oci-layout://base@{}", input.base_digest);
        command.args(["--opt", &base]);
        if let Some(to) = to {
            let to = to.display();
            let packed = format!("compression={compression},force-compression=true");
            command.args(["--output", &format!("type=oci,dest={to},{packed}")]);
        }
        command
    };
    Builder {
        name: "BuildKit 0.26".to_owned(),
        command: Box::new(command),
        forget: Box::new(|| buildkit.prune()),
        is_alone: false,
    }
}

fn of_buildah<'a>(buildah: &'a Buildah, input: &'a Input) -> Builder<'a> {
    let command = |directory: &Path, compression: &str, to: Option<&Path>| {
        let words = buildah.words();
        let base = input.base.display();
        let directory = directory.display();
        let mut script = format!(
            "{words} bud --quiet --layers --isolation oci --network host \
             --build-context golang=docker-image://oci:{base}:latest -t bench {directory}"
        );
        if let Some(to) = to {
            script += &format!(
                " && {words} push --quiet --compression-format {compression} bench oci:{}:latest",
                to.display()
            );
        }
        let mut command = Command::new("sh");
        command.args(["-c", &script]);
        command
    };
    Builder {
        name: format!("buildah {}", buildah.version),
        command: Box::new(command),
        forget: Box::new(|| buildah.prune()),
        is_alone: true,
    }
}
