//! Agreement with BuildKit's word expansion, mounts and `.dockerignore` patterns, over generated inputs.

mod judge;

use std::collections::BTreeMap;

use jettison_dockerfile::expand::Lex;
use jettison_dockerfile::ignore::{Ignore, ParentMatches};
use jettison_dockerfile::instruction::{Body, Mount};
use jettison_dockerfile::parse;
use judge::{Question, Random, ask, decode, encode, judge};
use serde_json::{Value, json};

const WORDS: &[&[u8]] = &[
    b"a",
    b"b",
    b" ",
    b"\t",
    b"$",
    b"$a",
    b"$b",
    b"$unset",
    b"${a}",
    b"${",
    b"}",
    b"${a:-",
    b"${unset:-x}",
    b"${unset-x y}",
    b"${empty:-x}",
    b"${empty-x}",
    b"${a:+",
    b"${a+x}",
    b"${empty:+x}",
    b"${unset:?no}",
    b"${unset?}",
    b"${empty:?}",
    b"${a:=x}",
    b"${a#",
    b"${path#*/}",
    b"${path##*/}",
    b"${path%/*}",
    b"${path%%/*}",
    b"${path#?}",
    b"${path/o/0}",
    b"${path//o/0}",
    b"${path//*/$0}",
    b"${path//?/[$0$$]}",
    b"${path/\\//-}",
    b"${path//\\//-}",
    b"${a/",
    b"/",
    b"//",
    b"${a/x",
    b"${path%\\*}",
    b"${star#\\*}",
    b"${star%\\*}",
    b"${star%%\\?*}",
    b"${star#\\a}",
    b"${path#$a}",
    b"${path%${b}*}",
    b"${nl#*b}",
    b"${nl//?/x}",
    b"${nl%%*}",
    b"${bad%?}",
    b"${bad//a/}",
    b"${uni%?}",
    b"${uni#?}",
    b"${uni//\xC3\xA9/e}",
    b"\\",
    b"`",
    b"\\$",
    b"\\\"",
    b"'",
    b"\"",
    b"'x y'",
    b"\"x y\"",
    b"\"$a b\"",
    b"'$a'",
    b"\"\\$a\"",
    b"\"\\x\"",
    b"<",
    b"<<",
    b"<< ",
    b"<<-EOF",
    b":",
    b"-",
    b"+",
    b"?",
    b"#",
    b"%",
    b"*",
    b"{",
    b"[",
    b"$0",
    b"$12",
    b"$@",
    b"$?",
    b"$$",
    b"${1}",
    b"${@}",
    b"${a!}",
    b"${}",
    b"${:x}",
    b"${{a}}",
    b"\xFF",
    b"\xC3\xA9",
    b"$\xC3\xA9",
    b"\xEF\xBB\xBF",
    b"\n",
    b"\r",
    b"\xC2\xA0",
    b"_",
    b"$a_b",
    b"${a}b",
    b"${path//x*/y}",
    b"${path//o*/}",
    b"${empty//x/y}",
    b"${empty//*/y}",
    b"${path//[a]/y}",
    b"${rx//+/p}",
    b"${rx#(}",
    b"${rx//a.b/Z}",
    b"${rx/|/${b}}",
    b"${path//o/${1}x}",
    b"${path//o/$x1}",
];

const VARIABLES: &[(&str, &[u8])] = &[
    ("a", b"foo"),
    ("b", b"two words"),
    ("empty", b""),
    ("path", b"/usr/local/lib/foo.so"),
    ("star", b"*a?b*"),
    ("nl", b"a\nb\nc"),
    ("bad", b"a\xFFb\xC3"),
    ("uni", b"\xC3\xA9t\xC3\xA9"),
    ("rx", b"(a.b|c+d)$"),
    ("é", b"accent"),
    ("12", b"twelve"),
    ("@", b"at"),
];

#[test]
fn words_agree() {
    let Some(judge) = judge() else { return };
    let mut random = Random(4_711);
    let mut inputs: Vec<(u8, usize, Vec<u8>)> =
        WORDS.iter().map(|word| (b'\\', 0, word.to_vec())).collect();
    for _ in 0..20_000 {
        let word: Vec<u8> = (0..1 + random.below(6))
            .flat_map(|_| random.pick(WORDS).to_vec())
            .collect();
        inputs.push((
            if random.below(4) == 0 { b'`' } else { b'\\' },
            random.below(16),
            word,
        ));
    }
    let variables: BTreeMap<String, Vec<u8>> = VARIABLES
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.to_vec()))
        .collect();
    let settings = |set: usize| {
        ["q", "e", "s", "u"]
            .iter()
            .enumerate()
            .filter(|(bit, _)| set & (1 << bit) != 0)
            .map(|(_, letter)| *letter)
            .collect::<String>()
    };
    let pairs: Vec<Vec<u8>> = VARIABLES
        .iter()
        .map(|(name, value)| [name.as_bytes(), b"=", value].concat())
        .collect();
    let questions = inputs.iter().map(|(escape, set, word)| {
        let mut fields = vec![vec![*escape], settings(*set).into_bytes(), word.clone()];
        fields.extend(pairs.iter().cloned());
        Question(b'W', fields)
    });
    let (mut same, mut expanded) = (0, 0);
    let mut differences = Vec::new();
    ask(judge, questions, |index, theirs| {
        let (escape, set, word) = &inputs[index];
        let bit = |bit: usize| set & (1 << bit) != 0;
        let lex = Lex {
            raw_quotes: bit(0),
            raw_escapes: bit(1),
            skip_quotes: bit(2),
            skip_unset: bit(3),
            ..Lex::new(*escape)
        };
        let their_error = String::from_utf8_lossy(&decode(&theirs["Error"])).into_owned();
        let agree = match lex.expand(word, &variables) {
            // The judge puts the word in front and Go's reason behind.
            Err(error) => their_error.contains(&error.to_string()),
            Ok(ours) => {
                expanded += 1;
                let names = |set: &std::collections::BTreeSet<String>| {
                    if set.is_empty() {
                        Value::Null
                    } else {
                        json!(set)
                    }
                };
                json!({ "Error": Value::Null, "Word": encode(&ours.word), "Words": ours.words.iter().map(|word| encode(word)).collect::<Vec<_>>(),
                    "Matched": names(&ours.matched), "Unmatched": names(&ours.unmatched) })
                    == theirs
            }
        };
        if agree {
            same += 1;
        } else {
            differences.push(format!(
                "{:?} ({}): ours {:?}\n   BuildKit {their_error} {:?} {:?}",
                String::from_utf8_lossy(word),
                settings(*set),
                lex.expand(word, &variables)
                    .map(|ours| (String::from_utf8_lossy(&ours.word).into_owned(), ours.words)),
                String::from_utf8_lossy(&decode(&theirs["Word"])),
                theirs
            ));
        }
    });
    println!(
        "words: {} asked, {expanded} expanded, {same} the same",
        inputs.len()
    );
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences[..differences.len().min(12)].join("\n")
    );
    assert_eq!(same, inputs.len());
}

const MOUNTS: &[&str] = &[
    "type=bind",
    "type=cache",
    "type=tmpfs",
    "type=secret",
    "type=ssh",
    "type=X",
    "TYPE=Cache",
    "from=a",
    "source=/s",
    "src=x",
    "target=/t",
    "dst=/d",
    "destination=/e",
    "ro",
    "rw",
    "readonly",
    "readwrite=false",
    "ro=1",
    "rw=T",
    "ro=x",
    "required",
    "required=true",
    "required=no",
    "size=10",
    "size=1.5g",
    "size=1 k",
    "size=10KiB",
    "size=1kx",
    "size=-1",
    "size=",
    "size=b",
    "size=1e3",
    "size=1pb",
    "size=.5m",
    "size=1eb",
    "id=i",
    "sharing=locked",
    "sharing=Shared",
    "sharing=private",
    "sharing=x",
    "mode=0755",
    "mode=9",
    "uid=1",
    "uid=-1",
    "uid=4294967296",
    "gid=2",
    "gid=+2",
    "env=E",
    "env=",
    "nope",
    "nope=1",
    "\\\"a",
    "",
    "Mode=7",
];

#[test]
fn mounts_agree() {
    let Some(judge) = judge() else { return };
    let mut random = Random(31);
    let mut inputs: Vec<String> = MOUNTS.iter().map(|field| (*field).to_owned()).collect();
    for _ in 0..20_000 {
        inputs.push(
            (0..1 + random.below(4))
                .map(|_| random.pick(MOUNTS))
                .collect::<Vec<&str>>()
                .join(","),
        );
    }
    inputs
        .iter_mut()
        .for_each(|input| *input = input.replace(' ', "\\ "));
    let (mut same, mut accepted) = (0, 0);
    let mut differences = Vec::new();
    ask(
        judge,
        inputs
            .iter()
            .map(|input| Question(b'M', vec![input.clone().into_bytes()])),
        |index, theirs| {
            let input = &inputs[index];
            let their_error = String::from_utf8_lossy(&decode(&theirs["Error"])).into_owned();
            let (tree, errors) = parse(format!("FROM a\nRUN --mount={input} x\n").as_bytes());
            let ours = match (
                errors.first(),
                tree.instructions().get(1).map(|run| &run.body),
            ) {
                (None, Some(Body::Run(run))) => run
                    .mounts
                    .iter()
                    .map(|mount| {
                        Mount::read(&mount.value, &mut |word| Ok(word.to_vec()))
                            .map_err(|error| error.to_string())
                    })
                    .collect(),
                (Some(error), _) => Err(error.kind.to_string()),
                other => Err(format!("{other:?}")),
            };
            let ours: Result<Vec<Value>, String> =
                ours.map(|mounts: Vec<Mount>| mounts.iter().map(mount_shape).collect());
            let agree = match &ours {
                // Go's reader puts the column in the middle.
                Err(error) => error.split(": ").all(|part| their_error.contains(part)),
                Ok(mounts) => {
                    accepted += 1;
                    let theirs = theirs["Fields"].as_array().cloned().unwrap_or_default();
                    let theirs: Vec<Value> = theirs
                        .iter()
                        .map(|field| {
                            serde_json::from_str(field.as_str().unwrap_or("")).unwrap_or_default()
                        })
                        .collect();
                    their_error.is_empty() && *mounts == theirs
                }
            };
            if agree {
                same += 1
            } else {
                differences.push(format!(
                    "{input:?}\n   ours     {ours:?}\n   BuildKit {their_error} {}",
                    theirs["Fields"]
                ))
            }
        },
    );
    println!(
        "mounts: {} asked, {accepted} accepted, {same} the same",
        inputs.len()
    );
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences[..differences.len().min(12)].join("\n")
    );
}

fn mount_shape(mount: &Mount) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let sharing = mount
        .sharing
        .map(|sharing| format!("{sharing:?}").to_lowercase())
        .unwrap_or_default();
    json!({ "Type": mount.kind.as_str(), "From": text(&mount.from), "Source": text(&mount.source), "Target": text(&mount.target), "ReadOnly": mount.read_only, "SizeLimit": mount.size_bytes,
        "CacheID": text(&mount.id), "CacheSharing": sharing, "Required": mount.required, "Env": mount.env.as_ref().map(|env| text(env)), "Mode": mount.mode, "UID": mount.uid, "GID": mount.gid })
}

const PATTERN_PIECES: &[&[u8]] = &[
    b"a",
    b"b",
    b"foo",
    b"*",
    b"**",
    b"**/",
    b"/**",
    b"/",
    b"?",
    b".",
    b"..",
    b"[a-c]",
    b"[^a]",
    b"[",
    b"]",
    b"\\",
    b"\\*",
    b"\\d",
    b"\\w",
    b"\\Q",
    b"\\x41",
    b"\\b",
    b"\\p",
    b"{2}",
    b"{a,b}",
    b"|",
    b"^",
    b"$",
    b"+",
    b"(",
    b")",
    b" ",
    b"!",
    b"#",
    b"-",
    b"[[:alpha:]]",
    b"[*]",
    b"[]a]",
    b"[a\\]]",
    b"\xC3\xA9",
    b"\xFF",
    b"*.go",
    b"a/b",
    b"/a/",
    b"./a",
    b"a/../b",
];
const PATHS: &[&[u8]] = &[
    b"a",
    b"b",
    b"c",
    b"d",
    b"aa",
    b"ab",
    b"foo",
    b"foo/a",
    b"a/b",
    b"a/foo",
    b"a/b/foo",
    b"b/a/x.go",
    b"x.go",
    b".git",
    b"a.b",
    b"a b",
    b"!a",
    b"#a",
    b"a*",
    b"[a]",
    b"a|b",
    b"a{2}",
    b"\xC3\xA9",
    b"\xFFx",
    b"A",
    b"5",
    b"-",
    b"a/b/c/d",
    b"foo/foo",
    b"a+",
    b"(a)",
    b"a^b",
    b"$",
    b"ac",
    b"a/",
    b"../a",
    b"\\",
    b"a]",
];

#[test]
fn ignore_patterns_agree() {
    let Some(judge) = judge() else { return };
    let mut random = Random(555);
    let mut inputs: Vec<Vec<u8>> = PATTERN_PIECES.iter().map(|piece| piece.to_vec()).collect();
    inputs.extend([
        b"\xEF\xBB\xBFa\r\n\r\n!b\n".to_vec(),
        b"a".repeat(65_535),
        b"a".repeat(65_536),
        b"\n!\n".to_vec(),
        b"[^]\n*".to_vec(),
    ]);
    for _ in 0..20_000 {
        let mut file = Vec::new();
        for _ in 0..1 + random.below(3) {
            if random.below(4) == 0 {
                file.push(b'!');
            }
            for _ in 0..1 + random.below(4) {
                file.extend_from_slice(random.pick(PATTERN_PIECES));
            }
            file.push(b'\n');
        }
        inputs.push(file);
    }
    let paths: Vec<Vec<u8>> = PATHS.iter().map(|path| path.to_vec()).collect();
    let questions = inputs.iter().map(|input| {
        let mut fields = vec![input.clone()];
        fields.extend(paths.iter().cloned());
        Question(b'I', fields)
    });
    let (mut same, mut accepted, mut pairs) = (0, 0, 0);
    let mut differences = Vec::new();
    ask(judge, questions, |index, theirs| {
        let input = &inputs[index];
        let refused = !decode(&theirs["Error"]).is_empty();
        let agree = match Ignore::parse(input) {
            Err(_) => refused,
            Ok(ignore) => {
                accepted += 1;
                pairs += paths.len() * 2;
                let number = |answer: Option<bool>| answer.map_or(-1, i64::from);
                let flat: Vec<i64> = paths
                    .iter()
                    .map(|path| number(ignore.is_ignored(path).ok()))
                    .collect();
                let walked: Vec<i64> = paths
                    .iter()
                    .map(|path| number(walk(&ignore, path)))
                    .collect();
                !refused && json!(flat) == theirs["Paths"] && json!(walked) == theirs["Walked"]
            }
        };
        if agree {
            same += 1;
        } else {
            let ours = Ignore::parse(input).map(|ignore| {
                paths
                    .iter()
                    .map(|path| {
                        (
                            String::from_utf8_lossy(path).into_owned(),
                            ignore.is_ignored(path).map_or(-1, i64::from),
                        )
                    })
                    .collect::<Vec<_>>()
            });
            let shown = String::from_utf8_lossy(&input[..input.len().min(80)]).into_owned();
            let list = match &ours {
                Ok(list) => list
                    .iter()
                    .zip(theirs["Paths"].as_array().into_iter().flatten())
                    .filter(|((_, ours), theirs)| Some(*ours) != theirs.as_i64())
                    .map(|((path, ours), theirs)| format!("{path}: {ours} {theirs}"))
                    .collect::<Vec<_>>()
                    .join(", "),
                Err(error) => error.to_string(),
            };
            differences.push(format!(
                "{shown:?}: {list}; BuildKit {}",
                String::from_utf8_lossy(&decode(&theirs["Error"]))
            ));
        }
    });
    println!(
        "ignore files: {} asked, {accepted} accepted, {same} the same, {pairs} pattern and path pairs",
        inputs.len()
    );
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences[..differences.len().min(20)].join("\n")
    );
}

fn walk(ignore: &Ignore, path: &[u8]) -> Option<bool> {
    let mut parent = ParentMatches::default();
    let mut answer = None;
    let ends = path
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/')
        .map(|(at, _)| at)
        .chain([path.len()]);
    for end in ends {
        let (ignored, next) = ignore.walk(&path[..end], &parent).ok()?;
        parent = next;
        answer = Some(ignored);
    }
    answer
}
