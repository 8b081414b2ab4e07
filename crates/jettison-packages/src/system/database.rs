//! dpkg's database (dpkg(1), `/var/lib/dpkg`): every package installed, its
//! files, scripts and triggers, so that `dpkg` and `apt` go on from here and
//! scanners see what is there.

use std::collections::BTreeMap;

use super::model::Model;
use super::unpack::Unpacked;

const ROOT: &str = "/var/lib/dpkg";

pub(super) fn write(model: &mut Model<'_>, packages: &[Unpacked]) {
    let mut put = |name: &str, content: Vec<u8>, mode: u32| {
        model.write(format!("{ROOT}/{name}").as_bytes(), content, mode);
    };
    let mut status: BTreeMap<&str, String> = BTreeMap::new();
    let mut files: Vec<String> = Vec::new();
    let mut triggers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages {
        let control = &package.control;
        status.insert(control.name(), paragraph(package));
        let name = match control.field("Multi-Arch") {
            Some("same") => {
                let architecture = control.field("Architecture").unwrap_or_default();
                format!("{}:{architecture}", control.name())
            }
            _ => control.name().to_owned(),
        };
        let mut list = package.list.join(&b'\n');
        list.push(b'\n');
        put(&format!("info/{name}.list"), list, 0o644);
        for (member, (mode, content)) in &control.members {
            let mode = mode & 0o755 | 0o644;
            put(&format!("info/{name}.{member}"), content.clone(), mode);
            if member != "triggers" {
                continue;
            }
            for line in String::from_utf8_lossy(content).lines() {
                let mut words = line.split_whitespace();
                let (Some(kind), Some(trigger)) = (words.next(), words.next()) else {
                    continue;
                };
                let awaits = match kind {
                    "interest" | "interest-await" => "",
                    "interest-noawait" => "/noawait",
                    _ => continue,
                };
                match trigger.starts_with('/') {
                    true => files.push(format!("{trigger} {name}{awaits}")),
                    false => {
                        let known = triggers.entry(trigger.to_owned()).or_default();
                        known.push(format!("{name}{awaits}"));
                    }
                }
            }
        }
    }
    let status: String = status.into_values().map(|text| text + "\n").collect();
    put("status", status.into_bytes(), 0o644);
    put("available", Vec::new(), 0o644);
    put("info/format", b"1\n".to_vec(), 0o644);
    put("triggers/File", lines(files), 0o644);
    put("triggers/Unincorp", Vec::new(), 0o644);
    for (trigger, names) in triggers {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-_.:".contains(&byte);
        if trigger.bytes().all(is_plain)
            && !matches!(trigger.as_str(), "File" | "Unincorp" | "Lock")
        {
            put(&format!("triggers/{trigger}"), lines(names), 0o644);
        }
    }
    for name in ["diversions", "statoverride"] {
        let path = format!("{ROOT}/{name}");
        if !model.exists(path.as_bytes()) {
            model.write(path.as_bytes(), Vec::new(), 0o644);
        }
    }
    for name in ["alternatives", "parts", "updates"] {
        model.make_directory(format!("{ROOT}/{name}").as_bytes(), 0o755);
    }
}

fn lines(lines: Vec<String>) -> Vec<u8> {
    let text: String = lines.into_iter().map(|line| line + "\n").collect();
    text.into_bytes()
}

/// A package's paragraph in `status`.
fn paragraph(package: &Unpacked) -> String {
    let mut text = String::new();
    let mut is_open = true;
    for line in package.control.text().lines() {
        // Only the first paragraph is the package's.
        if line.trim().is_empty() {
            is_open &= text.is_empty();
            continue;
        }
        if is_open {
            text += line;
            text.push('\n');
            if line.to_ascii_lowercase().starts_with("package:") {
                text += "Status: install ok installed\n";
            }
        }
    }
    if !package.conffiles.is_empty() {
        text += "Conffiles:\n";
        for (path, sum) in &package.conffiles {
            text += &format!(" {} {sum}\n", String::from_utf8_lossy(path));
        }
    }
    text
}
