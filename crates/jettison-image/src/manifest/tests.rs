//! Manifests and indexes as they are met, and as an attacker writes them.

use super::*;
use crate::{Digest, Platform};

fn digest(of: &str) -> String {
    Digest::of(of.as_bytes()).to_string()
}

fn check_error(json: &str, media_type: &str, expected: &str) {
    let error =
        ManifestOrIndex::parse(json.as_bytes(), media_type, &Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), expected, "{json}");
}

fn manifest_json() -> String {
    format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"{c}","digest":"{d}","size":7}},"layers":[{{"mediaType":"{l}+gzip","digest":"{e}","size":5,"urls":["x"]}}],"subject":{{"a":1}},"annotations":{{"k":"v"}}}}"#,
        c = media_type::OCI_CONFIG,
        d = digest("config"),
        l = media_type::OCI_LAYER,
        e = digest("layer"),
    )
}

#[test]
fn a_manifest_keeps_what_it_does_not_know() {
    let manifest = Manifest::parse(manifest_json().as_bytes(), &Limits::default()).unwrap();
    assert_eq!(manifest.schema, Schema::Oci);
    assert_eq!(manifest.layers[0].size_bytes, 5);
    assert_eq!(manifest.annotations["k"], "v");
    let bytes = manifest.to_bytes();
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(
        text.contains(r#""subject":{"a":1}"#) && text.contains(r#""urls":["x"]"#),
        "{text}"
    );
    assert_eq!(
        Manifest::parse(&bytes, &Limits::default()).unwrap(),
        manifest
    );
}

#[test]
fn keys_match_regardless_of_case_but_once() {
    let folded = manifest_json().replace("\"layers\"", "\"Layers\"");
    let manifest = Manifest::parse(folded.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(manifest.layers.len(), 1);
    let twice = manifest_json().replacen('{', "{\"LAYERS\":[],", 1);
    check_error(&twice, "", "manifest: says both `LAYERS` and `layers`");
}

#[test]
fn what_is_refused() {
    check_error("{}", "", "manifest: schemaVersion is not 2");
    check_error(
        r#"{"schemaVersion":2,"layers":[]}"#,
        "",
        "manifest: config is missing",
    );
    check_error("[]", "", "manifest: expected an object, found a list");
    check_error(
        r#"{"schemaVersion":1,"fsLayers":[]}"#,
        "",
        "manifest: is Docker schema 1, which cannot be verified; push the image again with a current engine",
    );
    check_error(
        r#"{"schemaVersion":2,"manifests":[],"config":{}}"#,
        "",
        "manifest: is an image and an index at once",
    );
    check_error(
        &manifest_json(),
        media_type::OCI_INDEX,
        "manifest: content and media type contradict each other",
    );
    check_error(
        &manifest_json(),
        "text/\u{1b}[31mhtml",
        "manifest: media type `text/\\u{1b}[31mhtml` is not an image",
    );
    check_error(
        r#"{"schemaVersion":2,"config":{"size":1}}"#,
        "",
        "manifest: config: digest is missing",
    );
    check_error(
        &manifest_json().replace("\"size\":5", "\"size\":-5"),
        "",
        "manifest: layers[0]: size: expected a size in bytes, found a number",
    );
    check_error(
        &manifest_json().replace(&digest("layer"), "md5:00"),
        "",
        "manifest: layers[0]: digest `md5:00`: digest algorithm is not sha256",
    );
}

#[test]
fn limits_hold() {
    let limits = Limits {
        layers: 0,
        json_bytes: 1000,
        ..Limits::default()
    };
    let error = Manifest::parse(manifest_json().as_bytes(), &limits).unwrap_err();
    assert_eq!(
        error.to_string(),
        "manifest: more than 0 layers; raise it with --limit layers=N"
    );
    let long = format!("{}{}", manifest_json(), " ".repeat(1000));
    let error = Manifest::parse(long.as_bytes(), &limits).unwrap_err();
    assert!(
        error.to_string().contains("more than 1000 bytes of JSON"),
        "{error}"
    );
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let error = Manifest::parse(deep.as_bytes(), &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("recursion limit"), "{error}");
}

#[test]
fn an_image_is_chosen_by_platform() {
    let entry = |platform: Option<&str>| {
        let name = platform.unwrap_or("none");
        let mut entry = Descriptor::of(media_type::OCI_MANIFEST, name.as_bytes());
        entry.platform = platform.map(|text| match text {
            "unknown/unknown" => Platform::new("unknown", "unknown", ""),
            text => text.parse().unwrap(),
        });
        entry
    };
    let check = |offered: &[Option<&str>], wanted: &str, expected: Result<&str, &str>| {
        let entries = offered.iter().map(|platform| entry(*platform)).collect();
        let index = ImageIndex::new(Schema::Oci, entries);
        let parsed = ImageIndex::parse(&index.to_bytes(), &Limits::default()).unwrap();
        assert_eq!(parsed, index);
        let chosen = index.select(&wanted.parse().unwrap());
        let expected = expected
            .map(|name| Digest::of(name.as_bytes()))
            .map_err(str::to_owned);
        let chosen = chosen
            .map(|entry| entry.digest)
            .map_err(|error| error.to_string());
        assert_eq!(chosen, expected, "{offered:?} {wanted}");
    };
    let both = [
        Some("linux/arm64"),
        Some("linux/amd64"),
        Some("unknown/unknown"),
    ];
    check(&both, "linux/amd64", Ok("linux/amd64"));
    check(&both, "linux/arm64/v8", Ok("linux/arm64"));
    check(
        &both,
        "linux/s390x",
        Err("no image for linux/s390x; there are: linux/arm64, linux/amd64"),
    );
    check(
        &[Some("linux/arm/v6"), Some("linux/arm/v7")],
        "linux/arm64",
        Ok("linux/arm/v7"),
    );
    check(&[None], "linux/amd64", Ok("none"));
    check(
        &[None, None],
        "linux/amd64",
        Err("no image for linux/amd64; there are: one without a platform, one without a platform"),
    );
    check(
        &[Some("unknown/unknown")],
        "linux/amd64",
        Err("the index lists no image"),
    );
}
