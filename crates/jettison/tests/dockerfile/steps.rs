//! What steps do, as root and as an ordinary user: the same image.

use std::fs;
use std::path::Path;

use crate::support::Bench;

const STEPS: &str = "\
FROM base
RUN echo one > /one && chown app:team /one && chmod 640 /one \\
 && mkdir -m 700 /closed && echo x > /closed/in && chown -R 1234:4321 /closed
USER app
RUN id -u > /tmp/who
COPY --chown=other:team app.txt /app.txt
USER 0
RUN rm /bin/vi && ln /one /two && mv /closed /moved
CMD [\"stat\", \"-c\", \"%n %u:%g %a %h\", \"/one\", \"/moved\", \"/moved/in\", \"/tmp/who\", \"/app.txt\"]
";

const SEEN: &str = "\
/one 1000:1002 640 2
/moved 1234:4321 700 1
/moved/in 1234:4321 644 1
/tmp/who 1000:1000 644 1
/app.txt 1001:1002 644 1
";

#[test]
fn root_and_an_ordinary_user_make_the_same_image() {
    let mut digests = Vec::new();
    for bench in Bench::both() {
        bench.file("app.txt", "text");
        bench.dockerfile(STEPS);
        let first = bench.document(&["-t", "made:1"]);
        let again = bench.document(&[]);
        assert_eq!(again["stages"][0]["cached"], again["stages"][0]["steps"]);
        let anew = bench.document(&["--no-cache"]);
        assert_eq!(anew["stages"][0]["cached"], 0);
        assert_eq!(first["manifest"], again["manifest"]);
        assert_eq!(first["manifest"], anew["manifest"]);
        let ran = bench.ran(&["run", "made:1"]);
        ran.says(0, &[]);
        // An overlay counts links of directories in its own way.
        let moved = |text: &str| text.replace("700 2", "700 1");
        assert_eq!(moved(&ran.stdout), SEEN);
        bench
            .ran(&["run", "made:1", "--", "ls", "/bin/vi"])
            .says(1, &["No such file"]);
        digests.push(first["manifest"].clone());
        bench.all_gone();
    }
    digests.dedup();
    assert!(digests.len() < 2, "{digests:?}");
}

#[test]
fn without_subordinate_ids_a_run_is_refused_and_a_copy_is_not() {
    let Some(bench) = Bench::stranger() else {
        return;
    };
    bench.dockerfile("FROM base\nCOPY Dockerfile /\n");
    bench.digest(&[]);
    bench.dockerfile("FROM base\nCOPY Dockerfile /\nRUN true\n");
    bench
        .build(&["--no-slim"])
        .says(2, &["Dockerfile:3: RUN true", "--add-subuids"]);
}

#[test]
fn a_run_that_fails_says_where_and_its_last_words() {
    for bench in Bench::both() {
        bench.dockerfile("FROM base\n\nRUN echo first; \\\n  echo the reason >&2; exit 7\n");
        bench.build(&["-t", "made"]).says(
            2,
            &["Dockerfile:3: RUN echo first", "exit code 7", "the reason"],
        );
        bench.ran(&["store", "list"]).says(0, &["no images"]);
        let left = bench.names("snapshots");
        assert!(
            !left.iter().any(|name| name.starts_with("build-")),
            "{left:?}"
        );
        bench.all_gone();
    }
}

/// Python takes a compiled module only for the source whose time it bears.
#[test]
fn compiled_modules_are_dated_back_with_their_source() {
    for bench in Bench::both() {
        bench.dockerfile(
            "FROM base AS made\nRUN mkdir -p /p/__pycache__ && echo x=1 > /p/m.py \\\n\
             && printf '\\313\\r\\r\\n\\000\\000\\000\\000\\377\\377\\377\\177sizecode' > /p/__pycache__/m.cpython-311.pyc\n\
             FROM scratch\nCOPY --from=made /p /p\n",
        );
        let files = bench.path("files");
        let output = format!("type=local,dest={}", files.display());
        let epoch = ["--build-arg", "SOURCE_DATE_EPOCH=1000"];
        bench
            .build(&["--no-slim", epoch[0], epoch[1], "-o", &output])
            .says(0, &[]);
        let module = fs::read(files.join("p/__pycache__/m.cpython-311.pyc")).unwrap();
        let source = fs::metadata(files.join("p/m.py")).unwrap();
        let time = source.modified().unwrap();
        let since = time.duration_since(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(since.as_secs(), 1000);
        assert_eq!(module[8..12], 1000_u32.to_le_bytes(), "{module:?}");
        assert_eq!(module[12..], *b"sizecode");
        fs::remove_dir_all(files).unwrap();
    }
}

const SECRET: &str = "t0psecret-Zw7qPf3K";

#[test]
fn a_secret_is_nowhere() {
    for bench in Bench::both() {
        bench.dockerfile(
            "FROM base\n\
             RUN --mount=type=secret,id=token --mount=type=secret,id=token,env=TOKEN \\\n\
             test \"$TOKEN\" = \"$(cat /run/secrets/token)\" && echo ${#TOKEN} > /length\n\
             RUN --mount=type=cache,target=/cache ls -a /run > /run.txt; touch /cache/x\n\
             CMD cat /length\n",
        );
        fs::write(bench.path("token"), SECRET).unwrap();
        let secret = format!("id=token,src={}", bench.path("token").display());
        let layout = format!("oci:{}", bench.path("out").display());
        let made = bench.document(&["--secret", &secret, "-t", "made", "-o", &layout]);
        let ran = bench.ran(&["run", "made"]);
        ran.says(0, &[]);
        assert_eq!(ran.stdout, format!("{}\n", SECRET.len()));
        fs::write(bench.path("token"), "another").unwrap();
        let again = bench.document(&["--secret", &secret]);
        assert_eq!(again["stages"][0]["cached"], 2, "{again}");
        assert_eq!(made["manifest"], again["manifest"]);
        assert!(look(&bench.path("store")) > 0 && look(&bench.path("out")) > 0);
        bench.dockerfile("FROM base\nRUN --mount=type=secret,id=other,required true\n");
        bench
            .build(&["--no-slim"])
            .says(2, &["Dockerfile:2", "--secret id=other"]);
    }
}

/// Reads all files below; how many. None has the secret.
fn look(directory: &Path) -> usize {
    let mut files = 0;
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files += look(&entry.path());
        } else if kind.is_file() {
            files += 1;
            let bytes = fs::read(entry.path()).unwrap();
            let has = bytes
                .windows(SECRET.len())
                .any(|window| window == SECRET.as_bytes());
            assert!(!has, "{}", entry.path().display());
        }
    }
    files
}
