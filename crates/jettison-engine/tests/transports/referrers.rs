//! Documents beside images: in a registry that lists no referrers itself, in
//! layouts and beside archives.

use std::process::Command;

use jettison_engine::transport::{Document, DocumentKind, Transports};
use jettison_image::{Descriptor, Digest, ImageIndex, Limits, Referrer, Schema, referrers_tag};

use crate::support::{Guard, Registry, Scratch, chain, go, has, name, output, sample};

const PLAN: DocumentKind = DocumentKind {
    name: "plan",
    media_type: "application/vnd.example.plan.v1+json",
};
const EVIDENCE: DocumentKind = DocumentKind {
    name: "evidence",
    media_type: "application/vnd.example.evidence.v1+json",
};

fn documents(text: &str) -> [Document; 2] {
    [PLAN, EVIDENCE].map(|kind| Document {
        kind,
        json: format!("{{\"{}\":\"{text}\"}}", kind.name).into_bytes(),
    })
}

/// What another machine reads there.
fn read(registry: &Registry, image: &str, kind: DocumentKind) -> Option<String> {
    let scratch = Scratch::new();
    let transports = scratch.transports();
    let opened = transports.open(&registry.location(image), None).unwrap();
    let json = transports.attached(&opened, kind).unwrap();
    json.map(|json| String::from_utf8(json).unwrap())
}

/// What skopeo sees under a tag or digest.
fn raw(registry: &Registry, image: &str) -> Vec<u8> {
    let image = format!("docker://localhost:{}/{image}", registry.port);
    let inspect = ["inspect", "--raw", "--tls-verify=false", &image];
    output(Command::new("skopeo").args(inspect))
}

#[test]
fn a_registry_without_lists_gets_one_under_a_tag() {
    if !has("docker-registry", "referrers under a tag") || !has("skopeo", "referrers under a tag") {
        return;
    }
    let scratch = Scratch::new();
    let registry = Registry::start(&scratch, "referrers", &Guard::default());
    let transports = scratch.transports();
    sample(&transports, "app:1", Schema::Docker, 50_000);
    // Plain layers are packed at the push: the manifest there is another one.
    let archive = scratch.location("docker-archive", "docker.tar:app:1");
    go(&transports, &name("app:1"), &archive);
    let to = registry.location("team/app:1");
    let pushed = go(&transports, &archive, &to).written.manifest_digest;
    let digest = pushed.unwrap();
    assert_eq!(read(&registry, "team/app:1", PLAN), None);

    let first = transports.attach(&to, pushed, &documents("one")).unwrap();
    assert_eq!(first.len(), 2);
    assert_eq!(first[1].kind, "evidence");
    let plan = read(&registry, "team/app:1", PLAN).unwrap();
    assert_eq!(plan, r#"{"plan":"one"}"#);
    let evidence = read(&registry, "team/app:1", EVIDENCE).unwrap();
    assert_eq!(evidence, r#"{"evidence":"one"}"#);

    let tag = format!("team/app:{}", referrers_tag(&digest));
    let list = raw(&registry, &tag);
    let index = ImageIndex::parse(&list, &Limits::default()).unwrap();
    let artifact = &index.manifests[0];
    assert_eq!(artifact.artifact_type(), Some(PLAN.media_type));
    assert!(first[0].place.ends_with(&artifact.digest.to_string()));
    let bytes = raw(&registry, &format!("team/app@{}", artifact.digest));
    assert_eq!(Digest::of(&bytes), artifact.digest);
    let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let image = raw(&registry, &format!("team/app@{digest}"));
    assert_eq!(json["subject"]["digest"], digest.to_string());
    assert_eq!(json["subject"]["size"], image.len());
    assert_eq!(json["subject"]["mediaType"], Schema::Docker.manifest());
    assert_eq!(json["artifactType"], PLAN.media_type);
    assert_eq!(
        json["config"]["mediaType"],
        "application/vnd.oci.empty.v1+json"
    );

    // The same documents change nothing, others come after what is there.
    let again = transports.attach(&to, pushed, &documents("one")).unwrap();
    assert_eq!(again, first);
    assert_eq!(raw(&registry, &tag), list);
    transports.attach(&to, pushed, &documents("two")).unwrap();
    let longer = ImageIndex::parse(&raw(&registry, &tag), &Limits::default()).unwrap();
    assert_eq!(longer.manifests[..2], index.manifests);
    assert_eq!(longer.manifests.len(), 4);
    let plan = read(&registry, "team/app:1", PLAN).unwrap();
    assert_eq!(plan, r#"{"plan":"two"}"#);
}

#[test]
fn nothing_is_lost_when_several_write_the_list() {
    if !has("docker-registry", "lists that several write") || !has("skopeo", "the same") {
        return;
    }
    let scratch = Scratch::new();
    let registry = Registry::start(&scratch, "several", &Guard::default());
    let transports = scratch.transports();
    let digest = sample(&transports, "app:1", Schema::Oci, 1000);
    let to = registry.location("app:1");
    go(&transports, &name("app:1"), &to);
    let attach = |transports: &Transports, text: &str| {
        let attached = transports.attach(&to, Some(digest), &documents(text));
        attached.map_err(|error| chain(&error)).unwrap();
    };
    for text in ["one", "two", "three"] {
        attach(&transports, text);
    }
    std::thread::scope(|scope| {
        for text in ["four", "five", "six", "seven"] {
            let (attach, transports) = (&attach, &transports);
            scope.spawn(move || attach(transports, text));
        }
    });
    let list = raw(&registry, &format!("app:{}", referrers_tag(&digest)));
    let list = ImageIndex::parse(&list, &Limits::default()).unwrap();
    assert_eq!(list.manifests.len(), 14);
}

#[test]
fn a_tag_that_holds_an_image_is_not_written_over() {
    if !has("docker-registry", "a tag that is taken") {
        return;
    }
    let scratch = Scratch::new();
    let registry = Registry::start(&scratch, "taken", &Guard::default());
    let transports = scratch.transports();
    let digest = sample(&transports, "app:1", Schema::Oci, 1000);
    let to = registry.location("app:1");
    go(&transports, &name("app:1"), &to);
    let taken = registry.location(&format!("app:{}", referrers_tag(&digest)));
    go(&transports, &name("app:1"), &taken);
    let error = transports.attach(&to, Some(digest), &documents("one"));
    let error = chain(&error.unwrap_err());
    assert!(error.contains("something else than a list"), "{error}");
    let held = transports.open(&taken, None).unwrap();
    assert_eq!(held.image.manifest_digest, digest);
}

#[test]
fn a_layout_holds_the_documents_of_each_image() {
    let scratch = Scratch::new();
    let transports = scratch.transports();
    for (name_, bytes) in [("app:1", 1000), ("app:2", 2000)] {
        sample(&transports, name_, Schema::Docker, bytes);
        let to = scratch.location("oci", &format!("layout:{name_}"));
        let written = go(&transports, &name(name_), &to).written;
        let attached = transports.attach(&to, written.manifest_digest, &documents(name_));
        assert_eq!(attached.unwrap().len(), 2);
    }
    for name_ in ["app:1", "app:2"] {
        let location = scratch.location("oci", &format!("layout:{name_}"));
        let opened = transports.open(&location, None).unwrap();
        let json = transports.attached(&opened, PLAN).unwrap().unwrap();
        assert_eq!(json, format!("{{\"plan\":\"{name_}\"}}").as_bytes());
    }
    let index = std::fs::read(scratch.path("layout/index.json")).unwrap();
    let index = ImageIndex::parse(&index, &Limits::default()).unwrap();
    assert_eq!(index.manifests.len(), 2);
}

#[test]
fn one_image_and_its_documents_stay_readable_for_others() {
    if !has("skopeo", "a layout with documents") {
        return;
    }
    let scratch = Scratch::new();
    let transports = scratch.transports();
    sample(&transports, "app:1", Schema::Oci, 1000);
    for kind in ["oci", "oci-archive"] {
        let to = scratch.location(kind, &format!("{kind}-out"));
        let written = go(&transports, &name("app:1"), &to).written;
        let digest = written.manifest_digest;
        transports.attach(&to, digest, &documents("x")).unwrap();
        let from = format!("{kind}:{}", scratch.path(&format!("{kind}-out")).display());
        let inspect = ["inspect", "--raw", &from];
        let manifest = output(Command::new("skopeo").args(inspect));
        assert_eq!(Some(Digest::of(&manifest)), digest);
    }
}

#[test]
fn artifacts_in_a_layout_of_other_tools_are_found() {
    let scratch = Scratch::new();
    let transports = scratch.transports();
    sample(&transports, "app:1", Schema::Oci, 1000);
    let to = scratch.location("oci", "layout");
    go(&transports, &name("app:1"), &to);
    let image = transports.open(&to, None).unwrap().image.descriptor();
    let (blobs, path) = (
        scratch.path("layout/blobs/sha256"),
        scratch.path("layout/index.json"),
    );
    let referrer = Referrer::new(PLAN.media_type, "plan.json", b"{}".to_vec(), &image);
    let descriptor = referrer.descriptor();
    for (blob, bytes) in referrer.blobs() {
        std::fs::write(blobs.join(blob.digest.hex()), bytes).unwrap();
    }
    let manifest = blobs.join(descriptor.digest.hex());
    std::fs::write(manifest, &referrer.manifest_bytes).unwrap();
    // Some tools list what kind of artifact it is, others do not.
    let bare = Descriptor::new(
        &*descriptor.media_type,
        descriptor.digest,
        descriptor.size_bytes,
    );
    for entry in [descriptor, bare] {
        let mut named = image.clone();
        let tag = "org.opencontainers.image.ref.name".to_owned();
        named.annotations.insert(tag, "1".to_owned());
        let index = ImageIndex::new(Schema::Oci, vec![named, entry]);
        std::fs::write(&path, index.to_bytes()).unwrap();
        let location = scratch.location("oci", "layout:1");
        let opened = transports.open(&location, None).unwrap();
        let json = transports.attached(&opened, PLAN).unwrap();
        assert_eq!(json.as_deref(), Some(&b"{}"[..]));
        assert_eq!(transports.attached(&opened, EVIDENCE).unwrap(), None);
    }
}

#[test]
fn documents_lie_beside_archives() {
    let scratch = Scratch::new();
    let transports = scratch.transports();
    sample(&transports, "app:1", Schema::Docker, 1000);
    for kind in ["docker-archive", "oci-archive"] {
        let to = scratch.location(kind, &format!("{kind}.tar:app:1"));
        let written = go(&transports, &name("app:1"), &to).written;
        let attached = transports.attach(&to, written.manifest_digest, &documents(kind));
        for (attached, document) in attached.unwrap().iter().zip(documents(kind)) {
            let path = scratch.path(&format!("{kind}.tar.{}.json", document.kind.name));
            assert_eq!(attached.place, path.display().to_string());
            assert_eq!(std::fs::read(path).unwrap(), document.json);
        }
    }
    // Nothing lies beside what an engine or the store holds.
    let nowhere = transports.attach(&name("app:1"), None, &documents("x"));
    assert_eq!(nowhere.unwrap(), []);
}
