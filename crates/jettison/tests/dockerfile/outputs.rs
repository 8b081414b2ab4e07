//! Where the image goes, and what else the command line says.

use std::fs;

use serde_json::Value;

use crate::support::Bench;

const STAGES: &str = "\
# the file's own
ARG VERSION=1
FROM base AS compile
ARG FLAGS=-O2
RUN --mount=type=secret,id=key,required=false echo compiled > /program
# what is shipped
FROM base AS ship
COPY --from=compile /program /
CMD [\"cat\", \"/program\"]
FROM base AS never
RUN exit 1
FROM ship
";

#[test]
fn a_layout_a_name_and_the_id_of_the_image() {
    for bench in Bench::both() {
        bench.dockerfile(STAGES);
        let layout = format!("oci:{}", bench.path("out").display());
        let file = bench.path("id");
        let made = bench.document(&[
            "-o",
            &layout,
            "-t",
            "made:1",
            "-t",
            "made:2",
            "--iidfile",
            file.to_str().unwrap(),
        ]);
        assert_eq!(
            fs::read_to_string(file).unwrap(),
            made["config"].as_str().unwrap()
        );
        for image in [&*layout, "made:1", "made:2"] {
            let ran = bench.ran(&["run", image]);
            ran.says(0, &[]);
            assert_eq!(ran.stdout, "compiled\n", "{image}");
        }
    }
}

#[test]
fn targets() {
    let Some(bench) = Bench::root() else { return };
    bench.dockerfile(STAGES);
    assert_eq!(bench.digest(&["--target", "ship"]), bench.digest(&[]));
    bench.digest(&["--target", "COMPILE"]);
    bench
        .build(&["--target", "never"])
        .says(2, &["Dockerfile:11: RUN exit 1"]);
    bench.build(&["--target", "nothing"]).says(2, &["nothing"]);
}

#[test]
fn what_a_dockerfile_offers() {
    let Some(bench) = Bench::root() else { return };
    bench.dockerfile(STAGES);
    let call = |method: &str, more: &[&str]| -> Value {
        let mut words = vec!["--call", method, "--format", "json"];
        words.extend(more);
        let ran = bench.build(&words);
        ran.says(0, &[]);
        serde_json::from_str(&ran.stdout).unwrap()
    };
    let targets = call("targets", &[]);
    let names = targets["targets"].as_array().unwrap().iter();
    let names: Vec<&str> = names
        .map(|target| target["name"].as_str().unwrap_or(""))
        .collect();
    assert_eq!(names, ["compile", "ship", "never", ""]);
    let outline = call("outline", &["--target", "compile"]);
    let text = outline.to_string();
    for word in ["FLAGS", "-O2", "key"] {
        assert!(text.contains(word), "{text}");
    }
    assert_eq!(bench.names("blobs/sha256"), [""; 0], "nothing was built");
}
