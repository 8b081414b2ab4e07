//! Names that docker takes and refuses; `tests/reference_oracle.rs` holds the
//! parser against the distribution project's own.

use super::*;

fn check(text: &str, full: &str, familiar: &str) {
    let reference = Reference::parse(text).unwrap();
    assert_eq!(reference.to_string(), full, "{text}");
    assert_eq!(reference.familiar(), familiar, "{text}");
    assert_eq!(Reference::parse(full).unwrap(), reference, "{full}");
    assert_eq!(Reference::parse(familiar).unwrap(), reference, "{familiar}");
}

fn check_error(text: &str, expected: &str) {
    assert_eq!(
        Reference::parse(text).unwrap_err().problem.to_string(),
        expected,
        "{text}"
    );
}

const DIGEST: &str = "sha256:b5b2b2c507a0944348e0303114d8d93aaaa081732b86451d9bce1f432a537bc7";

#[test]
fn names() {
    check("alpine", "docker.io/library/alpine", "alpine");
    check(
        "alpine:3.20",
        "docker.io/library/alpine:3.20",
        "alpine:3.20",
    );
    check("user/app", "docker.io/user/app", "user/app");
    check("docker.io/alpine", "docker.io/library/alpine", "alpine");
    check(
        "index.docker.io/library/alpine",
        "docker.io/library/alpine",
        "alpine",
    );
    check(
        "gcr.io/distroless/static:nonroot",
        "gcr.io/distroless/static:nonroot",
        "gcr.io/distroless/static:nonroot",
    );
    check("localhost/app", "localhost/app", "localhost/app");
    check(
        "localhost:5000/a/b:c",
        "localhost:5000/a/b:c",
        "localhost:5000/a/b:c",
    );
    check("[::1]:5000/app", "[::1]:5000/app", "[::1]:5000/app");
    check("Registry/app", "Registry/app", "Registry/app");
    check(
        "a/b__c-d---e.f",
        "docker.io/a/b__c-d---e.f",
        "a/b__c-d---e.f",
    );
    let by_digest = format!("alpine:3.20@{DIGEST}");
    check(
        &by_digest,
        &format!("docker.io/library/{by_digest}"),
        &by_digest,
    );
}

#[test]
fn default_tag() {
    let tag = |text| {
        Reference::parse(text)
            .unwrap()
            .with_default_tag()
            .tag
            .clone()
    };
    assert_eq!(tag("a").as_deref(), Some("latest"));
    assert_eq!(tag("a:b").as_deref(), Some("b"));
    assert_eq!(tag(&format!("a@{DIGEST}")), None);
    let reference = Reference::parse("a:b").unwrap();
    assert_eq!(
        reference.with_tag("c").unwrap().to_string(),
        "docker.io/library/a:c"
    );
    assert!(reference.with_tag(".c").is_err());
}

#[test]
fn what_is_refused_and_why() {
    check_error("", "it is empty");
    check_error(
        &"a0".repeat(32),
        "it is an image id; ids name images inside one engine only",
    );
    check_error(
        "user/App",
        "the repository must be lower-case: app"
            .replace("app", "user/app")
            .as_str(),
    );
    check_error(
        "a:b c",
        "`b c` is no tag: use up to 128 of a-z, A-Z, 0-9, `_`, `.` and `-`, not beginning with `.` or `-`",
    );
    check_error("a@md5:00", "digest algorithm is not sha256");
    check_error(
        "-host.com/a",
        "`-host.com` is no registry: expected HOST[:PORT]",
    );
    check_error(
        "host.com:port/a",
        "`host.com:port` is no registry: expected HOST[:PORT]",
    );
    check_error(
        &"a/".repeat(200),
        "the repository has more than 255 characters",
    );
    for text in [
        "a//b",
        "/a",
        "a/",
        "a___b",
        "a..b",
        "_a",
        "a_",
        "a b",
        "a\u{1b}[31m",
        "https://a/b",
    ] {
        assert!(Reference::parse(text).is_err(), "{text}");
    }
}
