//! Two plans of one image, each from a tracing of its own: what only one of them keeps must begin with something that only its
//! tracing touched.

use std::collections::BTreeMap;

use serde_json::Value;

/// Why a path is kept.
#[derive(PartialEq, Eq)]
struct Kept<'a> {
    kind: &'a str,
    by: Option<&'a str>,
}

type Plan<'a> = BTreeMap<&'a str, Kept<'a>>;

/// How many paths only one of two plans keeps, and those of them that nothing explains.
pub(crate) struct Parted {
    pub(crate) paths: usize,
    pub(crate) unexplained: Vec<String>,
}

/// Holds two plans against each other.
pub(crate) fn parted(first: &Value, second: &Value) -> Parted {
    // An answer that differed once made one of them more generous, which it says.
    let is_one_healed = first.get("grain") != second.get("grain");
    let (first, second) = (read(first), read(second));
    let mut parted = Parted {
        paths: 0,
        unexplained: Vec::new(),
    };
    for (one, other) in [(&first, &second), (&second, &first)] {
        for path in one.keys().filter(|path| !other.contains_key(**path)) {
            parted.paths += 1;
            if !is_one_healed && !is_explained(one, other, path) {
                parted.unexplained.push((*path).to_owned());
            }
        }
    }
    parted
}

/// The chain of reasons comes to something that the other plan does not have for this reason.
fn is_explained(one: &Plan<'_>, other: &Plan<'_>, path: &str) -> bool {
    let mut at = path;
    // A chain is no longer than the plan.
    for _ in 0..one.len() {
        let Some(kept) = one.get(at) else {
            return false;
        };
        // Records say what is left, so they follow whatever is kept.
        if matches!(kept.kind, "traced" | "record") && other.get(at) != Some(kept) {
            return true;
        }
        match kept.by {
            Some(by) => at = by,
            None => return false,
        }
    }
    false
}

fn read(plan: &Value) -> Plan<'_> {
    let kept = plan.get("kept").and_then(Value::as_array);
    kept.into_iter()
        .flatten()
        .filter_map(|entry| {
            let text = |name: &str| entry.get(name).and_then(Value::as_str);
            let kept = Kept {
                kind: text("kind")?,
                by: text("by"),
            };
            Some((text("path")?, kept))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::parted;

    fn plan(kept: &[(&str, &str, Option<&str>)]) -> Value {
        let entries = kept.iter().map(|(path, kind, by)| {
            let mut entry = json!({"path": path, "kind": kind});
            if let Some(by) = by {
                entry["by"] = (*by).into();
            }
            entry
        });
        json!({"kept": entries.collect::<Vec<_>>()})
    }

    #[test]
    fn what_one_tracing_touched_explains_what_follows() {
        let both = ("/app", "traced", None);
        let first = plan(&[
            both,
            ("/x.so", "traced", None),
            ("/y.so", "needed", Some("/x.so")),
        ]);
        let second = plan(&[both, ("/z", "needed", Some("/app"))]);
        let parted = parted(&first, &second);
        assert_eq!(parted.paths, 3);
        assert_eq!(parted.unexplained, ["/z"]);
    }
}
