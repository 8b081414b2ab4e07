//! What an answer is worth: whether it is the expected one, and what follows
//! from all of them.

use jettison_plan::{Action, Expectation, Observation, Origin, Outcome, Probe, Verdict};

use super::symptoms::Symptom;

/// What follows from all answers.
///
/// A bad answer to a question that only we asked, and any bad answer while
/// something around the program was missing, says nothing about the image.
pub(super) fn verdict(observations: &[Observation], symptom: Option<&Symptom>) -> Verdict {
    let missing_surroundings = symptom.is_some_and(|symptom| symptom.surroundings);
    let parts = observations.iter().filter_map(|observation| {
        let is_free_question =
            observation.probe.origin == Origin::Free && observation.probe.action != Action::Start;
        match (&observation.probe.action, observation.answer.is_good()) {
            (Action::Stop, _) if observation.probe.origin == Origin::Free => None,
            (_, true) => Some(Verdict::Whole),
            (_, false) if missing_surroundings || is_free_question => Some(Verdict::CouldNotTell),
            (_, false) => Some(Verdict::Differs),
        }
    });
    Verdict::all(parts)
}

/// Why an outcome is not the expected one.
pub(crate) fn problem(probe: &Probe, outcome: &Outcome) -> Option<String> {
    match (outcome, probe.expectation) {
        (Outcome::Silent { reason }, _) => Some(reason.clone()),
        (Outcome::Http { status, .. }, Expectation::Success) => {
            (!(200..400).contains(status)).then(|| format!("status {status} instead of 2xx or 3xx"))
        }
        (Outcome::Http { status, .. }, Expectation::Exactly(expected)) => (i32::from(*status)
            != expected)
            .then(|| format!("status {status} instead of {expected}")),
        (Outcome::Http { status, .. }, Expectation::AnyAnswer) => {
            (*status >= 500).then(|| format!("status {status}"))
        }
        (Outcome::Exited { code, .. }, Expectation::Exactly(expected)) => {
            (*code != expected).then(|| format!("exit code {code} instead of {expected}"))
        }
        // 128 + SIGTERM (15) or the image's own stop signal: ended by it, as asked.
        (Outcome::Exited { code, .. }, _) if probe.action == Action::Stop => {
            (*code != 0 && !(129..=192).contains(code)).then(|| format!("exit code {code}"))
        }
        (Outcome::Exited { code, .. }, _) => (*code != 0).then(|| format!("exit code {code}")),
        (Outcome::Running, Expectation::Exactly(expected)) => Some(format!(
            "it still runs instead of ending with code {expected}"
        )),
        (Outcome::Running | Outcome::Connected | Outcome::Replied { .. }, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use jettison_plan::{Action, Answer, Observation, Origin, Outcome, Probe, Text, Verdict};

    use super::{problem, verdict};
    use crate::prove::symptoms;

    fn http(status: u16) -> Outcome {
        Outcome::Http {
            status,
            headers: Vec::new(),
            body: Text::default(),
        }
    }

    fn exited(code: i32) -> Outcome {
        Outcome::Exited {
            code,
            stdout: Text::default(),
            stderr: Text::default(),
        }
    }

    #[track_caller]
    fn check(line: &str, outcome: Outcome, expected: Option<&str>) {
        let probe: Probe = line.parse().expect(line);
        assert_eq!(problem(&probe, &outcome).as_deref(), expected, "{line}");
    }

    #[test]
    fn expectations() {
        check("/x", http(204), None);
        check("/x", http(302), None);
        check("/x", http(404), Some("status 404 instead of 2xx or 3xx"));
        check("/x -> 404", http(404), None);
        check("/x -> 404", http(200), Some("status 200 instead of 404"));
        check("exec:/x", exited(0), None);
        check("exec:/x", exited(2), Some("exit code 2"));
        check("exec:/x -> 2", exited(2), None);
        check("stop", exited(143), None);
        check("stop", exited(0), None);
        check("stop", exited(1), Some("exit code 1"));
        check("start", Outcome::Running, None);
        check(
            "start -> 0",
            Outcome::Running,
            Some("it still runs instead of ending with code 0"),
        );
    }

    fn observation(line: &str, origin: Origin, outcome: Outcome) -> Observation {
        let mut probe: Probe = line.parse().expect(line);
        probe.origin = origin;
        let problem = problem(&probe, &outcome);
        Observation {
            probe,
            answer: Answer {
                outcome,
                problem,
                elapsed_ms: 0,
            },
        }
    }

    #[test]
    fn verdicts() {
        let good = observation("/", Origin::Asked, http(200));
        let bad = observation("/", Origin::Asked, http(500));
        let guessed = observation("/", Origin::Free, http(500));
        let unstoppable = observation(
            "stop",
            Origin::Free,
            Outcome::Silent {
                reason: "runs on".into(),
            },
        );
        let crashed = observation("start", Origin::Free, exited(1));
        let missing = symptoms::recognise("dial tcp: connection refused");
        let check = |observations: &[&Observation], symptom, expected| {
            let observations: Vec<_> = observations.iter().map(|&o| o.clone()).collect();
            assert_eq!(verdict(&observations, symptom), expected);
        };
        check(&[&good], None, Verdict::Whole);
        check(&[&good, &unstoppable], None, Verdict::Whole);
        check(&[&good, &bad], None, Verdict::Differs);
        check(&[&guessed], None, Verdict::CouldNotTell);
        check(&[&unstoppable], None, Verdict::CouldNotTell);
        check(&[], None, Verdict::CouldNotTell);
        check(&[&crashed], None, Verdict::Differs);
        check(&[&crashed], missing, Verdict::CouldNotTell);
        assert_eq!(crashed.probe.action, Action::Start);
    }
}
