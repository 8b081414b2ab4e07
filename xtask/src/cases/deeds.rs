//! How each step is carried out, from outside and without a shell in the image.

use std::ffi::OsStr;
use std::process::Output;
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::client::{limited, output};
use super::scene::Scene;
use super::step::{Deed, Step};
use super::tree::Tree;
use crate::Problem;

/// How long a program of the image may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Does a step, again and again while there is time and its answer is not yet the expected one.
pub(crate) fn do_step(
    scene: &Scene<'_>,
    step: &Step,
    original: Option<&Answer>,
) -> Result<Answer, Problem> {
    let begun = Instant::now();
    loop {
        let answer = carry_out(scene, &step.deed)?;
        let is_good = answer.fault(&step.expect, original).is_none();
        if is_good || begun.elapsed() >= Duration::from_secs(step.expect.within) {
            return Ok(answer);
        }
        std::thread::sleep(Duration::from_millis(150));
    }
}

/// Does it once.
pub(crate) fn carry_out(scene: &Scene<'_>, deed: &Deed) -> Result<Answer, Problem> {
    let client = scene.client;
    let container = scene.container.as_str();
    match deed {
        Deed::Http {
            line,
            headers,
            body,
        } => http(scene, line, headers, body.as_deref()),
        Deed::Exec {
            argv,
            options,
            stdin,
        } => {
            let mut arguments = vec!["exec".to_owned()];
            if stdin.is_some() {
                arguments.push("--interactive".to_owned());
            }
            arguments.extend(options.iter().cloned());
            arguments.push(container.to_owned());
            arguments.extend(argv.iter().cloned());
            Ok(program(&client.ask(
                &arguments,
                stdin.as_deref(),
                PATIENCE,
            )?))
        }
        Deed::Run {
            argv,
            options,
            stdin,
        } => {
            let name = format!("{container}-run");
            let mut arguments = ["run", "--rm", "--name", &name].map(str::to_owned).to_vec();
            if stdin.is_some() {
                arguments.push("--interactive".to_owned());
            }
            arguments.extend(scene.options());
            arguments.extend(options.iter().cloned());
            arguments.push(scene.image.clone());
            arguments.extend(argv.iter().cloned());
            Ok(program(&client.ask(
                &arguments,
                stdin.as_deref(),
                PATIENCE,
            )?))
        }
        Deed::Signal(signal) => Ok(program(&client.ask(
            &["kill", "--signal", signal, container],
            None,
            PATIENCE,
        )?)),
        Deed::Stop => {
            client.demand(&["stop", "--time", "60", container])?;
            let state =
                client.demand(&["inspect", "--format", "{{.State.ExitCode}}", container])?;
            client.demand(&["start", container])?;
            scene.wait()?;
            Ok(Answer::new(state.parse()?, b"", b""))
        }
        Deed::Restart => {
            scene.restart()?;
            Ok(Answer::new(0, b"", b""))
        }
        Deed::Log => log(scene),
        Deed::Entries(paths) => {
            let tree = Tree::export(client, &scene.image)?;
            Ok(Answer::new(0, tree.describe(paths).as_bytes(), b""))
        }
    }
}

/// What the container has said on both of its outputs.
pub(crate) fn log(scene: &Scene<'_>) -> Result<Answer, Problem> {
    let output = scene
        .client
        .ask(&["logs", &scene.container], None, PATIENCE)?;
    Ok(Answer::new(0, &output.stdout, &output.stderr))
}

fn program(output: &Output) -> Answer {
    // An outcome of 124 is the time limit's own.
    let code = output.status.code().unwrap_or(-1);
    Answer::new(i64::from(code), &output.stdout, &output.stderr)
}

/// Asks the published port. The content type belongs to the answer: it comes from a table of its own in many servers.
fn http(
    scene: &Scene<'_>,
    line: &str,
    headers: &[String],
    body: Option<&str>,
) -> Result<Answer, Problem> {
    let request = Request::parse(line).ok_or_else(|| format!("no request: {line}"))?;
    let port = match request.port {
        Some(port) => port,
        None => *scene.case.run.ports.first().ok_or("no port is published")?,
    };
    let published = scene.client.ask(
        &["port", &scene.container, &port.to_string()],
        None,
        PATIENCE,
    )?;
    let published = String::from_utf8_lossy(&published.stdout).into_owned();
    let Some(address) = published.lines().next() else {
        return Ok(Answer::new(0, b"", b"the container does not run"));
    };
    let mut command = limited(OsStr::new("curl"), PATIENCE);
    command.args([
        "--silent",
        "--show-error",
        "--insecure",
        "--http1.1",
        "--max-time",
        "30",
        "--request",
        request.method,
        "--write-out",
        "\n%{http_code} %{content_type}",
        "--output",
        "-",
    ]);
    if request.method == "HEAD" {
        command.arg("--head");
    }
    for header in headers {
        command.args(["--header", header]);
    }
    if let Some(body) = body {
        command.args(["--data-binary", body]);
    }
    command.arg(format!("{}://{address}{}", request.scheme, request.path));
    let output = output(&mut command, None)?;
    let at = output
        .stdout
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap_or(0);
    let (body, last) = output.stdout.split_at(at);
    let last = String::from_utf8_lossy(last).trim().to_owned();
    let (status, kind) = last.split_once(' ').unwrap_or((&last, ""));
    let mut answer = Answer::new(status.parse().unwrap_or(0), body, &output.stderr);
    answer.text = format!("{kind}\n{}", answer.text);
    Ok(answer)
}

/// `[METHOD] [https][:PORT]/PATH`.
struct Request<'a> {
    method: &'a str,
    scheme: &'a str,
    port: Option<u16>,
    path: &'a str,
}

impl<'a> Request<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (method, target) = line.split_once(' ').unwrap_or(("GET", line));
        let (scheme, target) = match target.strip_prefix("https") {
            Some(rest) => ("https", rest),
            None => ("http", target),
        };
        let at = target.find('/')?;
        let (port, path) = target.split_at(at);
        let port = match port.strip_prefix(':') {
            Some(port) => Some(port.parse().ok()?),
            None if port.is_empty() => None,
            None => return None,
        };
        Some(Self {
            method,
            scheme,
            port,
            path,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Request;

    fn check(line: &str, expected: Option<(&str, &str, Option<u16>, &str)>) {
        let found = Request::parse(line)
            .map(|request| (request.method, request.scheme, request.port, request.path));
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn requests_are_read() {
        check("/", Some(("GET", "http", None, "/")));
        check(
            "POST :81/a?b=c d",
            Some(("POST", "http", Some(81), "/a?b=c d")),
        );
        check("https:443/x", Some(("GET", "https", Some(443), "/x")));
        check("GET host/x", None);
        check("x", None);
    }
}
