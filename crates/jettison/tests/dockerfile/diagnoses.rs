//! What a failed build says: the line, and what the Dockerfile lacks.

use crate::support::Bench;

#[test]
fn what_is_lacking_is_said() {
    let Some(bench) = Bench::root() else {
        return;
    };
    for (dockerfile, code, words) in [
        (
            "FROM base\nRUN echo 'go: go.mod file not found in current directory' >&2; exit 1\n",
            2,
            ["Dockerfile:2", "no COPY or ADD above line 2"],
        ),
        (
            "FROM base\nRUN mkdir /src\nRUN frobnicate\n",
            2,
            ["Dockerfile:3", "no program `frobnicate`"],
        ),
        (
            "FROM base\nRUN echo 'x509: certificate signed by unknown authority' >&2; exit 1\n",
            2,
            ["Dockerfile:2", "--trust-host-ca"],
        ),
        (
            "FROM scratch\nCOPY app.txt /\nRUN true\n",
            2,
            ["Dockerfile:3", "there is no shell"],
        ),
        (
            "FROM base\nUSER nobody-here\nRUN true\n",
            2,
            ["Dockerfile:3", "USER 65532"],
        ),
        (
            "FROM base\nCOPY app.txt /src\nWORKDIR /src\n",
            2,
            ["Dockerfile:3", ": /src: not a directory"],
        ),
    ] {
        bench.file("app.txt", "text");
        bench.dockerfile(dockerfile);
        bench.build(&["--no-slim"]).says(code, &words);
    }
    // Somebody else's failure: nothing is guessed.
    bench.dockerfile("FROM base\nCOPY app.txt /\nRUN echo 'go.mod file not found' >&2; exit 1\n");
    let ran = bench.build(&["--no-slim"]);
    assert!(!ran.text().contains("hint:"), "{}", ran.text());
}
