//! No package mirror or package registry is named anywhere in the tree: which one to use comes from the machine, from
//! `jettison.toml` or from a flag. The container field's own names (`docker.io` and the like) are data and may stand.

use std::path::Path;
use std::process::Command;

use crate::Problem;

/// The hosts, in pieces, so that this file does not name one.
const HOSTS: &[&[&str]] = &[
    &["deb", "debian", "org"],
    &["ftp", "debian", "org"],
    &["security", "debian", "org"],
    &["snapshot", "debian", "org"],
    &["archive", "debian", "org"],
    &["httpredir", "debian", "org"],
    &["archive", "ubuntu", "com"],
    &["security", "ubuntu", "com"],
    &["ports", "ubuntu", "com"],
    &["dl-cdn", "alpinelinux", "org"],
    &["static", "crates", "io"],
    &["index", "crates", "io"],
    &["proxy", "golang", "org"],
    &["sum", "golang", "org"],
    &["registry", "npmjs", "org"],
    &["registry", "yarnpkg", "com"],
    &["files", "pythonhosted", "org"],
    &["pypi", "org"],
    &["repo1", "maven", "org"],
    &["repo", "maven", "apache", "org"],
    &["rubygems", "org"],
    &["mirrors", "kernel", "org"],
];

/// Says which files of the tree name such a host, `file:line: what`.
pub(crate) fn check(root: &Path) -> Result<Vec<String>, Problem> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()?;
    if !output.status.success() {
        return Err(format!(
            "git ls-files: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )
        .into());
    }
    let hosts: Vec<String> = HOSTS.iter().map(|parts| parts.join(".")).collect();
    let mut wrong = Vec::new();
    for name in String::from_utf8_lossy(&output.stdout).split('\0') {
        // Lock files are written by package managers, and name their registries themselves.
        let is_lock = name.ends_with("Cargo.lock") || name.ends_with("package-lock.json");
        let path = root.join(name);
        if name.is_empty() || is_lock || !path.is_file() {
            continue;
        }
        // What is not text (a key ring, a sample image) is another tool's business.
        let Ok(text) = String::from_utf8(std::fs::read(&path)?) else {
            continue;
        };
        wrong.extend(named_in(&text, &hosts).into_iter().map(|(line, host)| {
            format!("{name}:{line}: names the host {host}; it must come from the machine's configuration")
        }));
    }
    Ok(wrong)
}

fn named_in<'a>(text: &str, hosts: &'a [String]) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.to_ascii_lowercase();
        for host in hosts {
            let stands_alone = line.match_indices(host.as_str()).any(|(at, _)| {
                let is_name = |byte: Option<u8>| {
                    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                };
                let before = at
                    .checked_sub(1)
                    .and_then(|at| line.as_bytes().get(at).copied());
                !is_name(before) && !is_name(line.as_bytes().get(at + host.len()).copied())
            });
            if stands_alone {
                found.push((number + 1, host.as_str()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::named_in;

    #[test]
    fn hosts_are_found_in_any_dress() {
        let hosts = ["mirror.example".to_owned()];
        for (text, lines) in [
            ("deb http://mirror.example/debian x main", &[1][..]),
            ("a\n\"//ftp.Mirror.Example:80\"", &[2]),
            ("my-mirror.example mirror.examples", &[]),
        ] {
            let found: Vec<usize> = named_in(text, &hosts)
                .into_iter()
                .map(|(line, _)| line)
                .collect();
            assert_eq!(found, lines, "{text}");
        }
    }
}
