//! Programs that run the rest of their command line. A table; what it does
//! not know is taken for a program that runs nothing.

/// How a wrapper's own words are told from the command behind them.
pub(crate) struct Wrapper {
    names: &'static [&'static str],
    /// Options whose value is the next word. One letter each, then whole
    /// words, divided by blanks.
    valued: &'static str,
    /// Words of its own between options and command: a user, a duration.
    operands: usize,
    /// Words that have to come first: `run` of `poetry run`.
    verb: &'static [&'static str],
}

const fn of(names: &'static [&'static str], valued: &'static str, operands: usize) -> Wrapper {
    Wrapper {
        names,
        valued,
        operands,
        verb: &[],
    }
}

const fn verb(names: &'static [&'static str], verb: &'static [&'static str]) -> Wrapper {
    Wrapper {
        names,
        valued: "",
        operands: 0,
        verb,
    }
}

const WRAPPERS: &[Wrapper] = &[
    of(
        &["env"],
        "uCS --unset --chdir --split-string --block-signal",
        0,
    ),
    of(&["exec"], "a", 0),
    of(&["tini", "tini-static", "docker-init"], "pe", 0),
    of(&["dumb-init"], "r --rewrite", 0),
    of(
        &["catatonit", "pid1", "nohup", "setsid", "with-contenv"],
        "P",
        0,
    ),
    of(
        &[
            "execlineb-run",
            "unbuffer",
            "catchsegv",
            "eatmydata",
            "fakeroot",
            "newrelic-admin",
        ],
        "",
        0,
    ),
    of(
        &[
            "ddtrace-run",
            "opentelemetry-instrument",
            "dotenv",
            "cross-env",
            "foreground",
        ],
        "ef",
        0,
    ),
    of(
        &[
            "gosu",
            "su-exec",
            "setuidgid",
            "s6-setuidgid",
            "s6-envdir",
            "envdir",
            "setlock",
        ],
        "",
        1,
    ),
    of(&["chroot"], "--userspec --groups", 1),
    of(
        &["setpriv"],
        "--reuid --regid --groups --inh-caps --ambient-caps --bounding-set --securebits --pdeathsig \
         --selinux-label --apparmor-profile",
        0,
    ),
    of(&["capsh"], "", 0),
    of(&["nice"], "n --adjustment", 0),
    of(&["ionice"], "cnpPu --class --classdata", 0),
    of(&["chrt"], "TPD", 1),
    of(&["taskset"], "", 1),
    of(&["numactl"], "NmCipl", 0),
    of(&["timeout"], "ks --kill-after --signal", 1),
    of(&["stdbuf"], "ioe --input --output --error", 0),
    of(
        &["xargs"],
        "InPdLsEa --max-args --max-procs --delimiter --replace --arg-file",
        0,
    ),
    of(&["parallel"], "jI --jobs", 0),
    of(&["time"], "fo --format --output", 0),
    of(
        &["sudo"],
        "ugChprtTUDR --user --group --chdir --host --prompt --other-user",
        0,
    ),
    of(&["doas"], "uC", 0),
    of(&["runuser"], "ugGs --user --group", 0),
    of(&["flock"], "wE --timeout --wait --conflict-exit-code", 1),
    of(&["chpst"], "uUeGnlLmdofcrt/P", 0),
    of(&["softlimit"], "adfmcnorstlp", 0),
    of(&["unshare", "nsenter", "prlimit"], "tSGRw", 0),
    of(&["strace", "ltrace", "gdbserver"], "oepPsSuaEOU", 0),
    of(&["watch"], "nq --interval", 0),
    of(
        &[
            "valgrind", "proot", "firejail", "setarch", "linux64", "linux32",
        ],
        "",
        0,
    ),
    of(
        &["start-stop-daemon"],
        "pcgkrNIPunRsxaod --pidfile --user --chuid --group --name --exec --startas --chdir",
        0,
    ),
    of(&["dockerize"], "", 0),
    of(&["busybox", "toybox"], "", 0),
    verb(&["bundle", "bundler"], &["exec"]),
    verb(
        &[
            "poetry",
            "pipenv",
            "pdm",
            "rye",
            "hatch",
            "uv",
            "conda",
            "micromamba",
            "mamba",
        ],
        &["run"],
    ),
    verb(&["pnpm", "npm", "yarn"], &["exec"]),
    of(&["npx", "bunx"], "p --package", 0),
];

/// What a wrapper runs, if the first word is one: the words behind its own.
pub(crate) fn behind<'a>(base: &[u8], argv: &'a [Vec<u8>]) -> Option<&'a [Vec<u8>]> {
    let stem = stem(base);
    let known = |name: &&str| name.as_bytes() == base || name.as_bytes() == stem;
    let wrapper = WRAPPERS.iter().find(|one| one.names.iter().any(known))?;
    let mut rest = argv.get(1..)?;
    for verb in wrapper.verb {
        let (first, after) = rest.split_first()?;
        if first != verb.as_bytes() {
            return None;
        }
        rest = after;
    }
    let mut operands = wrapper.operands;
    while let Some((word, after)) = rest.split_first() {
        if word == b"--" {
            rest = after.get(operands.min(after.len())..)?;
            break;
        }
        if word.len() > 1 && word.starts_with(b"-") {
            let skip = usize::from(takes_value(wrapper.valued, word));
            rest = after.get(skip.min(after.len())..)?;
        } else if is_assignment(word) {
            rest = after;
        } else if operands > 0 {
            operands -= 1;
            rest = after;
        } else {
            break;
        }
    }
    Some(rest)
}

/// Whether the word after this option is its value.
fn takes_value(valued: &str, option: &[u8]) -> bool {
    let mut words = valued.split(' ');
    let first = words.next().unwrap_or_default();
    if option.starts_with(b"--") {
        let long = |word: &str| word.as_bytes() == option;
        return long(first) || words.any(long);
    }
    // `-n5` has its value with it; in `-it` only the last letter can want one.
    let letters = &option[1..];
    let at = letters
        .iter()
        .position(|letter| !first.starts_with('-') && first.as_bytes().contains(letter));
    at.is_some_and(|at| at + 1 == letters.len())
}

/// `NAME=value`.
pub(crate) fn is_assignment(word: &[u8]) -> bool {
    let Some(equals) = word.iter().position(|&byte| byte == b'=') else {
        return false;
    };
    equals > 0
        && !word[0].is_ascii_digit()
        && word[..equals]
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The last component of a program's path.
pub(crate) fn base(program: &[u8]) -> &[u8] {
    program
        .rsplit(|&byte| byte == b'/')
        .next()
        .unwrap_or(program)
}

/// A program's name without its version: `python3.11` is `python`.
pub(crate) fn stem(name: &[u8]) -> &[u8] {
    let end = name
        .iter()
        .rposition(|byte| !byte.is_ascii_digit() && !b".-".contains(byte))
        .map_or(name.len(), |at| at + 1);
    &name[..end]
}

/// Shells whose `-c` takes a text this crate reads.
pub(crate) fn is_shell(stem: &[u8]) -> bool {
    matches!(
        stem,
        b"sh" | b"bash" | b"dash" | b"ash" | b"ksh" | b"mksh" | b"zsh" | b"rbash" | b"yash"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<&str>) {
        let argv: Vec<Vec<u8>> = line
            .split(' ')
            .map(|word| word.as_bytes().to_vec())
            .collect();
        let behind = behind(base(&argv[0]), &argv);
        let text = behind.map(|rest| String::from_utf8(rest.join(&b' ')).unwrap());
        assert_eq!(text.as_deref(), expected, "{line}");
    }

    #[test]
    fn what_stands_behind_a_wrapper() {
        check("env -i A=b -u C prog x", Some("prog x"));
        check("/usr/bin/env prog", Some("prog"));
        check("tini -g -- prog -x", Some("prog -x"));
        check("dumb-init --rewrite 15:3 prog", Some("prog"));
        check("gosu user:group prog a", Some("prog a"));
        check("su-exec root -- prog", Some("prog"));
        check("timeout -k 5 30s prog", Some("prog"));
        check("timeout --kill-after=5 30 prog", Some("prog"));
        check("nice -n10 prog", Some("prog"));
        check("nice -n 10 prog", Some("prog"));
        check("xargs -0 -I {} prog {}", Some("prog {}"));
        check(
            "setpriv --reuid=1 --regid 2 --init-groups prog",
            Some("prog"),
        );
        check("sudo -E -u user A=b prog", Some("prog"));
        check("bundle exec rails s", Some("rails s"));
        check("bundle install", None);
        check("flock -n /tmp/lock prog", Some("prog"));
        check("env", Some(""));
        check("gosu", Some(""));
        check("prog gosu", None);
    }
}
