//! Well-known bases as far as they lie in the local store or the Docker engine,
//! measured as they are there: none is fetched for a comparison.

use jettison_image::account::{Contents, Survey, SurveyOptions};
use jettison_image::{Error, Follow, Image, Platform, Reference};

use super::config::CA_BUNDLE;
use super::explain::BaseOption;
use crate::Context;
use crate::transport::{Location, Opened};

/// What people take, and what they take with it.
const KNOWN: [(&str, &str); 6] = [
    (
        "golang",
        "a toolchain on a whole distribution: for building",
    ),
    ("rust", "a toolchain on a whole distribution: for building"),
    (
        "debian",
        "a whole distribution: package manager and libraries",
    ),
    ("alpine", "a small distribution: package manager and musl"),
    (
        "gcr.io/distroless/static-debian12",
        "what a static program may need, as somebody else composed it",
    ),
    (
        "gcr.io/distroless/base-debian12",
        "the same with glibc and OpenSSL",
    ),
];

/// What was looked for in an image.
pub(super) struct Found {
    pub(super) unpacked_bytes: u64,
    pub(super) ca_certificates: bool,
    pub(super) time_zones: bool,
    pub(super) shell: bool,
}

/// A row for each that is here.
pub(super) fn options(platform: &Platform, context: &Context) -> Vec<BaseOption> {
    let measured = KNOWN.iter().filter_map(|(name, remarks)| {
        let opened = open(name, platform, context)?;
        let found = look(&opened.image, context).ok()?;
        Some(BaseOption {
            name: (*name).to_owned(),
            unpacked_bytes: Some(found.unpacked_bytes),
            ca_certificates: found.ca_certificates,
            time_zones: found.time_zones,
            shell: found.shell,
            chosen: false,
            remarks: (*remarks).to_owned(),
        })
    });
    measured.collect()
}

/// The image of that name, with its default tag.
fn open(name: &str, platform: &Platform, context: &Context) -> Option<Opened> {
    let transports = &context.transports;
    let reference = Reference::parse(name).ok()?.with_default_tag();
    if let Ok(Some(opened)) = transports.open_store(&reference) {
        return Some(opened);
    }
    let place = Location::Daemon(name.to_owned());
    transports.open(&place, Some(platform)).ok()
}

/// Measures an image.
pub(super) fn look(image: &Image, context: &Context) -> Result<Found, Error> {
    let options = SurveyOptions {
        contents: Contents::Unhashed,
        threads: 1,
        ..SurveyOptions::default()
    };
    let survey = Survey::read(image, &options, context.limits())?;
    let has = |path: &str| survey.tree().resolve(path, Follow::All).is_ok();
    Ok(Found {
        unpacked_bytes: survey.totals().visible_bytes,
        ca_certificates: has(CA_BUNDLE),
        time_zones: has("/usr/share/zoneinfo"),
        shell: has("/bin/sh"),
    })
}
