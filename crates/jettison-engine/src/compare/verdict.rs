//! One sentence: which image is the smallest on the wire, by how much, and
//! what it lacks that another has.

use super::value::{Column, CompareVerdict};

/// The sentence. Names are as a person gave them.
pub(super) fn verdict(images: &[Column]) -> CompareVerdict {
    let Some(least) = images.iter().map(|image| image.wire_bytes).min() else {
        return CompareVerdict {
            smallest: None,
            text: "there is nothing to compare".to_owned(),
        };
    };
    if let [alone] = images {
        return CompareVerdict {
            smallest: None,
            text: format!("{} has nothing beside it", alone.image.name),
        };
    }
    let mut smallest = (0..images.len()).filter(|&at| images[at].wire_bytes == least);
    let (Some(at), None) = (smallest.next(), smallest.next()) else {
        let alike = images.iter().filter(|image| image.wire_bytes == least);
        let names: Vec<&str> = alike.map(|image| image.image.name.as_str()).collect();
        return CompareVerdict {
            smallest: None,
            text: format!("{} are alike on the wire", listed(&names)),
        };
    };
    let image = &images[at];
    let mut others: Vec<&Column> = images.iter().collect();
    others.remove(at);
    others.sort_by_key(|other| other.wire_bytes);
    let mut text = format!("{} is the smallest on the wire", image.image.name);
    let mut against = Vec::new();
    if let Some(next) = others.first() {
        against.push(less(image, next));
    }
    if let [_, .., largest] = others.as_slice() {
        against.push(less(image, largest));
    }
    text.push_str(&format!(", {}", listed(&against)));
    let lacks = lacks(image, &others);
    if lacks.is_empty() {
        text.push_str("; it lacks nothing of the table that another has");
    } else {
        text.push_str(&format!("; it lacks {}", listed(&lacks)));
    }
    CompareVerdict {
        smallest: Some(at),
        text,
    }
}

fn less(image: &Column, other: &Column) -> String {
    let percent = (1.0 - image.wire_bytes as f64 / other.wire_bytes.max(1) as f64) * 100.0;
    format!("{percent:.1} % less than {}", other.image.name)
}

/// What is in a row of the table for another image and not for this one, with
/// the names of those that have it.
fn lacks(image: &Column, others: &[&Column]) -> Vec<String> {
    type Has = fn(&Column) -> bool;
    let rows: [(&str, Has); 7] = [
        ("a shell", |image| !image.tools.shells.is_empty()),
        ("a package manager", |image| {
            !image.tools.package_managers.is_empty()
        }),
        ("a compiler", |image| !image.tools.compilers.is_empty()),
        ("setuid or setgid programs", |image| image.setuid.count > 0),
        ("files with capabilities", |image| {
            image.capabilities.count > 0
        }),
        ("a package database", |image| image.packages > 0),
        ("a good answer when started", |image| {
            image
                .start
                .as_ref()
                .is_some_and(|start| start.problem.is_none())
        }),
    ];
    let missing = rows.into_iter().filter_map(|(what, has)| {
        if has(image) {
            return None;
        }
        let holders: Vec<&str> = others
            .iter()
            .filter(|other| has(other))
            .map(|other| other.image.name.as_str())
            .collect();
        if holders.is_empty() {
            return None;
        }
        // With two images there is nobody else to name.
        Some(match others.len() {
            1 => what.to_owned(),
            _ => format!("{what} ({})", holders.join(", ")),
        })
    });
    missing.collect()
}

/// `a`, `a and b`, `a, b and c`.
fn listed(words: &[impl AsRef<str>]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::{Column, Tool};
    use super::verdict;
    use crate::inspect::Identity;

    fn image(name: &str, wire_bytes: u64, has_shell: bool) -> Column {
        let shell = Tool {
            name: "sh".to_owned(),
            path: "/bin/sh".to_owned(),
            file: "/bin/busybox".to_owned(),
        };
        let mut tools = super::super::value::Tools::default();
        tools.shells.extend(has_shell.then_some(shell));
        Column {
            image: Identity {
                name: name.to_owned(),
                found_in: String::new(),
                manifest_digest: String::new(),
                config_digest: String::new(),
                platform: String::new(),
                created: None,
                distribution: None,
            },
            wire_bytes,
            last_layer_wire_bytes: 0,
            unpacked_bytes: 0,
            wasted_bytes: 0,
            layers: 1,
            files: 1,
            packages: 0,
            setuid: super::super::value::Holders::default(),
            capabilities: super::super::value::Holders::default(),
            tools,
            user: "root".to_owned(),
            start: None,
            wire_reduction_percent: 0.0,
            unpacked_reduction_percent: 0.0,
            notes: Vec::new(),
        }
    }

    #[test]
    fn sentences() {
        let check = |images: &[Column], smallest: Option<usize>, text: &str| {
            let verdict = verdict(images);
            assert_eq!((verdict.smallest, verdict.text.as_str()), (smallest, text));
        };
        check(
            &[image("big", 1000, true), image("small", 20, false)],
            Some(1),
            "small is the smallest on the wire, 98.0 % less than big; it lacks a shell",
        );
        check(
            &[image("small", 20, true), image("big", 1000, false)],
            Some(0),
            "small is the smallest on the wire, 98.0 % less than big; it lacks nothing of the table that another has",
        );
        check(
            &[
                image("a", 1000, true),
                image("b", 50, true),
                image("c", 20, false),
            ],
            Some(2),
            "c is the smallest on the wire, 60.0 % less than b and 98.0 % less than a; it lacks a shell (b, a)",
        );
        check(
            &[image("a", 20, true), image("b", 20, true)],
            None,
            "a and b are alike on the wire",
        );
    }
}
