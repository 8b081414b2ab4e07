//! Agreement with BuildKit's parser: the same files accepted, the same instructions, stages, heredocs, lines and
//! first errors, over real files, their truncations, mutations of them and hand-picked hard cases.

#![expect(
    clippy::print_stdout,
    reason = "the figures of agreement are what these tests are read for"
)]

mod judge;

use jettison_dockerfile::instruction::{
    Body, CommandLine, CopyFiles, HealthcheckTest, Instruction, Pair,
};
use jettison_dockerfile::syntax::{Form, Node};
use jettison_dockerfile::{ParseError, Phase, Tree, parse};
use judge::{Question, Random, ask, corpus, encode, judge};
use serde_json::{Value, json};

/// Differences that are meant, with what tells them and why. An entry that nothing uses any more is no harm.
type Excuse = fn(&[u8], &[ParseError], &str) -> bool;
const MEANT: &[(&str, Excuse)] = &[
    (
        "BuildKit stops reading at a line over 64 KiB, so what it says next is about the cut file",
        |_, errors, _| {
            errors
                .iter()
                .any(|error| matches!(error.kind, jettison_dockerfile::ParseErrorKind::LineTooLong))
        },
    ),
    (
        "ONBUILD in ONBUILD is refused by both, beyond 16 levels without looking at what is inside",
        |source, _, _| {
            source
                .to_ascii_lowercase()
                .windows(8)
                .filter(|word| word.starts_with(b"onbuild"))
                .count()
                > 16
        },
    ),
];

#[test]
fn corpus_agrees() {
    compare(
        "files of the corpus",
        &corpus()
            .into_iter()
            .map(|(_, bytes)| bytes)
            .collect::<Vec<_>>(),
    );
}

#[test]
fn truncations_agree() {
    let mut inputs = Vec::new();
    for (_, bytes) in corpus() {
        inputs.extend(
            (0..bytes.len())
                .step_by(97)
                .map(|end| bytes[..end].to_vec()),
        );
    }
    compare("truncations at every 97th byte", &inputs);
}

#[test]
fn mutations_agree() {
    let corpus = corpus();
    if corpus.is_empty() {
        return;
    }
    let small: Vec<&Vec<u8>> = corpus
        .iter()
        .map(|(_, bytes)| bytes)
        .filter(|bytes| bytes.len() < 6000)
        .collect();
    let mut random = Random(20_260_001);
    let inputs: Vec<Vec<u8>> = (0..4_000).map(|_| mutate(&mut random, &small)).collect();
    compare("mutations", &inputs);
}

#[test]
fn composed_files_agree() {
    let mut random = Random(7_351);
    let inputs: Vec<Vec<u8>> = (0..12_000).map(|_| compose(&mut random)).collect();
    compare("composed files", &inputs);
}

#[test]
#[ignore = "takes minutes; run by hand after changes to the parser"]
fn many_more_agree() {
    let corpus = corpus();
    let small: Vec<&Vec<u8>> = corpus
        .iter()
        .map(|(_, bytes)| bytes)
        .filter(|bytes| bytes.len() < 6000)
        .collect();
    let mut random = Random(99);
    let mut inputs: Vec<Vec<u8>> = (0..300_000).map(|_| compose(&mut random)).collect();
    if !small.is_empty() {
        inputs.extend((0..100_000).map(|_| mutate(&mut random, &small)));
    }
    compare("many more", &inputs);
}

#[test]
fn hard_cases_agree() {
    let mut inputs: Vec<Vec<u8>> = HARD.iter().map(|case| case.to_vec()).collect();
    inputs.push([b"FROM a\nRUN ".as_slice(), &b"x".repeat(65_531)].concat());
    inputs.push([b"FROM a\nRUN ".as_slice(), &b"x".repeat(65_532)].concat());
    inputs.push([b"FROM a\nRUN ".as_slice(), &b"x".repeat(65_531), b"\n"].concat());
    inputs.push([b"FROM a\nRUN ".as_slice(), &b"x".repeat(65_532), b"\n"].concat());
    inputs.push(
        [
            b"FROM a\nRUN a \\\n".as_slice(),
            &b"x".repeat(70_000),
            b"\nFOO\n",
        ]
        .concat(),
    );
    inputs.push(
        [
            b"RUN <<A\n".as_slice(),
            &b"x".repeat(70_000),
            b"\nA\nENV x\n",
        ]
        .concat(),
    );
    inputs.push([b"ONBUILD ".repeat(40).as_slice(), b"ENV x\n"].concat());
    let with_from: Vec<Vec<u8>> = inputs
        .iter()
        .map(|input| [b"FROM a\n".as_slice(), input].concat())
        .collect();
    inputs.extend(with_from);
    compare("hard cases", &inputs);
}

fn compare(what: &str, inputs: &[Vec<u8>]) {
    let Some(judge) = judge() else { return };
    let (mut same, mut meant, mut accepted) = (0, 0, 0);
    let mut differences = Vec::new();
    ask(
        judge,
        inputs
            .iter()
            .map(|input| Question(b'D', vec![input.clone()])),
        |index, theirs| {
            let input = &inputs[index];
            let (tree, errors) = parse(input);
            assert_eq!(
                tree.to_bytes(),
                *input,
                "the tree does not print as it was read"
            );
            let mut theirs = theirs;
            let their_error =
                String::from_utf8_lossy(&judge::decode(&theirs["Error"])).into_owned();
            accepted += usize::from(their_error.is_empty());
            let ours = shape(&tree, &errors, &their_error);
            theirs["Error"] = Value::from(their_error.is_empty());
            if ours == theirs {
                same += 1;
            } else if MEANT
                .iter()
                .any(|(_, excuse)| excuse(input, &errors, &their_error))
            {
                meant += 1;
            } else if differences.len() < 10 {
                differences.push(format!(
                    "{:?}\n  BuildKit: {their_error}\n  ours: {errors:?}\n{}",
                    String::from_utf8_lossy(&input[..input.len().min(600)]),
                    first_difference(&ours, &theirs)
                ));
            }
        },
    );
    println!(
        "{what}: {} asked, {accepted} accepted, {same} the same, {meant} different for a listed reason",
        inputs.len()
    );
    assert!(
        differences.is_empty(),
        "{what}: differences:\n{}",
        differences.join("\n\n")
    );
    assert_eq!(same + meant, inputs.len());
}

fn first_difference(ours: &Value, theirs: &Value) -> String {
    for key in ["Error", "Escape", "Nodes", "Globals", "Stages"] {
        match (ours[key].as_array(), theirs[key].as_array()) {
            (Some(ours), Some(theirs)) if ours.len() == theirs.len() => {
                if let Some((ours, theirs)) = ours
                    .iter()
                    .zip(theirs)
                    .find(|(ours, theirs)| ours != theirs)
                {
                    return format!(
                        "  {key}\n  ours     {}\n  BuildKit {}",
                        readable(ours),
                        readable(theirs)
                    );
                }
            }
            _ if ours[key] != theirs[key] => {
                return format!(
                    "  {key}\n  ours     {}\n  BuildKit {}",
                    readable(&ours[key]),
                    readable(&theirs[key])
                );
            }
            _ => {}
        }
    }
    String::new()
}

fn readable(value: &Value) -> String {
    match value {
        Value::String(_) => String::from_utf8_lossy(
            &std::panic::catch_unwind(|| judge::decode(value)).unwrap_or_default(),
        )
        .into_owned(),
        Value::Array(list) => format!(
            "[{}]",
            list.iter().map(readable).collect::<Vec<_>>().join(" | ")
        ),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| format!("{key}: {}", readable(value)))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    }
}

/// Our answer in the judge's shape. What BuildKit did not get to after an error is left out here as well.
fn shape(tree: &Tree, errors: &[ParseError], their_error: &str) -> Value {
    let first = errors.iter().min_by_key(|error| error.phase());
    let same_error = match first {
        None => their_error.is_empty(),
        // BuildKit's text may have its place in front and a suggestion behind.
        Some(error) => {
            !their_error.is_empty() && says_the_same(&error.kind.to_string(), their_error)
        }
    };
    let syntax_failed = first.is_some_and(|error| error.phase() == Phase::Syntax);
    let instructions_failed = first.is_some_and(|error| error.phase() == Phase::Instruction);
    let nodes = if syntax_failed {
        Vec::new()
    } else {
        tree.nodes().iter().map(node).collect()
    };
    let escape = if syntax_failed { 0 } else { tree.escape() };
    let all = tree.instructions();
    let (mut globals, mut stages) = (Vec::new(), Vec::new());
    if !syntax_failed && !instructions_failed {
        globals = tree
            .stages()
            .global_arguments()
            .iter()
            .map(|index| command(&all[*index]))
            .collect();
        for stage in tree.stages().all() {
            stages.push(json!({
                "Name": encode(stage.name.as_deref().unwrap_or_default().as_bytes()),
                "Base": encode(&stage.base),
                "Platform": encode(stage.platform.as_deref().unwrap_or_default()),
                "Comment": encode(stage.description.as_deref().unwrap_or_default().as_bytes()),
                "Start": stage.lines.start,
                "End": stage.lines.end,
                "Commands": stage.instructions(all).iter().map(command).collect::<Vec<_>>(),
            }));
        }
    }
    // The judge's side is replaced by whether there was no error.
    let verdict = if same_error {
        their_error.is_empty()
    } else {
        !their_error.is_empty()
    };
    json!({ "Error": verdict, "Line": 0, "Nodes": nodes, "Escape": escape, "Globals": globals, "Stages": stages })
}

fn says_the_same(ours: &str, theirs: &str) -> bool {
    // Parts of Go's library texts are not BuildKit's meaning.
    let loose = [
        "time: ",
        "--retries: ",
        "failed to parse csv mounts",
        "failed to parse csv devices",
        "invalid pattern",
    ];
    if let Some(start) = loose.iter().find(|start| ours.starts_with(**start)) {
        return match *start {
            "--retries: " => theirs.contains("strconv.ParseInt"),
            start => theirs.contains(start),
        };
    }
    theirs.contains(ours)
}

fn node(node: &Node) -> Value {
    let heredocs: Vec<Value> = node
        .heredocs
        .iter()
        .map(|heredoc| {
            json!({ "Name": encode(&heredoc.word.name), "Fd": heredoc.word.descriptor, "Expand": heredoc.word.expand,
                "Chomp": heredoc.word.chomp, "Content": encode(&heredoc.content) })
        })
        .collect();
    let mut arguments: Vec<Value> = node
        .flat_arguments()
        .iter()
        .map(|word| encode(&word.value))
        .collect();
    let mut last = node;
    while let Some(trigger) = last.trigger.as_deref() {
        last = trigger;
    }
    if last.form == Form::Unknown {
        // BuildKit gives an instruction that it does not know one empty argument.
        arguments.push(encode(b""));
    }
    json!({
        "Name": encode(&node.keyword.value),
        "Flags": node.flags.iter().map(|flag| encode(&flag.value)).collect::<Vec<_>>(),
        "Args": arguments,
        "JSON": node.form.is_json(),
        "Heredocs": heredocs,
        "Start": node.lines.start,
        "End": node.lines.end,
        "Comments": node.comments.iter().map(|comment| encode(comment)).collect::<Vec<_>>(),
    })
}

fn command(instruction: &Instruction) -> Value {
    let mut fields: Vec<Vec<u8>> =
        vec![format!("{}-{}", instruction.lines.start, instruction.lines.end).into_bytes()];
    let mut add = |prefix: &str, value: &[u8]| fields.push([prefix.as_bytes(), value].concat());
    let value = |word: &Option<jettison_dockerfile::Word>| {
        word.as_ref()
            .map(|word| word.value.clone())
            .unwrap_or_default()
    };
    let line = |line: &CommandLine, add: &mut dyn FnMut(&str, &[u8])| {
        add(&format!("shell={}", line.shell), b"");
        line.words.iter().for_each(|word| add("", &word.value));
    };
    match &instruction.body {
        Body::Env(pairs) | Body::Label(pairs) => {
            for Pair {
                name,
                value,
                legacy,
            } in pairs
            {
                add("", &name.value);
                add("", &value.value);
                add(&legacy.to_string(), b"");
            }
        }
        Body::Add(copy) | Body::Copy(copy) => {
            let CopyFiles {
                sources,
                inline,
                destination,
                ..
            } = copy;
            add("to ", &destination.value);
            sources
                .iter()
                .for_each(|source| add("from ", &source.value));
            for file in inline {
                add(&format!("inline {} ", file.expand), &file.name);
                add("", &file.content);
            }
            add("", &value(&copy.chown));
            add("", &value(&copy.chmod));
            let option =
                |value: Option<bool>| value.map_or("-".to_owned(), |value| value.to_string());
            if matches!(instruction.body, Body::Add(_)) {
                add(
                    &format!(
                        "{} {} {}",
                        copy.link,
                        option(copy.keep_git_dir),
                        option(copy.unpack)
                    ),
                    b"",
                );
                add("", &value(&copy.checksum));
            } else {
                add(&format!("{} {}", copy.link, copy.parents), b"");
                add("", &value(&copy.from));
            }
            copy.exclude.iter().for_each(|word| add("", &word.value));
        }
        Body::Onbuild(onbuild) => add("", &onbuild.expression),
        Body::Maintainer(word)
        | Body::Workdir(word)
        | Body::User(word)
        | Body::Stopsignal(word) => add("", &word.value),
        Body::Run(run) => {
            line(&run.command, &mut add);
            for heredoc in &run.heredocs {
                add(&format!("file {} ", heredoc.word.chomp), &heredoc.word.name);
                add("", &heredoc.content);
            }
            let (network, security) = (
                format!("{:?}", run.network).to_lowercase(),
                format!("{:?}", run.security).to_lowercase(),
            );
            add(
                &format!("mounts={} {network} {security}", run.mounts.len()),
                b"",
            );
            run.devices
                .iter()
                .for_each(|device| add(&format!("device {} ", device.required), &device.name));
            for mount in &run.mounts {
                // Before variables are known, `from` is the only field BuildKit reads.
                let mut from = Vec::new();
                let read = jettison_dockerfile::instruction::Mount::from_field(&mount.value);
                from.extend(read.unwrap_or_default());
                add("mount ", &from);
            }
        }
        Body::Cmd(command) | Body::Entrypoint(command) => line(command, &mut add),
        Body::Healthcheck(check) => {
            match &check.test {
                HealthcheckTest::None => add("NONE", b""),
                HealthcheckTest::Exec(words) => {
                    add("CMD", b"");
                    words.iter().for_each(|word| add("", &word.value));
                }
                HealthcheckTest::Shell(text) => {
                    add("CMD-SHELL", b"");
                    add("", &text.value);
                }
            }
            add(
                &format!(
                    "{} {} {} {} {}",
                    check.interval_ns,
                    check.timeout_ns,
                    check.start_period_ns,
                    check.start_interval_ns,
                    check.retries
                ),
                b"",
            );
        }
        Body::Expose(words) => {
            let mut sorted: Vec<&[u8]> = words.iter().map(|word| word.value.as_slice()).collect();
            sorted.sort_unstable();
            sorted.iter().for_each(|word| add("", word));
        }
        Body::Volume(words) | Body::Shell(words) => {
            words.iter().for_each(|word| add("", &word.value))
        }
        Body::Arg(arguments) => {
            for argument in arguments {
                add("", &argument.name.value);
                add(
                    &format!("{} ", argument.value.is_some()),
                    &value(&argument.value),
                );
                add("", argument.comment.as_deref().unwrap_or_default());
            }
        }
        Body::From(_) | Body::Invalid => add("invalid", b""),
    }
    json!({ "Kind": instruction.kind.keyword().to_lowercase(), "Fields": fields.iter().map(|field| encode(field)).collect::<Vec<_>>() })
}

fn mutate(random: &mut Random, corpus: &[&Vec<u8>]) -> Vec<u8> {
    let mut out = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(4) {
        let at = random.below(out.len() + 1);
        let end = (at + random.below(12)).min(out.len());
        match random.below(6) {
            0 => drop(out.drain(at..end)),
            1 => drop(out.splice(at..at, random.pick(PIECES).iter().copied())),
            2 => drop(out.splice(at..end, random.pick(PIECES).iter().copied())),
            3 if at < out.len() => out[at] = random.next() as u8,
            4 => {
                let other = corpus[random.below(corpus.len())];
                let from = random.below(other.len());
                let to = (from + random.below(200)).min(other.len());
                drop(out.splice(at..at, other[from..to].iter().copied()));
            }
            _ => {
                let copy = out[at..end].to_vec();
                drop(out.splice(at..at, copy));
            }
        }
    }
    out
}

/// Files made of whole pieces reach further into the grammar than damaged real ones.
fn compose(random: &mut Random) -> Vec<u8> {
    let mut out = Vec::new();
    if random.below(8) == 0 {
        out.extend_from_slice(random.pick(TOPS));
    }
    if random.below(10) > 0 {
        out.extend_from_slice(b"FROM a\n");
    }
    for _ in 0..random.below(5) {
        out.extend_from_slice(random.pick(KEYWORDS));
        for _ in 0..random.below(7) {
            out.extend_from_slice(random.pick(&[b" ", b" ", b" ", b"\t", b"", b"  "]));
            out.extend_from_slice(random.pick(PIECES));
        }
        out.extend_from_slice(random.pick(&[
            b"\n",
            b"\n",
            b"\r\n",
            b"\\\n",
            b"",
            b"\nEOF\n",
            b"\n\tEOF\nA\n",
        ]));
    }
    out
}

const TOPS: &[&[u8]] = &[
    b"\xEF\xBB\xBF",
    b"# escape=`\n",
    b"#escape = x\n",
    b"# syntax=a\n# check=b\n",
    b"# escape=`\n# Escape=\\\n",
    b"#\n",
    b"# a b\n",
    b"#syntax=\n",
];

const KEYWORDS: &[&[u8]] = &[
    b"FROM",
    b"RUN",
    b"CMD",
    b"COPY",
    b"ADD",
    b"ENV",
    b"LABEL",
    b"ARG",
    b"HEALTHCHECK",
    b"HEALTHCHECK CMD",
    b"ONBUILD",
    b"ONBUILD RUN",
    b"ONBUILD COPY",
    b"VOLUME",
    b"EXPOSE",
    b"USER",
    b"WORKDIR",
    b"STOPSIGNAL",
    b"SHELL",
    b"ENTRYPOINT",
    b"MAINTAINER",
    b"run",
    b"Copy",
    b"FOO",
    b"#",
    b"",
    b"  RUN",
];

const PIECES: &[&[u8]] = &[
    b"a",
    b"b=c",
    b"=",
    b"\"",
    b"'",
    b"\\",
    b"`",
    b"$",
    b"$x",
    b"${x}",
    b"${x:-",
    b"}",
    b"{",
    b"[",
    b"]",
    b"[\"a\"]",
    b"[\"a\", \"b\"]",
    b"[]",
    b"[1]",
    b"\"a\"",
    b",",
    b"<<EOF",
    b"<<-EOF",
    b"<<'EOF'",
    b"<<\"EOF\"",
    b"<<E\\OF",
    b"3<<A",
    b"<<",
    b"<<<",
    b"EOF",
    b"\nEOF\n",
    b"\n",
    b"\r\n",
    b"\\\n",
    b"\\ \n",
    b"\\\r\n",
    b"`\n",
    b"#",
    b"# c\n",
    b"\n# c\n",
    b"\n\n",
    b"\t",
    b" ",
    b"\x0B",
    b"\x0C",
    b"\xA0",
    b"\xC2\xA0",
    b"\x85",
    b"\xC2\x85",
    b"\xE2\x80\x83",
    b"\xFF",
    b"\xC3\xA9",
    b"\xC3\xA0x",
    b"\0",
    b"--",
    b"--a",
    b"--from=b",
    b"--chown=1:2",
    b"--chmod=7",
    b"--link",
    b"--link=false",
    b"--link=",
    b"--link=x",
    b"--parents",
    b"--exclude=*",
    b"--checksum=sha256:1",
    b"--keep-git-dir",
    b"--keep-git-dir=FALSE",
    b"--unpack=true",
    b"--mount=type=bind",
    b"--mount=a,from=$x",
    b"--mount=from=a$",
    b"--mount=",
    b"--mount=\"a,b\"",
    b"--mount='\"a,b\"'",
    b"--network=none",
    b"--network=x",
    b"--security=insecure",
    b"--security=",
    b"--device=a/b=c,required",
    b"--device=name=x,name=y",
    b"--platform=linux/amd64",
    b"--interval=1m",
    b"--timeout=5",
    b"--retries=3",
    b"--retries=-1",
    b"--retries=x",
    b"--start-period=1ns",
    b"--start-interval=0",
    b"NONE",
    b"CMD",
    b"AS",
    b"as",
    b"A\xC5\xBF",
    b"b1",
    b"1b",
    b"B-._",
    b"/x",
    b"ONBUILD",
    b"FROM",
    b"\nFROM b\n",
    b"\nRUN x\n",
    b"\nARG y=1\n",
    b"\nENV q\n",
    b"\\x",
    b"\\\"",
    b"\\\\",
    b"a\\ b",
    b"\"a b\"",
    b"'a b'",
    b"x\"y\"z",
    b"\xE2\x84\xAA",
    b"WOR\xE2\x84\xAADIR",
];

const HARD: &[&[u8]] = &[
    b"", b"\n", b"# c\n", b"FROM", b"FROM a", b"FROM a b", b"FROM a AS", b"FROM a AS b", b"FROM a AS B\n", b"FROM a AS 1", b"from a as b", b"FROM a AS b c", b"RUN x", b"ARG a", b"ARG a\nFROM a", b"FROM --platform=x a", b"FROM --platform= a", b"FROM --x a",
    b"\xEF\xBB\xBFFROM a\n", b"\xEF\xBB\xBF# escape=`\nFROM a\nRUN b `\n c", b"\xEF\xBB\xBF", b" \xEF\xBB\xBFFROM a\n",
    b"# escape=`\nFROM a\nRUN b `\n c \\\nRUN d", b"#escape=``\nFROM a", b"# escape=\\\n# escape=\\\nFROM a", b"\n# escape=`\nFROM a\nRUN b `\n", b"# syntax=x\n#escape=`\nFROM a\n", b"  # escape=`\nFROM a`\n AS b\n", b"# x\n# escape=`\nFROM a\\\n",
    b"RUN a \\\n\n\n b", b"RUN a \\\n# c\n  # d\n b", b"RUN a \\", b"RUN a \\\n", b"\\", b"\\\n", b"\\\nRUN a", b"RUN a \\\\\nRUN b", b"RUN a \\ \t\n b", b"RUN \\\n a", b"RU\\\nN a", b"RUN a\\\nb\\\nc", b"RUN a \\\r\n b\r\n", b"RUN a\r", b"RUN a \\\n#", b"RUN a \\\n # x", b"RUN a # b",
    b"RUN <<EOF\nx\nEOF", b"RUN <<EOF\nx\nEOF\nRUN y", b"RUN <<A <<B\n1\nA\n2\nB\n", b"RUN cat <<A - <<'B' 3<<-C\n1\nA\n$2\nB\n\t3\n\tC\n", b"RUN <<EOF\n", b"RUN <<EOF", b"RUN <<EOF\r\nx\r\nEOF\r\n", b"RUN <<-EOF\n\t\tx\n\t\tEOF\n", b"RUN <<EOF\n EOF\nEOF", b"RUN <<EOF\nEOF x\nEOF\nRUN y\n",
    b"RUN <<-\"X\"\n\ta\n\tX\n", b"RUN <<\\X\na\nX\n", b"RUN << EOF\nx\nEOF", b"RUN <<\"E F\"\nx\nE F\n", b"RUN echo $((1<<2))", b"RUN cat <<< x", b"RUN cat <<<x <<EOF\na\nEOF\n", b"RUN echo '<<EOF'", b"RUN echo \"<<EOF\"", b"RUN echo \\<<EOF\nEOF\n", b"RUN a \\\n <<EOF \\\n b\nx\nEOF\n",
    b"RUN <<EOF && \\\nx\nx\nEOF\n", b"RUN it's <<EOF\nEOF\n", b"RUN <<${x}\nx\n${x}\n", b"RUN <<${x\n", b"RUN <<$x-y\na\n$x-y\n", b"RUN a<<EOF\nEOF\n", b"RUN 12345678901234567890123<<EOF\nx\nEOF\n", b"RUN [\"a\", \"<<EOF\"]", b"RUN <<\nx", b"RUN <<''\nx\n\n", b"RUN ${x:-y}<<EOF\nEOF\n", b"RUN a${x:-b c}<<EOF\nEOF\n",
    b"COPY <<EOF /x\na\nEOF\n", b"COPY <<A <<B c /x\n1\nA\n2\nB\n", b"COPY <<-'E' /x\n\t$a\n\tE\n", b"COPY a <<EOF\nx\nEOF\n", b"COPY [\"<<EOF\", \"/x\"]\n", b"ADD <<-EOT /x\n\ta\n\tEOT\n", b"COPY <<A <<A /x\n1\nA\n2\nA\n", b"COPY <<\"A B\" /x\nx\nA B\n", b"CMD <<EOF\nRUN x", b"ENV a=<<EOF\n",
    b"ONBUILD RUN <<EOF\nx\nEOF\n", b"ONBUILD COPY <<EOF /x\na\nEOF\n", b"ONBUILD", b"ONBUILD ", b"ONBUILD ONBUILD RUN x", b"ONBUILD FROM x", b"ONBUILD MAINTAINER x", b"onbuild run x", b"ONBUILD FOO x", b"ONBUILD ENV a", b"ONBUILD --x RUN a", b"ONBUILD RUN --mount=type=x a", b"ONBUILD ADD <<EOF\nEOF\n", b"ONBUILD RUN [\"a\"]", b"ONBUILD RUN [1]", b" ONBUILD \t RUN x", b"ONBUILD HEALTHCHECK", b"ONBUILD HEALTHCHECK CMD [\"a\"]",
    b"ENV a", b"ENV a b", b"ENV a b c", b"ENV a=b c", b"ENV a=b c=d", b"ENV a=\"b c\" d='e f' g=h\\ i", b"ENV =b", b"ENV a=", b"ENV a=b\\", b"ENV a=\"b", b"ENV \"a\"=b", b"ENV a =b", b"ENV 'a b'=c", b"ENV", b"ENV a\\ b=c", b"ENV a  b  ", b"ENV \"a b\" c", b"LABEL a", b"LABEL a=b \\\n c=d", b"LABEL \"x\"=\"y\" ''=z", b"LABEL",
    b"ARG", b"ARG a=b c d='e f'", b"ARG =b", b"ARG --x a", b"ARG a b=", b"# a one\n# b two\nARG a b", b"#a one\nARG a", b" # a one\nARG a", b"# a one\n#\nARG a", b"# a one\n\nARG a",
    b"CMD", b"CMD []", b"CMD [\"a\"]", b"CMD [\"a\",]", b"CMD ['a']", b"CMD [\"a\"] b", b"CMD [1]", b"CMD [\"a\", null]", b"CMD [1e999]", b"CMD  [ \"a\" ] ", b"CMD [\"\\u0041\\ud83d\\ude00\\ud83d\"]", b"CMD [\"\xFF\"]", b"CMD a  b", b"CMD --x a", b"CMD -- a", b"CMD --", b"ENTRYPOINT []", b"ENTRYPOINT", b"ENTRYPOINT [\"a\\tb\"]", b"CMD [\"a\tb\"]", b"CMD {\"a\":1}", b"CMD [[\"a\"]]",
    b"SHELL", b"SHELL a", b"SHELL []", b"SHELL [\"a\"]", b"VOLUME", b"VOLUME a b", b"VOLUME [\"a\", \" b \"]", b"VOLUME [\"\"]", b"VOLUME []", b"VOLUME --x a", b"EXPOSE", b"EXPOSE 2 1 3/udp", b"EXPOSE $a", b"USER", b"USER a b", b"WORKDIR", b"WORKDIR a b ", b"STOPSIGNAL", b"STOPSIGNAL --x a", b"STOPSIGNAL a b", b"MAINTAINER", b"MAINTAINER a b", b"MAINTAINER --x a",
    b"HEALTHCHECK", b"HEALTHCHECK NONE", b"HEALTHCHECK none a", b"HEALTHCHECK --x NONE", b"HEALTHCHECK CMD", b"HEALTHCHECK CMD a b", b"HEALTHCHECK cmd [\"a\"]", b"HEALTHCHECK CMD []", b"HEALTHCHECK a", b"HEALTHCHECK --interval=5s --timeout=1m30s --start-period=1.5h --start-interval=1ms --retries=+5 CMD a", b"HEALTHCHECK --interval=0 CMD a", b"HEALTHCHECK --interval=1ns CMD a", b"HEALTHCHECK --interval=-1s CMD a", b"HEALTHCHECK --interval=x CMD a", b"HEALTHCHECK --interval= CMD a", b"HEALTHCHECK --retries=3000000000 CMD a", b"HEALTHCHECK --retries=-1 CMD a", b"HEALTHCHECK --retries= CMD a", b"HEALTHCHECK --interval=9223372036854775807ns CMD a", b"HEALTHCHECK --interval=.5s CMD a", b"HEALTHCHECK --interval=1.s CMD a", b"HEALTHCHECK --interval=0.0000000000000000000000001h CMD a", b"HEALTHCHECK \xC3\xA0 CMD", b"HEALTHCHECK CMD [1]",
    b"COPY a", b"COPY", b"COPY a b", b"COPY [\"a b\", \"c\"]", b"COPY --from=x --chown=a:b --chmod=755 --link --parents --exclude=a --exclude=b c d", b"COPY --link=maybe a b", b"COPY --link= a b", b"COPY --link=TRUE a b", b"COPY --link --link a b", b"COPY --chown a b", b"COPY --chown= a b", b"COPY --checksum=x a b", b"COPY --fro=x a b", b"COPY -- --a b", b"COPY --from='a b' c d", b"COPY --from=\"a\\\"b\" c d", b"COPY --from=\xC3\xA9 a b", b"COPY --exclude a b",
    b"ADD a", b"ADD a b", b"ADD --keep-git-dir --checksum=sha256:x --unpack=false --link=false http://x /y", b"ADD --from=x a b", b"ADD --parents a b", b"ADD [\"a\"]", b"COPY [] a", b"COPY [1, 2]",
    b"RUN", b"RUN --mount=type=cache,target=/x a", b"RUN --mount=type=bind,from=$x a", b"RUN --mount=from=a$ a", b"RUN --mount=FROM=a$b a", b"RUN --mount= a", b"RUN --mount a", b"RUN --mount=\\\"a a", b"RUN --network=host --security=insecure a", b"RUN --network=x a", b"RUN --network= a", b"RUN --security=y a", b"RUN --network=none --network=none a", b"RUN --device=vendor/x=y,required a", b"RUN --device=a,b a", b"RUN --device=name=a,foo=b a", b"RUN --device=required=x a", b"RUN --device= a", b"RUN --x a", b"RUN --mount=a=b --x=y a", b"RUN --", b"RUN -- --a", b"RUN --a\\", b"RUN --'a", b"RUN '--a'",
    b"FOO", b"FOO a", b"FORM a", b"\xFF", b"RUN \xFF\xFE", b"\xC2\xA0RUN a", b"RUN\xC2\xA0a", b"\x0BRUN\x0Ca", b"WOR\xE2\x84\xAADIR a", b"\xC4\xB0", b"ONBU\xC4\xB0LD RUN a", b"ONBU\xC4\xB1LD RUN a", b"ONBUILD ONBU\xC4\xB1LD a", b"FROM a A\xC5\xBF b", b"FROM a AS \xE2\x84\xAA", b"FROM a\0b", b"RUN a\0",
    b"FROM a AS b\nFROM b AS b\nCOPY --from=B x y\n", b"# b the stage\nFROM a AS b\n", b"ARG x=1\nFROM $x\nARG x\n", b"FROM scratch\nADD --checksum=a b c\n",
];
