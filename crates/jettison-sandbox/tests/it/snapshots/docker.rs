//! Docker as the judge: an image of a layer that we read back shows in docker
//! what the next container of ours sees.

use std::path::Path;
use std::process::Command;

use jettison_image::compression::EncoderOptions;
use jettison_image::{Compression, LayerWriter};

use super::layer::*;
use super::wrote::EVERYTHING;
use crate::support::*;

fn docker(args: &[&str]) -> Option<String> {
    let output = Command::new("docker").args(args).output().ok()?;
    if !output.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn archive(layer: &Layer, to: &Path) -> String {
    let options = EncoderOptions::new(Compression::None);
    let file = std::fs::File::create(to).unwrap();
    let mut writer = LayerWriter::new(file, &options).unwrap();
    for (entry, content) in &layer.entries {
        writer.append(entry, &mut &content[..]).unwrap();
    }
    writer.finish().unwrap().0.diff_id.to_string()
}

#[test]
fn docker_shows_what_the_next_step_sees() {
    if !is_root() || busybox().is_none() {
        return;
    }
    if docker(&["version"]).is_none() {
        eprintln!("skipped: no docker answers");
        return;
    }
    let Some(sandbox) = root_tier() else { return };
    let at = tempfile::tempdir().unwrap();
    let lower = base();
    let below = vec![lower.fill(&sandbox, &at.path().join("base"))];
    let upper = at.path().join("upper");
    run_into(&sandbox, &below, &upper, sh(EVERYTHING));
    let layer = exported(&sandbox, &upper, &below);
    let image = at.path().join("image");
    std::fs::create_dir(&image).unwrap();
    let ids = [&lower, &layer]
        .into_iter()
        .enumerate()
        .map(|(number, layer)| archive(layer, &image.join(format!("{number}.tar"))));
    let ids: Vec<String> = ids.map(|id| format!("\"{id}\"")).collect();
    let name = format!("jettison-test-{}:layer", std::process::id());
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let config = format!(
        "{{\"architecture\":\"{architecture}\",\"os\":\"linux\",\"config\":{{}},\
         \"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[{}]}}}}",
        ids.join(",")
    );
    std::fs::write(image.join("config.json"), config).unwrap();
    let manifest = format!(
        "[{{\"Config\":\"config.json\",\"RepoTags\":[\"{name}\"],\"Layers\":[\"0.tar\",\"1.tar\"]}}]"
    );
    std::fs::write(image.join("manifest.json"), manifest).unwrap();
    let whole = at.path().join("image.tar");
    let packed = Command::new("tar")
        .args([
            "-C",
            image.to_str().unwrap(),
            "-cf",
            whole.to_str().unwrap(),
        ])
        .args(["manifest.json", "config.json", "0.tar", "1.tar"])
        .status();
    assert!(packed.unwrap().success());
    docker(&["load", "-q", "-i", whole.to_str().unwrap()]).expect("docker loads it");
    let run = [
        "run",
        "--rm",
        "--network",
        "none",
        &name,
        "/bin/sh",
        "-c",
        TELL,
    ];
    let text = docker(&run);
    docker(&["rmi", "-f", &name]);
    let mut seen = told(&text.expect("docker runs it"));
    // Docker's own files, and the directory that they change the time of.
    let own = |line: &String| {
        [".dockerenv", "etc", "etc/mtab"].contains(&line.split(' ').next().unwrap())
    };
    seen.retain(|line| !own(line));
    let all = [below[0].clone(), upper];
    let mut ours = seen_inside(&sandbox, &all);
    ours.retain(|line| !own(line));
    assert_eq!(seen, ours);
}
