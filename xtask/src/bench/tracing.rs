//! What it costs a program to be traced: interpreters that load their modules, and a program that opens 40,000 files, each
//! measured from inside the sandbox, untraced and under both tracers.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Context;
use super::record::Record;
use crate::Problem;

/// What runs in the container: it measures each piece of work five times and prints the medians.
const HARNESS: &str = r#"
import json, os, subprocess, time
IMPORTS = "import asyncio, decimal, email.message, http.client, logging, sqlite3, unittest, xml.dom.minidom"
def many(folder, count, text):
    os.makedirs(folder)
    for number in range(count):
        with open(f"{folder}/{number}.js", "w") as file:
            file.write(text)
many("/tmp/modules", 2000, "module.exports = 1\n")
many("/tmp/files", 40000, "x" * 200)
MODULES = "for (let n = 0; n < 2000; n++) require(`/tmp/modules/${n}.js`)"
def files():
    for number in range(40000):
        with open(f"/tmp/files/{number}.js") as file:
            file.read()
def runs(*argv):
    return lambda: subprocess.run(argv, check=True)
def median(work):
    times = []
    for _ in range(6):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return sorted(times[1:])[2]
print(json.dumps([median(runs("python3", "-c", IMPORTS)), median(runs("node", "-e", MODULES)), median(files)]))
"#;
const WORK: [&str; 3] = [
    "Python starts and imports its library",
    "Node starts and loads 2,000 modules",
    "40,000 files are opened and read",
];
/// How a program is run: what that is called, and the flags.
const WAYS: [(&str, &[&str]); 3] = [
    ("untraced_s", &[]),
    ("notification_s", &["--trace-by", "notification"]),
    ("ptrace_s", &["--trace-by", "ptrace"]),
];

pub(crate) fn run(context: &Context) -> Result<Record, Problem> {
    let folder = tempfile::tempdir_in(&context.folder)?;
    let image = image(context, folder.path())?;
    let mut took = Vec::new();
    for (_, flags) in WAYS {
        let mut command = context.jettison();
        command.args(["run", "--quiet", "--entrypoint", "python3"]);
        if !flags.is_empty() {
            let trace = folder.path().join("trace.json");
            command.arg("--trace").arg(trace).args(flags);
        }
        command.arg(&image).args(["--", "-c", HARNESS]);
        let output = command.output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("the harness: {}", said.trim()).into());
        }
        took.push(serde_json::from_slice::<Vec<f64>>(&output.stdout)?);
    }
    let mut record = Record::new("the cost of tracing");
    for (number, what) in WORK.into_iter().enumerate() {
        let mut figures: Vec<(&str, Value)> = Vec::new();
        for ((name, _), took) in WAYS.iter().zip(&took) {
            let took = took.get(number).ok_or("the harness left something out")?;
            figures.push((name, json!(round(*took))));
        }
        record.row(what, &figures);
    }
    for (number, what) in WORK.into_iter().enumerate() {
        let ratio = took[1][number] / took[0][number];
        record.goal(what, 2.0, round(ratio), "times");
    }
    Ok(record)
}

/// A system of this machine's own release, with what is measured.
fn image(context: &Context, folder: &Path) -> Result<String, Problem> {
    let release = std::fs::read_to_string("/etc/os-release")?;
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .ok_or("this machine has no code name of a Debian release")?;
    let layout: PathBuf = folder.join("image");
    let place = format!("oci:{}", layout.display());
    let mut copy = context.jettison();
    copy.args(["copy", "--quiet"]);
    copy.arg(format!("debian:{codename}?packages=python3,nodejs"));
    let output = copy.arg(&place).output()?;
    match output.status.success() {
        true => Ok(place),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("composing the image: {}", said.trim()).into())
        }
    }
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
