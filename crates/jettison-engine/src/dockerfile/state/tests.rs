use jettison_dockerfile::parse;

use super::*;

fn state(text: &str) -> Result<(State, Vec<Action>), StateError> {
    let (tree, errors) = parse(format!("FROM scratch\n{text}").as_bytes());
    assert_eq!(errors, []);
    let mut state = State::scratch(&Platform::new("linux", "amd64", ""), tree.escape());
    let globals = BTreeMap::from([("GLOBAL".to_owned(), b"g".to_vec())]);
    let build_args = BTreeMap::from([("GIVEN".to_owned(), b"b".to_vec())]);
    let given = Given {
        globals: &globals,
        build_args: &build_args,
    };
    let actions = tree.instructions()[1..]
        .iter()
        .map(|instruction| state.apply(instruction, given));
    let actions = actions.collect::<Result<_, _>>()?;
    Ok((state, actions))
}

#[track_caller]
fn env(text: &str, expected: &[&str]) {
    let (state, _) = state(text).unwrap();
    assert_eq!(state.config.run.env[1..], *expected, "{text}");
}

#[test]
fn variables_of_a_stage() {
    env("ENV a=1 b=$a\nENV c=$a", &["a=1", "b=", "c=1"]);
    env("ARG x=1\nENV x=2 y=$x\nENV z=$x", &["x=2", "y=1", "z=2"]);
    env("ENV x=2\nARG x=1\nENV z=$x", &["x=2", "z=1"]);
    env("ENV a=$GLOBAL\nARG GLOBAL\nENV b=$GLOBAL", &["a=", "b=g"]);
    env(
        "ARG GIVEN=d OTHER=d\nENV a=$GIVEN b=$OTHER",
        &["a=b", "b=d"],
    );
    env("ARG GLOBAL=d\nENV a=$GLOBAL", &["a=d"]);
}

#[test]
fn commands() {
    let (made, _) = state("CMD a b\nENTRYPOINT [\"x\"]").unwrap();
    assert_eq!(made.config.run.cmd, ["/bin/sh", "-c", "a b"]);
    let mut below = made.config.clone();
    below.run.on_build.clear();
    let mut above = State::on(below, b'\\');
    let (tree, _) = parse(b"FROM x\nSHELL [\"/bin/bash\",\"-c\"]\nENTRYPOINT y");
    let none = BTreeMap::new();
    let given = Given {
        globals: &none,
        build_args: &none,
    };
    for instruction in &tree.instructions()[1..] {
        above.apply(instruction, given).unwrap();
    }
    assert_eq!(above.config.run.cmd, [""; 0]);
    assert_eq!(above.config.run.entrypoint, ["/bin/bash", "-c", "y"]);
}

#[test]
fn what_is_run() {
    let (made, actions) = state("ARG v=1\nRUN --network=none echo $v\nRUN <<E\na\nb\nE\nRUN <<X\n#!/bin/awk\nx\nX\nRUN [\"a\", \"b\"]").unwrap();
    let runs: Vec<_> = actions
        .into_iter()
        .filter_map(|action| match action {
            Action::Run(run) => Some(run),
            _ => None,
        })
        .collect();
    assert!(runs[0].is_offline);
    assert_eq!(runs[0].argv[2], b"echo $v");
    assert_eq!(runs[1].argv[2], b"a\nb\n");
    assert_eq!(
        runs[2].script,
        Some((b"X".to_vec(), b"#!/bin/awk\nx\n".to_vec()))
    );
    assert_eq!(runs[3].argv, [b"a", b"b"]);
    let steps: Vec<_> = made
        .config
        .history
        .iter()
        .map(|step| step.created_by.as_deref().unwrap())
        .collect();
    assert_eq!(steps[1], "RUN |1 v=1 /bin/sh -c echo $v # buildkit");
    assert!(state("RUN --security=insecure x").is_err());
}

#[test]
fn directories() {
    for (directory, path, expected) in [
        ("/", "a", "/a"),
        ("/a", "b/../c", "/a/c"),
        ("/a", "/b//./c/", "/b/c"),
        ("", "../..", "/"),
    ] {
        assert_eq!(joined(directory, path), expected);
    }
}
