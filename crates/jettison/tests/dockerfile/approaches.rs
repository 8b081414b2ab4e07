//! `jettison compare --approaches`: a project's own Dockerfile and what jettison
//! makes of it, with the times of three builds each.

use serde_json::Value;

use crate::support::Bench;

#[test]
fn a_project_with_a_dockerfile() {
    let Some(bench) = Bench::root() else {
        return;
    };
    bench.file("app.js", "// nothing reads it\n");
    bench.file("greeting", "hello\n");
    bench.dockerfile(
        "FROM base\nCOPY . /app\nRUN cp /app/greeting /said && \
         mkdir -p /usr/share/doc/x && head -c 300000 /dev/zero > /usr/share/doc/x/README\nCMD [\"cat\", \"/said\"]\n",
    );
    let base = format!("base=oci-layout://{}", bench.path("base").display());
    let given = ["compare", "--approaches", "app", "--build-context", &base];
    let ran = bench.ran(&[&given[..], &["--format", "json"]].concat());
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["schema"], "jettison.approaches/1");
    let approaches = document["approaches"].as_array().unwrap();
    assert_eq!(approaches.len(), 2, "{document}");
    for (place, approach) in approaches.iter().enumerate() {
        assert_eq!(approach["image"], place);
        assert!(approach["times"]["cold_ms"].is_u64());
        // app.js was changed, in the copy.
        assert!(approach["times"]["changed_ms"].is_u64());
    }
    let image = |place: usize| document["compared"]["images"][place]["unpacked_bytes"].as_u64();
    assert!(image(1) < image(0), "{document}");
    let text = bench.ran(&[&given[..], &["--no-start"]].concat());
    text.says(0, &["its own Dockerfile, slimmed", "one line", "verdict: "]);
    let original = std::fs::read_to_string(bench.path("app/app.js")).unwrap();
    assert_eq!(original, "// nothing reads it\n");
}

#[test]
fn nothing_to_build_is_said() {
    let Some(bench) = Bench::root() else {
        return;
    };
    bench.file("notes.txt", "nothing\n");
    bench
        .ran(&["compare", "--approaches", "app"])
        .says(2, &["nothing could be built", "hint:"]);
    bench
        .ran(&["compare", "--approaches", "app", "a", "b"])
        .says(2, &["cannot be used with"]);
}
