//! Ways to pack a project, one row each, as the guides' tables have them.

use jettison_engine::compare::{Approach, Approaches, BuildTimes, Column, Tool};

use crate::ui::{Table, escape, units};

/// The report.
pub fn text(found: &Approaches) -> String {
    let mut table = Table::new(&[
        "approach",
        "base",
        ">on the wire",
        ">unpacked",
        ">reduction",
        "shell",
        ">start-up",
        ">cold",
        ">unchanged",
        ">one line",
    ]);
    let mut notes = String::new();
    for approach in &found.approaches {
        let column = approach.image.and_then(|at| found.compared.images.get(at));
        match column {
            Some(column) => table.row(row(approach, column)),
            None => {
                let why = approach.problem.as_deref().unwrap_or("not built");
                let name = escape::line(&approach.name);
                notes.push_str(&format!("note: {name}: {}\n", escape::line(why)));
            }
        }
        let start = column.and_then(|column| column.start.as_ref());
        if let Some(detail) = start.and_then(|start| start.detail.as_deref()) {
            let name = escape::line(&approach.name);
            notes.push_str(&format!(
                "note: {name}: start-up: {}\n",
                escape::line(detail)
            ));
        }
    }
    let verdict = escape::line(&found.compared.verdict.text);
    format!(
        "{}\n{notes}note: built one after the other in a store of its own, bases at hand: cold, again, after a \
         changed line; jettison's own times hold the start and the questions that prove its image\n\
         verdict: {verdict}\n",
        table.render()
    )
}

fn row(approach: &Approach, column: &Column) -> [String; 10] {
    let times = approach.times.as_ref();
    let time = |of: fn(&BuildTimes) -> Option<u64>| {
        times
            .and_then(of)
            .map(units::milliseconds)
            .unwrap_or_default()
    };
    let reduction = match column.unpacked_reduction_percent {
        0.0 => String::new(),
        percent => format!("{percent:.1} %"),
    };
    let start = column.start.as_ref();
    [
        escape::line(&approach.name).into_owned(),
        escape::line(&approach.base).into_owned(),
        units::bytes(column.wire_bytes),
        units::bytes(column.unpacked_bytes),
        reduction,
        shell(&column.tools.shells),
        start
            .map(|start| match (start.median_ms, &start.problem) {
                (_, Some(problem)) => problem.clone(),
                (Some(ms), None) => format!("{ms:.1} ms"),
                (None, None) => String::new(),
            })
            .unwrap_or_default(),
        time(|times| Some(times.cold_ms)),
        time(|times| Some(times.unchanged_ms)),
        time(|times| times.changed_ms),
    ]
}

fn shell(shells: &[Tool]) -> String {
    match shells.first() {
        Some(shell) => shell.name.clone(),
        None => "none".to_owned(),
    }
}
