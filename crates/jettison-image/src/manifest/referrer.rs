//! Documents about an image, packed as artifacts that refer to it (OCI
//! image-spec 1.1, manifest.md, "Guidelines for Artifact Usage"; OCI
//! distribution-spec 1.1, "Listing Referrers").
//!
//! One document is one artifact; artifacts of several layers are other tools'.
//! Same document and subject, same bytes: nothing here has a date.

use serde_json::Value;

use super::{Descriptor, ImageIndex, Manifest, ManifestOrIndex};
use crate::json::Fields;
use crate::media_type::{OCI_EMPTY, Schema};
use crate::{Digest, Error, Limits};

/// The content of the empty config, which stands for "there is none".
const EMPTY: &[u8] = b"{}";
/// Annotation with the file name under which tools write a layer down.
const TITLE: &str = "org.opencontainers.image.title";
const ARTIFACT_TYPE: &str = "artifactType";
const SUBJECT: &str = "subject";

/// A document about an image, ready to be stored beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Referrer {
    /// The artifact's manifest, which names type, document and subject.
    pub manifest: Manifest,
    /// The manifest's bytes.
    pub manifest_bytes: Vec<u8>,
    /// The document.
    pub document: Vec<u8>,
}

impl Referrer {
    /// Packs a document about `subject`; `title` is the file name under which
    /// other tools write it down.
    pub fn new(artifact_type: &str, title: &str, document: Vec<u8>, subject: &Descriptor) -> Self {
        let mut layer = Descriptor::of(artifact_type, &document);
        layer.annotations.insert(TITLE.to_owned(), title.to_owned());
        let config = Descriptor::of(OCI_EMPTY, EMPTY);
        let mut manifest = Manifest::new(Schema::Oci, config, vec![layer]);
        // Three facts are all that a reader may need of the subject.
        let subject = Descriptor::new(&*subject.media_type, subject.digest, subject.size_bytes);
        let other = &mut manifest.other;
        other.insert(ARTIFACT_TYPE.to_owned(), artifact_type.into());
        other.insert(SUBJECT.to_owned(), subject.write());
        Self {
            manifest_bytes: manifest.to_bytes(),
            manifest,
            document,
        }
    }

    /// The descriptor as lists of referrers have it.
    pub fn descriptor(&self) -> Descriptor {
        let schema = self.manifest.schema;
        let mut descriptor = Descriptor::of(schema.manifest(), &self.manifest_bytes);
        let artifact_type = self.manifest.artifact_type().into();
        let other = &mut descriptor.other;
        other.insert(ARTIFACT_TYPE.to_owned(), artifact_type);
        descriptor
    }

    /// The blobs that the manifest names.
    pub fn blobs(&self) -> impl Iterator<Item = (&Descriptor, &[u8])> {
        let layers = self.manifest.layers.iter();
        layers
            .map(|layer| (layer, &self.document[..]))
            .chain([(&self.manifest.config, EMPTY)])
    }

    /// The document's blob, when `manifest` is an artifact of this type about
    /// `subject` that holds one document.
    pub fn find_document(
        manifest: &[u8],
        artifact_type: &str,
        subject: &Digest,
        limits: &Limits,
    ) -> Result<Option<Descriptor>, Error> {
        let manifest = match ManifestOrIndex::parse(manifest, "", limits)? {
            ManifestOrIndex::Manifest(manifest) => manifest,
            ManifestOrIndex::Index(_) => return Ok(None),
        };
        let is_meant = manifest.artifact_type() == artifact_type
            && manifest.subject()?.is_some_and(|of| of.digest == *subject);
        Ok(match &manifest.layers[..] {
            [document] if is_meant => Some(document.clone()),
            _ => None,
        })
    }
}

impl Manifest {
    /// What kind of artifact it is: what it says, or what its config is.
    pub fn artifact_type(&self) -> &str {
        match self.other.get(ARTIFACT_TYPE) {
            Some(Value::String(said)) if !said.is_empty() => said,
            _ => &self.config.media_type,
        }
    }

    /// The manifest that it refers to.
    pub fn subject(&self) -> Result<Option<Descriptor>, Error> {
        let Some(subject) = self.other.get(SUBJECT).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        let fields = Fields::of("manifest: subject".to_owned(), subject.clone())?;
        Descriptor::read(fields).map(Some)
    }
}

impl Descriptor {
    /// The kind of artifact that a list says this is.
    pub fn artifact_type(&self) -> Option<&str> {
        let said = self.other.get(ARTIFACT_TYPE)?.as_str();
        said.filter(|said| !said.is_empty())
    }
}

impl ImageIndex {
    /// Lists referrers that are not listed yet, after all that are there;
    /// false when there was nothing to add.
    pub fn add_referrers(&mut self, referrers: &[Referrer]) -> bool {
        let before = self.manifests.len();
        for referrer in referrers {
            let entry = referrer.descriptor();
            if self
                .manifests
                .iter()
                .all(|other| other.digest != entry.digest)
            {
                self.manifests.push(entry);
            }
        }
        self.manifests.len() > before
    }
}

/// The tag under which the referrers of a manifest are listed where a registry
/// does not list them itself (OCI distribution-spec, "Referrers Tag Schema").
pub fn referrers_tag(subject: &Digest) -> String {
    format!("sha256-{}", subject.hex())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media_type::{DOCKER_MANIFEST, OCI_CONFIG, OCI_MANIFEST};

    const TYPE: &str = "application/vnd.example.note.v1+json";

    fn subject() -> Descriptor {
        Descriptor::of(DOCKER_MANIFEST, b"an image")
    }

    fn referrer(document: &str) -> Referrer {
        Referrer::new(TYPE, "note.json", document.into(), &subject())
    }

    #[test]
    fn written_as_the_specification_shows_it() {
        // The empty blob's digest is the one in manifest.md, "Guidance for an
        // Empty Descriptor".
        let expected = format!(
            concat!(
                r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"#,
                r#""mediaType":"application/vnd.oci.empty.v1+json","#,
                r#""digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","#,
                r#""size":2}},"layers":[{{"mediaType":"{}","digest":"{}","size":7,"#,
                r#""annotations":{{"org.opencontainers.image.title":"note.json"}}}}],"#,
                r#""artifactType":"{}","subject":{{"mediaType":"{}","digest":"{}","size":8}}}}"#
            ),
            OCI_MANIFEST,
            TYPE,
            Digest::of(br#"{"a":1}"#),
            TYPE,
            DOCKER_MANIFEST,
            Digest::of(b"an image"),
        );
        let made = referrer(r#"{"a":1}"#);
        assert_eq!(String::from_utf8(made.manifest_bytes).unwrap(), expected);
    }

    #[test]
    fn what_was_packed_is_found_again() {
        let limits = Limits::default();
        let made = referrer("note");
        let find = |bytes: &[u8], artifact_type: &str, of: &Digest| {
            Referrer::find_document(bytes, artifact_type, of, &limits).unwrap()
        };
        let digest = subject().digest;
        let found = find(&made.manifest_bytes, TYPE, &digest).unwrap();
        assert_eq!(found.digest, Digest::of(b"note"));
        assert_eq!(find(&made.manifest_bytes, "text/plain", &digest), None);
        assert_eq!(find(&made.manifest_bytes, TYPE, &found.digest), None);
        let mut two = made.manifest.clone();
        two.layers.push(two.layers[0].clone());
        assert_eq!(find(&two.to_bytes(), TYPE, &digest), None);
        let mut free = made.manifest.clone();
        free.other.insert("subject".to_owned(), Value::Null);
        assert_eq!(find(&free.to_bytes(), TYPE, &digest), None);
        free.other.insert("subject".to_owned(), "hostile".into());
        assert!(Referrer::find_document(&free.to_bytes(), TYPE, &digest, &limits).is_err());
    }

    #[test]
    fn lists_keep_what_is_there() {
        let other = Descriptor::of(OCI_MANIFEST, b"a signature");
        let mut index = ImageIndex::new(Schema::Oci, vec![other.clone()]);
        assert!(index.add_referrers(&[referrer("one"), referrer("two"), referrer("one")]));
        assert_eq!(index.manifests.len(), 3);
        assert_eq!(index.manifests[0], other);
        assert_eq!(index.manifests[1].artifact_type(), Some(TYPE));
        assert!(!index.add_referrers(&[referrer("two")]));
        let again = ImageIndex::parse(&index.to_bytes(), &Limits::default()).unwrap();
        assert_eq!(again, index);
    }

    #[test]
    fn artifacts_of_an_index_are_not_its_images() {
        let mut image = Descriptor::of(OCI_MANIFEST, b"an image");
        image
            .other
            .insert(ARTIFACT_TYPE.to_owned(), OCI_CONFIG.into());
        let mut index = ImageIndex::new(Schema::Oci, vec![image.clone()]);
        index.add_referrers(&[referrer("one")]);
        assert_eq!(index.images().collect::<Vec<_>>(), [&image]);
    }
}
