//! Known symptoms in a program's last words: the cause, and the flag that
//! helps. A symptom is a table row; what no row knows is only shown.

use std::io;

/// What a known line of output means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symptom {
    /// What is the matter, in one sentence.
    pub cause: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
    /// True when not the image but something around it is missing, so that
    /// nothing can be said about the image.
    pub surroundings: bool,
}

struct Row {
    /// Each text must occur in one line, in any case.
    all: &'static [&'static str],
    symptom: Symptom,
}

const fn image(all: &'static [&'static str], cause: &'static str, remedy: &'static str) -> Row {
    Row {
        all,
        symptom: Symptom {
            cause,
            remedy,
            surroundings: false,
        },
    }
}

const fn around(all: &'static [&'static str], cause: &'static str, remedy: &'static str) -> Row {
    Row {
        all,
        symptom: Symptom {
            cause,
            remedy,
            surroundings: true,
        },
    }
}

/// The words are those of Go's and Rust's standard libraries, glibc, musl,
/// OpenSSL, rustls, libpq and pgx.
const ROWS: &[Row] = &[
    image(
        &["certificate signed by unknown authority"],
        "the server's certificate is signed by an authority that the CA bundle does not have",
        "give a private authority with --ca FILE; a public one comes with --keep ca-certificates",
    ),
    image(
        &["unable to get local issuer certificate"],
        "the server's certificate is signed by an authority that the CA bundle does not have",
        "give a private authority with --ca FILE; a public one comes with --keep ca-certificates",
    ),
    image(
        &["unknownissuer"],
        "the server's certificate is signed by an authority that the CA bundle does not have",
        "give a private authority with --ca FILE; a public one comes with --keep ca-certificates",
    ),
    image(
        &["self-signed certificate"],
        "the server's certificate is signed by itself or by a private authority",
        "give that authority with --ca FILE",
    ),
    image(
        &["no ca certificates"],
        "the image has no CA bundle",
        "bring it with --keep ca-certificates",
    ),
    image(
        &["system roots"],
        "the image has no CA bundle",
        "bring it with --keep ca-certificates",
    ),
    image(
        &["unknown time zone"],
        "the program names a time zone and the image has none",
        "bring the zones with --keep tzdata",
    ),
    image(
        &["zoneinfo", "no such file"],
        "the program names a time zone and the image has none",
        "bring the zones with --keep tzdata",
    ),
    image(
        &["user: unknown user"],
        "the program looks a user up and the image's /etc/passwd does not have it",
        "bring /etc/passwd with --keep passwd, or run as another user with --user",
    ),
    image(
        &["unknown userid"],
        "the program looks its own user up and the image's /etc/passwd does not have it",
        "bring /etc/passwd with --keep passwd, or run as another user with --user",
    ),
    image(
        &["read-only file system"],
        "the program writes into its image, which is read-only when hardened",
        "let it write below /tmp or into a volume: --volume DIR:PATH",
    ),
    image(
        &["bind", "permission denied"],
        "the program wants a port below 1024 without being allowed to",
        "let it listen on a port from 1024 up, or run as root with --user 0",
    ),
    image(
        &["listen", "permission denied"],
        "the program wants a port below 1024 without being allowed to",
        "let it listen on a port from 1024 up, or run as root with --user 0",
    ),
    image(
        &["error while loading shared libraries"],
        "a shared library that the program needs is not in the image",
        "build the program statically, or take a base that has the library: --base IMAGE",
    ),
    image(
        &["error loading shared library"],
        "a shared library that the program needs is not in the image",
        "build the program statically, or take a base that has the library: --base IMAGE",
    ),
    image(
        &["version `glibc_", "not found"],
        "the program was linked against a newer glibc than the image's",
        "build the program statically, or take a newer base: --base IMAGE",
    ),
    image(
        &["exec format error"],
        "the program is for another processor than this machine's",
        "build for this one with --platform, or install a user-mode emulator",
    ),
    image(
        &["template", "no such file"],
        "a file that the program reads at run time is not in the image",
        "bring it with --include SRC[:DST]",
    ),
    around(
        &["connection refused"],
        "a server that the program needs does not answer",
        "give it one: --service 'NAME=IMAGE' or --service NAME=tcp:HOST:PORT",
    ),
    around(
        &["no such host"],
        "the name of a server that the program needs is not known",
        "give it one: --service 'NAME=IMAGE' or --service NAME=tcp:HOST:PORT, \
         or only the name: --add-host NAME:IP",
    ),
    around(
        &["could not translate host name"],
        "the name of a server that the program needs is not known",
        "give it one: --service 'NAME=IMAGE' or --service NAME=tcp:HOST:PORT",
    ),
    around(
        &["failed to lookup address information"],
        "the name of a server that the program needs is not known",
        "give it one: --service 'NAME=IMAGE' or --service NAME=tcp:HOST:PORT",
    ),
    around(
        &["temporary failure in name resolution"],
        "the name of a server that the program needs is not known",
        "give it one: --service 'NAME=IMAGE' or --service NAME=tcp:HOST:PORT",
    ),
    around(
        &["server misbehaving"],
        "the name of a server that the program needs cannot be resolved",
        "give it one: --service 'NAME=IMAGE' or --service NAME=tcp:HOST:PORT",
    ),
    around(
        &["network is unreachable"],
        "a server that the program needs cannot be reached from its own network",
        "give it one: --service NAME=tcp:HOST:PORT",
    ),
    around(
        &["environment variable", "not set"],
        "the program asks for an environment variable",
        "set it with --env NAME=VALUE or --env-file FILE",
    ),
    around(
        &["environment variable", "required"],
        "the program asks for an environment variable",
        "set it with --env NAME=VALUE or --env-file FILE",
    ),
    // Last, since more precise rows share its words.
    image(
        &["no such file or directory"],
        "a file that the program reads at run time is not in the image",
        "bring it with --include SRC[:DST]",
    ),
];

/// What it means that the kernel did not start a program (execve(2)).
pub(crate) fn of_start(error: &io::Error) -> Option<&'static Symptom> {
    const NOT_THERE: Symptom = Symptom {
        cause: "the program, the loader it names or the interpreter of its first line is not in \
                the image",
        remedy: "build the program statically, or take a base that has what it names: --base IMAGE",
        surroundings: false,
    };
    const FOREIGN: Symptom = Symptom {
        cause: "the program is for another processor than this machine's, or no program at all",
        remedy: "build for this one with --platform, or install a user-mode emulator",
        surroundings: false,
    };
    const FORBIDDEN: Symptom = Symptom {
        cause: "the image's user may not execute the program",
        remedy: "make it executable for everybody, or run as another user with --user",
        surroundings: false,
    };
    // ENOENT, ENOEXEC, EACCES
    match error.raw_os_error()? {
        2 => Some(&NOT_THERE),
        8 => Some(&FOREIGN),
        13 => Some(&FORBIDDEN),
        _ => None,
    }
}

/// The first row that a line of the output fits, last lines first: what a
/// program says last is why it ended.
pub(crate) fn recognise(output: &str) -> Option<&'static Symptom> {
    output.lines().rev().take(200).find_map(|line| {
        let line = line.to_ascii_lowercase();
        ROWS.iter()
            .find(|row| row.all.iter().all(|text| line.contains(text)))
            .map(|row| &row.symptom)
    })
}

#[cfg(test)]
mod tests {
    use super::recognise;

    #[track_caller]
    fn check(output: &str, remedy: &str, surroundings: bool) {
        let symptom = recognise(output).expect(output);
        assert!(symptom.remedy.contains(remedy), "{}", symptom.remedy);
        assert_eq!(symptom.surroundings, surroundings);
    }

    #[test]
    fn last_words_are_understood() {
        check(
            "connecting\ntls: failed to verify certificate: x509: certificate signed by unknown authority\n",
            "--ca FILE",
            false,
        );
        check(
            "panic: unknown time zone Europe/Berlin\ngoroutine 1 [running]:\n",
            "tzdata",
            false,
        );
        check(
            "open /var/cache/x: read-only file system",
            "--volume",
            false,
        );
        check("listen tcp :80: bind: permission denied", "--user 0", false);
        check(
            "open migrations/1.sql: no such file or directory",
            "--include",
            false,
        );
        check(
            "dial tcp 127.0.0.1:5432: connect: connection refused",
            "--service",
            true,
        );
        check(
            "lookup db on 127.0.0.53:53: no such host",
            "--service",
            true,
        );
        assert_eq!(recognise("all is well\n"), None);
    }
}
