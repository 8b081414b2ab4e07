//! The command lines of the builders. Each word is an argument of its own: no
//! shell reads them.

use std::path::Path;

use jettison_image::Compression;

use super::{BuildKitRequest, Builder, is_address};

/// The words that build, the program first; `id` is where dockerd's builders
/// write what the image is called.
pub(super) fn build(builder: Builder, request: &BuildKitRequest, id: &Path) -> Vec<String> {
    match builder {
        Builder::Buildctl => buildctl(request),
        Builder::Buildx => {
            let mut words = own(&["docker", "buildx", "build", "--provenance=false"]);
            if let Some(name) = &request.builder {
                words.extend(["--builder".to_owned(), name.clone()]);
            }
            words.extend(["--output".to_owned(), output(request)]);
            docker(words, request)
        }
        Builder::BuildxInDocker => {
            let mut words = own(&["docker", "buildx", "build", "--provenance=false", "--load"]);
            if let Some(name) = &request.builder {
                words.extend(["--builder".to_owned(), name.clone()]);
            }
            words.extend(["--iidfile".to_owned(), text(id)]);
            docker(words, request)
        }
        Builder::Docker => {
            let mut words = own(&["docker", "build"]);
            words.extend(["--iidfile".to_owned(), text(id)]);
            docker(words, request)
        }
    }
}

/// What docker's two builders have in common.
fn docker(mut words: Vec<String>, request: &BuildKitRequest) -> Vec<String> {
    let mut flag = |name: &str, value: String| words.extend([name.to_owned(), value]);
    flag("--file", text(&request.file));
    if let Some(target) = &request.target {
        flag("--target", target.clone());
    }
    for (name, value) in arguments(request) {
        flag("--build-arg", format!("{name}={value}"));
    }
    for context in &request.contexts {
        flag("--build-context", named_context(context));
    }
    for secret in &request.secrets {
        flag("--secret", secret.clone());
    }
    for agent in &request.ssh {
        flag("--ssh", agent.clone());
    }
    for (name, value) in &request.labels {
        flag("--label", format!("{name}={value}"));
    }
    if let Some(platform) = &request.platform {
        flag("--platform", platform.to_string());
    }
    if let Some(network) = request.network {
        flag("--network", network.to_owned());
    }
    for cache in &request.cache_from {
        flag("--cache-from", cache.clone());
    }
    for cache in &request.cache_to {
        flag("--cache-to", packed_alike(cache, request.compression));
    }
    if let Some(progress) = request.progress {
        flag("--progress", progress.to_owned());
    }
    if request.no_cache {
        words.push("--no-cache".to_owned());
    }
    if request.pull {
        words.push("--pull".to_owned());
    }
    words.push("--".to_owned());
    words.push(text(&request.directory));
    words
}

fn buildctl(request: &BuildKitRequest) -> Vec<String> {
    let mut words = own(&["buildctl"]);
    if let Some(address) = request.builder.as_ref().filter(|name| is_address(name)) {
        words.extend(["--addr".to_owned(), address.clone()]);
    }
    words.extend(own(&["build", "--frontend", "dockerfile.v0"]));
    let folder = request.file.parent();
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    let name = request.file.file_name().unwrap_or_default();
    let mut flag = |name: &str, value: String| words.extend([name.to_owned(), value]);
    flag("--local", format!("context={}", text(&request.directory)));
    let folder = text(folder.unwrap_or(Path::new(".")));
    flag("--local", format!("dockerfile={folder}"));
    flag("--opt", format!("filename={}", name.to_string_lossy()));
    if let Some(target) = &request.target {
        flag("--opt", format!("target={target}"));
    }
    for (name, value) in arguments(request) {
        flag("--opt", format!("build-arg:{name}={value}"));
    }
    for (at, context) in request.contexts.iter().enumerate() {
        let context = named_context(context);
        let (name, value) = context.split_once('=').unwrap_or((&context, ""));
        if let Some(layout) = value.strip_prefix("oci-layout://") {
            let (path, digest) = layout.split_once('@').unwrap_or((layout, ""));
            let digest = match digest {
                "" => String::new(),
                digest => format!("@{digest}"),
            };
            flag("--oci-layout", format!("layout{at}={path}"));
            let place = format!("oci-layout://layout{at}{digest}");
            flag("--opt", format!("context:{name}={place}"));
        } else if value.contains("://") {
            flag("--opt", format!("context:{name}={value}"));
        } else {
            flag("--local", format!("context{at}={value}"));
            flag("--opt", format!("context:{name}=local:context{at}"));
        }
    }
    for secret in &request.secrets {
        flag("--secret", secret.clone());
    }
    for agent in &request.ssh {
        flag("--ssh", agent.clone());
    }
    for (name, value) in &request.labels {
        flag("--opt", format!("label:{name}={value}"));
    }
    if let Some(platform) = &request.platform {
        flag("--opt", format!("platform={platform}"));
    }
    if let Some(network) = request.network {
        flag("--opt", format!("force-network-mode={network}"));
        if network == "host" {
            flag("--allow", "network.host".to_owned());
        }
    }
    for cache in &request.cache_from {
        flag("--import-cache", in_full(cache));
    }
    for cache in &request.cache_to {
        let cache = packed_alike(&in_full(cache), request.compression);
        flag("--export-cache", cache);
    }
    if let Some(progress) = request.progress.filter(|progress| *progress != "quiet") {
        flag("--progress", progress.to_owned());
    }
    if request.pull {
        flag("--opt", "image-resolve-mode=pull".to_owned());
    }
    if request.no_cache {
        words.push("--no-cache".to_owned());
    }
    let output = output(request);
    words.extend(["--output".to_owned(), output]);
    words
}

fn own(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// An OCI archive on standard output.
fn output(request: &BuildKitRequest) -> String {
    let mut output = format!("type=oci,dest=-,compression={}", name(request.compression));
    if request.epoch.is_some() {
        output.push_str(",rewrite-timestamp=true");
    }
    output
}

fn name(compression: Compression) -> &'static str {
    match compression {
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
        Compression::None => "uncompressed",
    }
}

fn arguments(request: &BuildKitRequest) -> Vec<(String, String)> {
    let given = request.build_args.iter();
    let given = given.map(|(name, value)| {
        let value = String::from_utf8_lossy(value).into_owned();
        (name.clone(), value)
    });
    let epoch = request.epoch.filter(|_| {
        let is_given = request.build_args.contains_key("SOURCE_DATE_EPOCH");
        !is_given
    });
    let epoch = epoch.map(|epoch| ("SOURCE_DATE_EPOCH".to_owned(), epoch.to_string()));
    given.chain(epoch).collect()
}

/// `NAME=oci:DIR` is jettison's word for buildx's `NAME=oci-layout://DIR`.
fn named_context(word: &str) -> String {
    let own = [("oci:", "oci-layout://"), ("docker://", "docker-image://")];
    match word.split_once('=') {
        Some((name, value)) => {
            let mut own = own.iter();
            let changed = own.find_map(|(ours, theirs)| {
                let rest = value.strip_prefix(ours)?;
                Some(format!("{name}={theirs}{rest}"))
            });
            changed.unwrap_or_else(|| word.to_owned())
        }
        None => word.to_owned(),
    }
}

/// buildctl knows no cache that is a name alone.
fn in_full(cache: &str) -> String {
    match cache.contains('=') {
        true => cache.to_owned(),
        false => format!("type=registry,ref={cache}"),
    }
}

/// Layers that a cache packs otherwise than the image are packed twice
/// (docker/buildx#537).
fn packed_alike(cache: &str, compression: Compression) -> String {
    let says = |what: &str| cache.split(',').any(|field| field.starts_with(what));
    let keeps_layers = ["registry", "local", "s3", "azblob"]
        .iter()
        .any(|kind| says(&format!("type={kind}")));
    match keeps_layers && !says("compression=") && compression != Compression::Gzip {
        true => format!("{cache},compression={}", name(compression)),
        false => cache.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn request() -> BuildKitRequest {
        let contexts = [
            "a=oci:l",
            "b=../x",
            "c=docker-image://d:1",
            "e=oci-layout:///l@sha256:00",
        ];
        BuildKitRequest {
            directory: "app".into(),
            file: "app/Dockerfile.x".into(),
            target: Some("t".to_owned()),
            build_args: BTreeMap::from([("A".to_owned(), b"1 2".to_vec())]),
            contexts: contexts.map(str::to_owned).to_vec(),
            cache_to: vec!["type=registry,ref=r/c,mode=max".to_owned()],
            cache_from: vec!["r/c".to_owned()],
            network: Some("none"),
            compression: Compression::Zstd,
            epoch: Some(7),
            pull: true,
            ..BuildKitRequest::default()
        }
    }

    #[track_caller]
    fn check(builder: Builder, request: &BuildKitRequest, expected: &[&str]) {
        let words = build(builder, request, Path::new("/id"));
        for expected in expected {
            let expected: Vec<&str> = expected.split('|').collect();
            let mut windows = words.windows(expected.len());
            assert!(
                windows.any(|found| found == expected),
                "{expected:?} in {words:?}"
            );
        }
    }

    #[test]
    fn buildx() {
        let words = [
            "docker|buildx|build|--provenance=false",
            "--output|type=oci,dest=-,compression=zstd,rewrite-timestamp=true",
            "--file|app/Dockerfile.x|--target|t",
            "--build-arg|A=1 2",
            "--build-arg|SOURCE_DATE_EPOCH=7",
            "--build-context|a=oci-layout://l",
            "--build-context|b=../x",
            "--cache-from|r/c",
            "--cache-to|type=registry,ref=r/c,mode=max,compression=zstd",
            "--network|none",
            "--pull|--|app",
        ];
        check(Builder::Buildx, &request(), &words);
    }

    #[test]
    fn buildctl() {
        let request = BuildKitRequest {
            builder: Some("tcp://b:1".to_owned()),
            ..request()
        };
        let words = [
            "buildctl|--addr|tcp://b:1|build|--frontend|dockerfile.v0",
            "--local|context=app|--local|dockerfile=app|--opt|filename=Dockerfile.x",
            "--opt|build-arg:A=1 2",
            "--oci-layout|layout0=l|--opt|context:a=oci-layout://layout0",
            "--local|context1=../x|--opt|context:b=local:context1",
            "--opt|context:c=docker-image://d:1",
            "--oci-layout|layout3=/l|--opt|context:e=oci-layout://layout3@sha256:00",
            "--import-cache|type=registry,ref=r/c",
            "--opt|image-resolve-mode=pull",
            "--opt|force-network-mode=none",
        ];
        check(Builder::Buildctl, &request, &words);
    }

    #[test]
    fn an_old_docker() {
        let words = ["docker|build|--iidfile|/id", "--label|a=b"];
        let request = BuildKitRequest {
            labels: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            ..BuildKitRequest::default()
        };
        check(Builder::Docker, &request, &words);
    }
}
