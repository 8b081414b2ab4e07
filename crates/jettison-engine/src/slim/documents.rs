//! Plan and evidence beside the image that they speak of.

use jettison_plan::Plan;

use super::{SlimError, Slimmed};
use crate::Context;
use crate::transport::Location;

const PLAN: &str = "plan";
const EVIDENCE: &str = "evidence";

/// Keeps plan and evidence in the store, under the small image's digest.
pub fn keep_documents(slimmed: &Slimmed, context: &Context) -> Result<(), SlimError> {
    let digest = slimmed.image.manifest_digest;
    let store = context.store();
    store.put_note(&digest, PLAN, &serde_json::to_vec(&slimmed.plan)?)?;
    store.put_note(&digest, EVIDENCE, &serde_json::to_vec(&slimmed.evidence)?)?;
    Ok(())
}

/// The plan that was kept with an image.
pub fn plan_of(image: &Location, context: &Context) -> Result<Plan, SlimError> {
    let opened = context.transports.open(image, None)?;
    let digest = opened.image.manifest_digest;
    let Some(json) = context.store().note(&digest, PLAN)? else {
        return Err(SlimError::NoPlan {
            image: image.to_string(),
        });
    };
    Ok(serde_json::from_slice(&json)?)
}
