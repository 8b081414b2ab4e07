//! What the judge makes of a case: a real BuildKit builds it.

use std::path::Path;

use super::answer::{Answer, Image};
use super::bases::Base;
use super::case::Case;
use super::compare::unsaid;
use crate::Problem;
use crate::buildkit::BuildKit;

/// Builds a prepared case.
pub(crate) fn build(
    buildkit: &BuildKit,
    case: &Case,
    scratch: &Path,
    bases: &[Base],
) -> Result<Answer, Problem> {
    let out = scratch.join("buildkit-out");
    let file = scratch.join(&case.file);
    let name = file
        .file_name()
        .ok_or("a Dockerfile has a name")?
        .to_string_lossy();
    let place = file.parent().ok_or("a Dockerfile is in a folder")?;
    let mut command = buildkit.client();
    command.args([
        "build",
        "--progress=plain",
        "--no-cache",
        "--frontend=dockerfile.v0",
    ]);
    let local = |name: &str, path: &Path| format!("{name}={}", path.display());
    command
        .arg("--local")
        .arg(local("context", &scratch.join("context")));
    command.arg("--local").arg(local("dockerfile", place));
    command.arg("--opt").arg(format!("filename={name}"));
    for base in bases {
        command
            .arg("--oci-layout")
            .arg(local(base.name, &base.folder));
        command.arg("--opt").arg(format!(
            "context:{0}=oci-layout://{0}@{1}",
            base.name, base.digest
        ));
    }
    for (name, folder) in &case.contexts {
        command
            .arg("--local")
            .arg(local(name, &scratch.join(folder)));
        command
            .arg("--opt")
            .arg(format!("context:{name}=local:{name}"));
    }
    if let Some(target) = &case.target {
        command.arg("--opt").arg(format!("target={target}"));
    }
    for (key, value) in &case.build_args {
        command.arg("--opt").arg(format!("build-arg:{key}={value}"));
    }
    for (id, file) in &case.secrets {
        command
            .arg("--secret")
            .arg(format!("id={id},src={}", scratch.join(file).display()));
    }
    command.arg("--output").arg(format!(
        "type=oci,dest={},tar=false,compression=uncompressed",
        out.display()
    ));
    let output = command.output()?;
    if output.status.success() {
        return match case.fails {
            Some(class) => Err(format!("builds, and was said to fail ({class:?})").into()),
            None => Ok(Answer::Built(Box::new(Image::read(
                &out,
                bases,
                &case.times,
            )?))),
        };
    }
    let log = String::from_utf8_lossy(&output.stderr);
    failed(case, &log)
}

fn failed(case: &Case, log: &str) -> Result<Answer, Problem> {
    let said = match log
        .rfind("\nerror: ")
        .or_else(|| log.starts_with("error: ").then_some(0))
    {
        Some(at) => log[at..].trim().trim_start_matches("error: ").to_owned(),
        None => log.trim().to_owned(),
    };
    let Some(fails) = case.fails else {
        let tail: Vec<&str> = log.trim().lines().rev().take(12).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        return Err(format!("BuildKit cannot build it:\n{}", tail.join("\n")).into());
    };
    if !fails.words().iter().any(|words| said.contains(words)) {
        return Err(format!("BuildKit fails, but not by {fails:?}: {said}").into());
    }
    // A number of a session or a temporary folder would make every answer a new one.
    let said = masked(&said);
    match unsaid(&case.says, &said).first() {
        Some(missing) => Err(format!("BuildKit's {missing}").into()),
        None => Ok(Answer::Failed { fails, said }),
    }
}

/// Long runs of letters and digits are names of snapshots, sessions and digests; a mount of the daemon's is the root.
fn masked(text: &str) -> String {
    let text = &without_mount(text);
    let is_part = |letter: char| letter.is_ascii_alphanumeric();
    let mut masked = String::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        masked.push_str(if word.len() >= 20 { "…" } else { word });
        let next = after.find(is_part).unwrap_or(after.len());
        masked.push_str(&after[..next]);
        rest = &after[next..];
    }
    masked
}

fn without_mount(text: &str) -> String {
    const MOUNTS: &str = "/cachemounts/";
    let Some(at) = text.find(MOUNTS) else {
        return text.to_owned();
    };
    let start = text[..at].rfind([' ', '"']).map_or(0, |space| space + 1);
    let end = text[at + MOUNTS.len()..].find(['/', ' ', '"', ':']);
    let end = end.map_or(text.len(), |end| at + MOUNTS.len() + end);
    format!("{}{}", &text[..start], &text[end..])
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn what_changes_is_masked() {
        assert_eq!(
            masked("a sha256:0123456789abcdef0123456789: no"),
            "a sha256:…: no"
        );
        assert_eq!(
            masked("cannot: /var/x/cachemounts/buildkit12/opt/current"),
            "cannot: /opt/current"
        );
        assert_eq!(
            masked("process \"/bin/sh -c false\""),
            "process \"/bin/sh -c false\""
        );
    }
}
