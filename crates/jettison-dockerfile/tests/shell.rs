//! The shell parser, with bash as the judge of what is shell: every script of the corpus that `bash -n` takes must
//! be read without an error, and what it refuses must not pass in silence.

#![expect(clippy::print_stderr, reason = "what is skipped is said aloud")]

mod judge;

use std::io::Write;
use std::process::{Command, Stdio};

use jettison_dockerfile::parse;
use jettison_dockerfile::shell::{self, CommandKind, ShellScript};
use jettison_dockerfile::syntax::Logical;
use judge::{Random, corpus};
use proptest::prelude::*;

/// Scripts where bash and this parser mean to differ, by a piece of their text.
const MEANT: &[(&str, &str)] = &[(
    "${>",
    "bash finds a bad substitution only when it runs the script",
)];

#[test]
fn corpus_scripts_agree_with_bash() {
    let mut scripts = std::collections::BTreeSet::new();
    for (_, bytes) in corpus() {
        let (tree, _) = parse(&bytes);
        for index in 0..tree.instructions().len() {
            if let Some(script) = tree.shell_script(index) {
                scripts.insert(script.text.text().to_vec());
            }
        }
    }
    // Damaged scripts show whether errors are seen.
    let whole: Vec<Vec<u8>> = scripts.iter().cloned().collect();
    let mut random = Random(8);
    for _ in 0..1_500.min(whole.len()) {
        let mut script = whole[random.below(whole.len())].clone();
        let at = random.below(script.len());
        match random.below(3) {
            0 => script.truncate(at),
            1 => drop(script.remove(at)),
            _ => script.insert(at, b"'\"`(){};&|<>$\\ \n#"[random.below(17)]),
        }
        scripts.insert(script);
    }
    let (mut both, mut neither, mut meant) = (0, 0, 0);
    let mut differences = Vec::new();
    for script in &scripts {
        let Some((takes, said)) = bash_takes(script) else {
            return;
        };
        let parsed = shell::parse(logical(script));
        check_ranges(&parsed);
        match (takes, parsed.errors.is_empty()) {
            (true, true) => both += 1,
            (false, false) => neither += 1,
            _ if MEANT
                .iter()
                .any(|(piece, _)| String::from_utf8_lossy(script).contains(piece)) =>
            {
                meant += 1
            }
            _ => differences.push(format!(
                "{:?}\n  bash {takes} {said}\n  ours {:?}",
                String::from_utf8_lossy(script),
                parsed.errors
            )),
        }
    }
    println!(
        "shell: {} scripts, {} of them from the corpus; {both} taken by both, {neither} refused by both, {} different, {meant} of a listed kind",
        scripts.len(),
        whole.len(),
        differences.len()
    );
    let from_corpus = differences
        .iter()
        .take(15)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n\n");
    assert!(differences.is_empty(), "{from_corpus}");
}

fn bash_takes(script: &[u8]) -> Option<(bool, String)> {
    let child = Command::new("bash")
        .args(["--norc", "-O", "extglob", "-n"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            eprintln!("skipped: no bash: {error}");
            return None;
        }
    };
    // bash may stop reading at the first error.
    let _ = child
        .stdin
        .take()
        .expect("stdin is piped")
        .write_all(script);
    let output = child.wait_with_output().expect("bash ends");
    // A heredoc that is not ended is a warning to bash and an error here.
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Some((
        output.status.success() && !said.contains("here-document"),
        said,
    ))
}

fn logical(text: &[u8]) -> Logical {
    let mut logical = Logical::default();
    logical.push(text, 0);
    logical
}

fn check_ranges(script: &ShellScript) {
    let length = script.text.text().len();
    for command in script.commands() {
        assert!(
            command.range.start <= command.range.end && command.range.end <= length,
            "{command:?}"
        );
        if let CommandKind::Simple { words, .. } = &command.kind {
            for word in words {
                assert!(
                    word.range.start <= word.range.end && word.range.end <= length,
                    "{word:?}"
                );
                script.literal(word);
            }
        }
    }
}

/// The simple commands of a text, each as its words between bars.
fn commands(script: &ShellScript) -> Vec<String> {
    let words = |command: &shell::Command| match &command.kind {
        CommandKind::Simple { words, .. } => Some(
            words
                .iter()
                .map(|word| String::from_utf8_lossy(script.bytes(&word.range)).into_owned())
                .collect::<Vec<_>>()
                .join("|"),
        ),
        _ => None,
    };
    script.commands().into_iter().filter_map(words).collect()
}

fn check(text: &str, expected: &[&str]) {
    let script = shell::parse(logical(text.as_bytes()));
    assert_eq!(script.errors, [], "{text:?}");
    assert_eq!(commands(&script), expected, "{text:?}");
}

#[test]
fn commands_wherever_they_stand() {
    check(
        "set -eux; apt-get update && apt-get install -y \"a b\" c",
        &["set|-eux", "apt-get|update", "apt-get|install|-y|\"a b\"|c"],
    );
    check("A=1 B=\"$(x y)\" c >d 2>&1 | e &", &["c", "x|y", "e"]);
    check(
        "if a; then b; elif c; then d; else e; fi",
        &["a", "b", "c", "d", "e"],
    );
    check(
        "for i in $(ls) \"$(p `q`)\"; do x \"$i\"; done",
        &["ls", "p|`q`", "q", "x|\"$i\""],
    );
    check("case \"$x\" in a|b) c ;; (*) d;; esac", &["c", "d"]);
    check("f() { a; }; function g { b; }; f", &["a", "b", "f"]);
    check(
        "[[ -z \"$(a)\" && ( $x =~ ^(b|c)$ ) ]] || (cd x && y)",
        &["a", "cd|x", "y"],
    );
    check(
        "while read -r l; do :; done < <(a)",
        &["read|-r|l", ":", "a"],
    );
    check(
        "echo $((1<<2 + $(n))) ${x:-$(m)} ${#y} ${z//a/b}",
        &["echo|$((1<<2 + $(n)))|${x:-$(m)}|${#y}|${z//a/b}", "n", "m"],
    );
    check("cat <<EOF && b\n$(no)\nEOF\nc", &["cat", "b", "c"]);
    check("a # b\nc#d; { e; } 2>/dev/null", &["a", "c#d", "e"]);
    check(
        "declare -a A=(x \"y z\") B; export C=1",
        &["declare|-a|(x \"y z\")|x|\"y z\"|B", "export|1"],
    );
    check("! a; time -p b; a \\\n b", &["a", "b", "a|b"]);
    check("((i++)); for ((i=0; i<3; i++)); do a; done", &["a"]);
    check(
        "echo 'it''s' $'a\\'b' \"q\\\"r\" \\\" {a,b} @(y|z)",
        &["echo|'it''s'|$'a\\'b'|\"q\\\"r\"|\\\"|{a,b}|@(y|z)"],
    );
}

#[test]
fn what_is_wrong_is_said_and_stepped_over() {
    let check = |text: &str, expected: &[&str]| {
        let script = shell::parse(logical(text.as_bytes()));
        assert!(!script.errors.is_empty(), "{text:?}");
        assert_eq!(commands(&script), expected, "{text:?}");
    };
    check("if a; then b; c", &["a", "b", "c"]);
    check("a && ; b", &["a", "b"]);
    check("a ) b", &["a", "b"]);
    check("echo \"x", &["echo|\"x"]);
    check("a | | b", &["a", "b"]);
    check("echo $(a", &["echo|$(a", "a"]);
    check("a <", &["a"]);
}

#[test]
fn positions_lead_back_through_continuations_and_comments() {
    let file = b"FROM a\nRUN first \\\n  # a comment\n\n  && sec\\\nond \"x\" \\\n  third\nHEALTHCHECK --interval=5s CMD curl \\\n -f x || exit 1\nCMD [\"sh\", \"-c\", \"run it\"]\nRUN <<E\n\tone\nE\nRUN <<-E cat | \\\n w\n\ttwo\n\tE\n";
    let (tree, errors) = parse(file);
    assert_eq!(errors, []);
    let found = |instruction: usize| -> Vec<(String, String)> {
        let script = tree.shell_script(instruction).expect("there is a script");
        let words = script
            .commands()
            .into_iter()
            .flat_map(|command| match &command.kind {
                CommandKind::Simple { words, .. } => words.clone(),
                _ => Vec::new(),
            });
        words
            .map(|word| {
                (
                    String::from_utf8_lossy(script.bytes(&word.range)).into_owned(),
                    String::from_utf8_lossy(tree.text(&script.source_range(&word.range)))
                        .into_owned(),
                )
            })
            .collect()
    };
    let same = |text: &str| (text.to_owned(), text.to_owned());
    assert_eq!(
        found(1),
        [
            same("first"),
            ("second".to_owned(), "sec\\\nond".to_owned()),
            same("\"x\""),
            same("third")
        ]
    );
    assert_eq!(found(2), ["curl", "-f", "x", "exit", "1"].map(same));
    assert_eq!(found(3), ["run", "it"].map(same));
    assert_eq!(found(4), [same("one")]);
    assert_eq!(found(5), ["cat", "w"].map(same));
}

#[test]
fn shells_that_are_none_are_left_alone() {
    let (tree, _) = parse(b"FROM a\nSHELL [\"powershell\", \"-c\"]\nRUN x\nSHELL [\"/bin/bash\", \"-c\"]\nRUN x\nRUN <<E\n#!/usr/bin/env python\nx\nE\n");
    let read: Vec<bool> = (0..6)
        .map(|index| tree.shell_script(index).is_some())
        .collect();
    assert_eq!(read, [false, false, false, false, true, false]);
}

#[test]
fn hostile_text_costs_time_in_proportion() {
    for piece in [
        "(",
        "((",
        "$(",
        "$((",
        "{ ",
        "`",
        "${a:-",
        "if ",
        "\"$(",
        "case x in (",
        "a() ",
        "<<E\n",
        "[[ ",
        "@(",
        "f=(",
        "!",
        "\\",
        "$(((",
    ] {
        let text = piece.repeat(60_000 / piece.len());
        let started = std::time::Instant::now();
        let script = shell::parse(logical(text.as_bytes()));
        check_ranges(&script);
        assert!(
            started.elapsed().as_secs() < 10,
            "{piece:?} takes {:?}",
            started.elapsed()
        );
    }
}

#[test]
fn large_files_cost_time_in_proportion() {
    for line in [
        "ENV a\n",
        "FROM a AS b\n",
        "RUN a\n",
        "RUN a \\\n",
        "COPY --from=b c d\n",
        "ARG a\n",
        "RUN <<A <<B\n",
        "# c\n",
        "ONBUILD ",
    ] {
        let file = [
            b"FROM a\n".as_slice(),
            &line.as_bytes().repeat(1_000_000 / line.len() / 4),
        ]
        .concat();
        let started = std::time::Instant::now();
        let (tree, _) = parse(&file);
        (0..tree.instructions().len()).for_each(|index| drop(tree.shell_script(index)));
        let none = Default::default();
        let _ = jettison_dockerfile::outline::outline(&tree, None, &none, &none);
        assert!(
            started.elapsed().as_secs() < 20,
            "{line:?} takes {:?}",
            started.elapsed()
        );
    }
}

proptest! {
    #[test]
    fn anything_can_be_parsed(pieces in prop::collection::vec(prop::sample::select(vec![
        "a", " ", "\n", ";", "&&", "||", "|", "&", "(", ")", "((", "))", "{", "}", "[[", "]]", "$", "$(", "${", "x}", "`", "'", "\"", "\\", "<<E", "\nE\n", "<", ">", "#", "if", "then", "fi", "for", "in", "do", "done",
        "case", "esac", ";;", "function", "f()", "=", "A=(", "!", "while", "\u{e9}", "=~", "$'", "@(",
    ]), 0..40)) {
        let script = shell::parse(logical(pieces.concat().as_bytes()));
        check_ranges(&script);
    }

    #[test]
    fn any_bytes_can_be_parsed(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check_ranges(&shell::parse(logical(&bytes)));
        let (tree, _) = parse(&bytes);
        prop_assert_eq!(tree.to_bytes(), bytes);
    }
}
