//! Writes down what was selected: the plan.

use std::collections::BTreeMap;

use jettison_image::{ImagePath, Node};
use jettison_plan::{Bound, Dropped, Kept, Plan, Reach};

use crate::Selection;
use crate::follow::Work;
use crate::keeping::file_path;
use crate::spare;
use crate::whole::Whole;

/// The class of what no program that stays can reach.
const OUT_OF_REACH: &str = "out of reach";
/// The class of what a person did not want.
const ON_REQUEST: &str = "dropped on request";

/// The plan and the set of a finished selection.
pub(crate) fn finish(work: Work<'_>) -> Selection {
    let mut keep = vec![false; work.facts.tree.len()];
    let mut kept = Vec::new();
    for (node, reason) in work.keeping.kept() {
        keep[node.id()] = true;
        kept.push(Kept {
            path: file_path(node),
            reason: reason.clone(),
        });
    }
    kept.sort_by(|a, b| a.path.cmp(&b.path));
    let plan = Plan {
        schema: Plan::SCHEMA.to_owned(),
        image: work.facts.subject.clone(),
        grain: work.facts.grain,
        kept,
        rewritten: Vec::new(),
        dropped: dropped(&work, &keep),
        generosities: work.generosities(),
        reach: reach(&work),
        suspects: Vec::new(),
        notes: work.notes,
    };
    Selection { keep, plan }
}

/// Why something may go, and whose it was.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    class: String,
    package: Option<String>,
}

/// What went, in groups; a directory whose files are all of one group stands
/// for them.
fn dropped(work: &Work<'_>, keep: &[bool]) -> Vec<Dropped> {
    let tree = work.facts.tree;
    let groups: Vec<Option<Group>> = tree
        .iter()
        .map(|node| (!keep[node.id()] && !node.is_directory()).then(|| group(work, node)))
        .collect();
    let mut found: BTreeMap<&Group, Dropped> = BTreeMap::new();
    let mut id = 0;
    while let Some(node) = tree.at(id) {
        id += 1;
        if keep[node.id()] {
            continue;
        }
        let range = node.id()..node.id() + node.subtree().len();
        let mut inside = groups[range.clone()].iter().flatten();
        let Some(first) = inside.next() else {
            continue;
        };
        if inside.any(|other| other != first) {
            continue;
        }
        let entry = found.entry(first).or_insert_with(|| Dropped {
            class: first.class.clone(),
            package: first.package.clone(),
            files: 0,
            size_bytes: 0,
            paths: Vec::new(),
        });
        entry.paths.push(file_path(node));
        for file in node
            .subtree()
            .filter(|file| file.is_file() && file.is_first_link())
        {
            entry.files += 1;
            entry.size_bytes += file.size_bytes();
        }
        id = range.end;
    }
    let mut all: Vec<Dropped> = found.into_values().collect();
    all.sort_by(|a, b| {
        b.size_bytes
            .cmp(&a.size_bytes)
            .then_with(|| (&a.class, &a.package).cmp(&(&b.class, &b.package)))
    });
    all
}

fn group(work: &Work<'_>, node: Node<'_>) -> Group {
    let path = node.path();
    let class = if work.keeping.is_barred(node) {
        ON_REQUEST
    } else {
        spare::class(work, node).map_or(OUT_OF_REACH, |class| class.name())
    };
    Group {
        class: class.to_owned(),
        package: package_name(work, &path),
    }
}

fn package_name(work: &Work<'_>, path: &ImagePath) -> Option<String> {
    let (package, _) = work.facts.installed.owner(path)?;
    Some(package.name.clone())
}

/// What bounds each program that stays.
fn reach(work: &Work<'_>) -> Vec<Reach> {
    let programs = work.programs().map(|node| {
        let (bound, because) = bound(work, node);
        Reach {
            program: file_path(node),
            bound,
            because,
        }
    });
    programs.collect()
}

fn bound(work: &Work<'_>, node: Node<'_>) -> (Bound, String) {
    if work.is_compiled(node) && !work.is_open_ended(node) {
        let because = "it neither loads code by computed names nor runs other programs";
        return (Bound::Closure, because.to_owned());
    }
    let installed = work.facts.installed;
    match installed.owner_index(&node.path()) {
        None => {
            let because = "it belongs to the application, whose files are kept";
            (Bound::Package, because.to_owned())
        }
        Some(index) if work.whole.contains(&Whole::Package(index)) => {
            let name = &installed.packages[index].name;
            let because = format!("{name} and what it depends on are whole");
            (Bound::Package, because)
        }
        Some(_) => (Bound::Trace, "probes showed what it touches".to_owned()),
    }
}
