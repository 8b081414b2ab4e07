//! Plan and evidence beside the image that they speak of.

use jettison_image::escape;
use jettison_plan::Plan;
use serde::de::Error as _;

use super::{SlimError, Slimmed};
use crate::Context;
use crate::transport::{Document, DocumentKind, Location};

/// What stayed and why.
const PLAN: DocumentKind = DocumentKind {
    name: "plan",
    media_type: "application/vnd.jettison.plan.v1+json",
};
/// How both images answered.
const EVIDENCE: DocumentKind = DocumentKind {
    name: "evidence",
    media_type: "application/vnd.jettison.comparison.v1+json",
};

/// Plan and evidence, to be put beside the small image wherever it goes.
pub fn documents(slimmed: &Slimmed) -> Result<Vec<Document>, SlimError> {
    let document = |kind, json| Document { kind, json };
    Ok(vec![
        document(PLAN, serde_json::to_vec(&slimmed.plan)?),
        document(EVIDENCE, serde_json::to_vec(&slimmed.evidence)?),
    ])
}

/// Keeps plan and evidence in the store, under the small image's digest. The
/// plan is found under its config as well: that is the same wherever the image
/// goes, while an archive or a packed copy has another manifest.
pub fn keep_documents(slimmed: &Slimmed, context: &Context) -> Result<(), SlimError> {
    let image = &slimmed.image;
    for Document { kind, json } in documents(slimmed)? {
        let store = context.store();
        store.put_note(&image.manifest_digest, kind.name, &json)?;
        if kind == PLAN {
            store.put_note(&image.manifest.config.digest, kind.name, &json)?;
        }
    }
    Ok(())
}

/// The plan of an image: the one in the store, else the one that lies beside
/// the image.
pub fn plan_of(image: &Location, context: &Context) -> Result<Plan, SlimError> {
    let opened = context.transports.open(image, None)?;
    for digest in [
        opened.image.manifest_digest,
        opened.image.manifest.config.digest,
    ] {
        if let Some(json) = context.store().note(&digest, PLAN.name)? {
            return parse(&json);
        }
    }
    match context.transports.attached(&opened, PLAN)? {
        Some(json) => parse(&json),
        None => Err(SlimError::NoPlan {
            image: image.to_string(),
        }),
    }
}

fn parse(json: &[u8]) -> Result<Plan, SlimError> {
    let plan: Plan = serde_json::from_slice(json)?;
    match plan.schema == Plan::SCHEMA {
        true => Ok(plan),
        false => Err(SlimError::Document(serde_json::Error::custom(format!(
            "a plan of the schema `{}`; this version reads {}",
            escape(&plan.schema),
            Plan::SCHEMA
        )))),
    }
}
