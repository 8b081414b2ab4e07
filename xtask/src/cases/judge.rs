//! All checks of a case against one image.

use std::path::Path;

use serde_json::{Map, Value};

use super::answer::Answer;
use super::case::{Case, Check};
use super::client::Client;
use super::deeds::do_step;
use super::scene::Scene;
use crate::Problem;

/// What the original answered, by the name of the check.
pub(crate) type Answers = Map<String, Value>;

/// How an image did.
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) total: usize,
    /// `check: what is wrong`.
    pub(crate) faults: Vec<String>,
}

impl Tally {
    pub(crate) fn is_whole(&self) -> bool {
        self.passed == self.total
    }
}

/// Asks an image everything. `original` is what the original answered; without it only what the checks say is judged.
pub(crate) fn judge(
    client: &Client,
    case: &Case,
    image: &str,
    original: Option<&Answers>,
) -> Result<(Tally, Answers), Problem> {
    let mut tally = Tally {
        passed: 0,
        total: case.checks.len(),
        faults: Vec::new(),
    };
    let mut answers = Answers::new();
    let mut scene = match Scene::open(client, case, image) {
        Ok(scene) => scene,
        Err(problem) => {
            crate::processes::go_on()?;
            tally.faults.push(format!("everything: {problem}"));
            return Ok((tally, answers));
        }
    };
    for check in &case.checks {
        match ask(&scene, check, original) {
            Ok((given, None)) => {
                tally.passed += 1;
                answers.insert(check.name.clone(), given);
            }
            Ok((given, Some(fault))) => {
                tally.faults.push(format!("{}: {fault}", check.name));
                answers.insert(check.name.clone(), given);
            }
            Err(problem) => {
                crate::processes::go_on()?;
                tally.faults.push(format!("{}: {problem}", check.name));
                // One check that ends the program must not fail the others.
                drop(scene);
                scene = match Scene::open(client, case, image) {
                    Ok(scene) => scene,
                    Err(_) => return Ok((tally, answers)),
                };
            }
        }
    }
    Ok((tally, answers))
}

/// The steps of one check up to the first that goes wrong.
fn ask(
    scene: &Scene<'_>,
    check: &Check,
    original: Option<&Answers>,
) -> Result<(Value, Option<String>), Problem> {
    let known = original.and_then(|answers| answers.get(&check.name));
    let mut given = Vec::new();
    for (index, step) in check.steps.iter().enumerate() {
        let known = known
            .and_then(|answers| answers.get(index))
            .and_then(Answer::from_json);
        let answer = do_step(scene, step, known.as_ref())?;
        let fault = answer.fault(&step.expect, known.as_ref());
        given.push(answer.to_json());
        if fault.is_some() {
            return Ok((given.into(), fault));
        }
    }
    Ok((given.into(), None))
}

/// What the original answers, asked twice and kept for the next time; every check that it fails is a defect of the case.
pub(crate) fn answers_of_original(
    client: &Client,
    case: &Case,
    image: &str,
    kept: &Path,
) -> Result<Answers, Problem> {
    if let Ok(text) = std::fs::read(kept) {
        return Ok(serde_json::from_slice(&text)?);
    }
    let (first, answers) = judge(client, case, image, None)?;
    let (second, _) = match first.is_whole() {
        true => judge(client, case, image, Some(&answers))?,
        false => (first, Answers::new()),
    };
    if !second.is_whole() {
        return Err(format!(
            "the original fails {} of {} checks, which is a defect of the case:\n      {}",
            second.faults.len(),
            second.total,
            second.faults.join("\n      ")
        )
        .into());
    }
    std::fs::write(kept, serde_json::to_vec(&answers)?)?;
    Ok(answers)
}
