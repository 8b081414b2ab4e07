//! Registries that list referrers themselves, in their own ways.

use std::collections::BTreeMap;

use jettison_engine::transport::{Document, DocumentKind};
use jettison_image::{Descriptor, ImageIndex, Limits, Manifest, Referrer, referrers_tag};

use super::*;

const NOTE: DocumentKind = DocumentKind {
    name: "note",
    media_type: "application/vnd.example.note.v1+json",
};

/// What a registry keeps, by path.
type Shelf = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A registry with the referrers API, as the specification describes it;
/// `list` answers for a list of all that refers to a manifest.
fn indexing(list: impl Fn(&Seen, ImageIndex) -> Reply + Send + Sync + 'static) -> (Server, Shelf) {
    let shelf = Shelf::default();
    let kept = shelf.clone();
    let server = Server::start(move |seen, _| {
        let mut kept = kept.lock().unwrap();
        let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
        match (seen.method.as_str(), path) {
            (_, "/v2/") => Some(Reply::new(200)),
            ("POST", "/v2/app/blobs/uploads/") => {
                Some(Reply::new(202).header("Location", "/v2/app/blobs/uploads/one"))
            }
            ("PATCH", "/v2/app/blobs/uploads/one") => {
                // One at a time is enough: documents are small and come in turn.
                let digest = Digest::of(&seen.body);
                kept.insert(format!("/v2/app/blobs/{digest}"), seen.body.clone());
                let end = seen.body.len().saturating_sub(1);
                Some(Reply::new(202).header("Range", format!("0-{end}")))
            }
            ("PUT", "/v2/app/blobs/uploads/one") => {
                assert!(query.contains("digest=sha256"), "{query}");
                Some(Reply::new(201))
            }
            ("PUT", _) => {
                let manifest = Manifest::parse(&seen.body, &Limits::default()).unwrap();
                let digest = Digest::of(&seen.body);
                let by_digest = format!("/v2/app/manifests/{digest}");
                kept.insert(by_digest, seen.body.clone());
                kept.insert(path.to_owned(), seen.body.clone());
                let reply = Reply::new(201);
                Some(match manifest.subject().unwrap() {
                    Some(subject) => reply.header("OCI-Subject", subject.digest),
                    None => reply,
                })
            }
            ("GET", path) if path.starts_with("/v2/app/referrers/") => {
                let mut index = ImageIndex::new(Schema::Oci, Vec::new());
                for bytes in kept.values() {
                    let Ok(manifest) = Manifest::parse(bytes, &Limits::default()) else {
                        continue;
                    };
                    let about = manifest.subject().unwrap();
                    if about.is_some_and(|about| path.ends_with(&about.digest.to_string())) {
                        index.manifests.push(listed(&manifest, bytes));
                    }
                }
                Some(list(seen, index))
            }
            (_, path) => {
                let bytes = kept.get(path)?;
                let media_type = Schema::Oci.manifest();
                let reply = Reply::new(200).header("Content-Type", media_type);
                Some(reply.body(bytes))
            }
        }
    });
    (server, shelf)
}

fn listed(manifest: &Manifest, bytes: &[u8]) -> Descriptor {
    let mut entry = Descriptor::of(Schema::Oci.manifest(), bytes);
    let artifact_type = manifest.artifact_type().into();
    entry.other.insert("artifactType".to_owned(), artifact_type);
    entry
}

fn whole(_: &Seen, index: ImageIndex) -> Reply {
    Reply::new(200)
        .header("Content-Type", Schema::Oci.index())
        .body(&index.to_bytes())
}

/// Pushes the image of a case with one document.
fn push(case: &Case, server: &Server, json: &[u8]) -> Result<String, TransportError> {
    let to = location(server, "app:1");
    let written = case.transports.write(&case.opened, &to, &[])?;
    let document = Document {
        kind: NOTE,
        json: json.to_vec(),
    };
    let digest = written.manifest_digest;
    let mut attached = case.transports.attach(&to, digest, &[document])?;
    Ok(attached.remove(0).place)
}

/// Reads the document as another machine would.
fn read(server: &Server) -> Result<Option<Vec<u8>>, TransportError> {
    let (_scratch, transports) = case_without_image();
    let opened = transports.open(&location(server, "app:1"), None)?;
    transports.attached(&opened, NOTE)
}

#[test]
fn a_registry_that_lists_referrers_gets_no_tag() {
    let (server, shelf) = indexing(whole);
    let case = case();
    let place = push(&case, &server, b"{}").unwrap();
    let tag = referrers_tag(&case.opened.image.manifest_digest);
    assert!(!shelf.lock().unwrap().keys().any(|key| key.ends_with(&tag)));
    assert_eq!(server.count("GET", &tag), 0);
    let (_, digest) = place.split_once('@').unwrap();
    let artifact = shelf.lock().unwrap()[&format!("/v2/app/manifests/{digest}")].clone();
    let subject = Manifest::parse(&artifact, &Limits::default())
        .unwrap()
        .subject()
        .unwrap()
        .unwrap();
    let image = &case.opened.image;
    assert_eq!(subject, {
        let mut own = image.descriptor();
        own.platform = None;
        own
    });

    assert_eq!(read(&server).unwrap().unwrap(), b"{}");
    let asked = server.all("GET", "/referrers/");
    assert!(
        asked[0]
            .path
            .contains("artifactType=application%2Fvnd.example")
    );
    // The same document is the same artifact; nothing is sent twice.
    let patches = server.count("PATCH", "");
    assert_eq!(push(&case, &server, b"{}").unwrap(), place);
    assert_eq!(server.count("PATCH", ""), patches);
}

#[test]
fn lists_come_in_pages() {
    let (server, _) = indexing(|seen, index| {
        // What was asked for is on the second page; the first has no end of others.
        let other = Descriptor::of(Schema::Oci.manifest(), b"another");
        if seen.path.contains("page=2") {
            return whole(seen, index);
        }
        let first = ImageIndex::new(Schema::Oci, vec![other; 100]);
        let next = format!("<{}&page=2>; rel=\"next\"", seen.path);
        whole(seen, first).header("Link", next)
    });
    push(&case(), &server, b"[1]").unwrap();
    assert_eq!(read(&server).unwrap().unwrap(), b"[1]");
}

#[test]
fn pages_without_end_and_elsewhere_are_left() {
    for elsewhere in [true, false] {
        let (server, _) = indexing(move |seen, _| {
            let next = match elsewhere {
                true => "<http://127.0.0.2:1/v2/app/referrers/x>; rel=next".to_owned(),
                false => format!("<{}>; rel=\"next\"", seen.path),
            };
            whole(seen, ImageIndex::new(Schema::Oci, Vec::new())).header("Link", next)
        });
        push(&case(), &server, b"[1]").unwrap();
        assert_eq!(read(&server).unwrap(), None);
        let pages = server.count("GET", "/referrers/");
        assert_eq!(pages == 1, elsewhere, "{pages}");
        assert!(pages < 40, "{pages}");
    }
}

#[test]
fn lists_that_lie_are_seen_through() {
    let stranger = || {
        let subject = Descriptor::of(Schema::Oci.manifest(), b"another image");
        Referrer::new(NOTE.media_type, "note.json", b"[]".to_vec(), &subject)
    };
    let (server, shelf) = indexing(move |seen, mut index| {
        index.manifests.push(stranger().descriptor());
        whole(seen, index)
    });
    let path = format!("/v2/app/manifests/{}", stranger().descriptor().digest);
    let artifact = stranger().manifest_bytes;
    shelf.lock().unwrap().insert(path, artifact);
    push(&case(), &server, b"about this").unwrap();
    assert_eq!(read(&server).unwrap().unwrap(), b"about this");
}

#[test]
fn a_document_without_bounds_is_refused() {
    let (server, shelf) = indexing(whole);
    let case = case();
    let place = push(&case, &server, b"{}").unwrap();
    let (_, digest) = place.split_once('@').unwrap();
    let path = format!("/v2/app/manifests/{digest}");
    let artifact = shelf.lock().unwrap().remove(&path).unwrap();
    let mut manifest = Manifest::parse(&artifact, &Limits::default()).unwrap();
    manifest.layers[0].size_bytes = 1 << 40;
    let huge = manifest.to_bytes();
    let path = format!("/v2/app/manifests/{}", Digest::of(&huge));
    shelf.lock().unwrap().insert(path, huge);
    let error = read(&server).unwrap_err().to_string();
    assert!(error.contains("1099511627776 bytes"), "{error}");
}

#[test]
fn what_is_no_list_is_no_reason_to_give_up() {
    for status in [200, 400, 403, 404, 405] {
        let (server, _) = indexing(move |_, _| Reply::new(status).body(b"<html>"));
        push(&case(), &server, b"{}").unwrap();
        assert_eq!(read(&server).unwrap(), None, "{status}");
    }
}
