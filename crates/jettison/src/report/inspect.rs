//! Where an image's bytes are, for a person: tables with the biggest first,
//! each adding up, and the sums last.

use jettison_engine::inspect::{DirectoryRow, Inspection, LayerRow, PackageRow, Totals};

use super::words::{beginning, command, end};
use crate::ui::{Table, escape, units};

/// What a line of free text may take, so that tables fit 100 columns.
const TEXT: usize = 44;
const PATH: usize = 52;

/// The report, with at most `top` rows in each table.
pub fn text(inspection: &Inspection, top: usize) -> String {
    let sections = [
        head(inspection),
        layers(&inspection.layers, &inspection.totals, top),
        packages(&inspection.packages, &inspection.totals, top),
        directories(&inspection.directories, &inspection.totals),
        largest(inspection),
        wasted(inspection),
        duplicates(inspection),
        privileged(inspection),
        notes(inspection),
        summary(&inspection.totals),
    ];
    let filled = sections.into_iter().filter(|section| !section.is_empty());
    filled.collect::<Vec<_>>().join("\n")
}

fn head(inspection: &Inspection) -> String {
    let (image, config) = (&inspection.image, &inspection.config);
    let mut out = beginning(&image.name, 200);
    // Where a file is was said by its name.
    if image.found_in != image.name {
        out.push_str(&format!(" (found in {})", beginning(&image.found_in, 200)));
    }
    out.push('\n');
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            out.push_str(&format!("  {name:<13}{}\n", beginning(value, 84)));
        }
    };
    line("manifest", &image.manifest_digest);
    line("config", &image.config_digest);
    line("platform", &image.platform);
    line(
        "distribution",
        image.distribution.as_deref().unwrap_or_default(),
    );
    line("created", image.created.as_deref().unwrap_or_default());
    line(
        "user",
        if config.user.is_empty() {
            "root (none is set)"
        } else {
            &config.user
        },
    );
    line("entrypoint", &argv(&config.entrypoint));
    line("cmd", &argv(&config.cmd));
    line("workdir", &config.working_dir);
    line("ports", &config.ports.join(", "));
    line("volumes", &config.volumes.join(", "));
    line("env", &config.env_names.join(", "));
    line(
        "stop signal",
        config.stop_signal.as_deref().unwrap_or_default(),
    );
    line("healthcheck", &argv(&config.healthcheck));
    for (key, value) in config.labels.iter().take(LABELS) {
        line("label", &format!("{key}={value}"));
    }
    if config.labels.len() > LABELS {
        line(
            "",
            &format!("and {} more labels", config.labels.len() - LABELS),
        );
    }
    out
}

const LABELS: usize = 8;

/// An argument list as a config has it.
fn argv(words: &[String]) -> String {
    if words.is_empty() {
        return String::new();
    }
    let quoted = words.iter().map(|word| format!("{word:?}"));
    format!("[{}]", quoted.collect::<Vec<_>>().join(", "))
}

fn layers(rows: &[LayerRow], totals: &Totals, top: usize) -> String {
    let mut table = Table::new(&[
        ">layer",
        ">unpacked",
        ">on the wire",
        ">wasted",
        ">files",
        "made by",
    ]);
    let mut sorted: Vec<&LayerRow> = rows.iter().collect();
    sorted.sort_by_key(|row| std::cmp::Reverse((row.unpacked_bytes, row.wire_bytes)));
    let cells = |name: String, rows: &[&LayerRow], made_by: String| {
        let sum = |of: fn(&LayerRow) -> u64| rows.iter().map(|row| of(row)).sum::<u64>();
        [
            name,
            units::bytes(sum(|row| row.unpacked_bytes)),
            units::bytes(sum(|row| row.wire_bytes)),
            units::bytes(sum(|row| row.wasted_bytes)),
            units::grouped(sum(|row| row.files)),
            made_by,
        ]
    };
    let (shown, more) = sorted.split_at(top.min(sorted.len()));
    for row in shown {
        let made_by = row.created_by.as_deref().map(command).unwrap_or_default();
        let made_by = match made_by.as_str() {
            "" => row.digest.as_str(),
            known => known,
        };
        table.row(cells(
            row.index.to_string(),
            &[row],
            beginning(made_by, TEXT),
        ));
    }
    if !more.is_empty() {
        let made_by = format!("and {}", units::count(more.len() as u64, "more layer"));
        table.row(cells(String::new(), more, made_by));
    }
    table.total([
        String::new(),
        units::bytes(totals.unpacked_bytes + totals.wasted_bytes),
        units::bytes(totals.wire_bytes),
        units::bytes(totals.wasted_bytes),
        units::grouped(rows.iter().map(|row| row.files).sum()),
        format!("shipped in {}", units::count(totals.layers, "layer")),
    ]);
    format!("Layers\n{}", table.render())
}

fn packages(rows: &[PackageRow], totals: &Totals, top: usize) -> String {
    if rows.iter().all(|row| row.kind.is_none()) {
        return String::new();
    }
    let mut table = visible_table("package");
    let (none, known): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.kind.is_none());
    let (shown, more) = known.split_at(top.min(known.len()));
    for row in shown {
        let label = format!("{} ({})", row.name, row.kind.unwrap_or_default());
        table.row(visible(&[part(row)], totals, beginning(&label, TEXT)));
    }
    let parts = |rows: &[&PackageRow]| rows.iter().map(|row| part(row)).collect::<Vec<_>>();
    if !more.is_empty() {
        let label = format!("and {}", units::count(more.len() as u64, "more package"));
        table.row(visible(&parts(more), totals, label));
    }
    if !none.is_empty() {
        table.row(visible(&parts(&none), totals, "[no package]".to_owned()));
    }
    table.total(visible(
        &[whole(totals)],
        totals,
        format!("visible, in {}", units::count(totals.packages, "package")),
    ));
    format!("Packages\n{}", table.render())
}

fn directories(rows: &[DirectoryRow], totals: &Totals) -> String {
    let mut table = visible_table("directory and below, other rows aside");
    for row in rows {
        let part = (row.files, row.unpacked_bytes, row.wire_bytes);
        table.row(visible(&[part], totals, end(&row.path, PATH)));
    }
    table.total(visible(&[whole(totals)], totals, "visible".to_owned()));
    format!("Directories\n{}", table.render())
}

/// Files, bytes unpacked and on the wire.
type Part = (u64, u64, u64);

fn part(row: &PackageRow) -> Part {
    (row.files, row.unpacked_bytes, row.wire_bytes)
}

fn whole(totals: &Totals) -> Part {
    (
        totals.files,
        totals.unpacked_bytes,
        totals.visible_wire_bytes,
    )
}

fn visible_table(of: &'static str) -> Table {
    Table::new(&[">unpacked", ">share", ">on the wire", ">files", of])
}

fn visible(parts: &[Part], totals: &Totals, name: String) -> [String; 5] {
    let sum = |of: fn(&Part) -> u64| parts.iter().map(of).sum::<u64>();
    [
        units::bytes(sum(|part| part.1)),
        units::share(sum(|part| part.1), totals.unpacked_bytes),
        units::bytes(sum(|part| part.2)),
        units::grouped(sum(|part| part.0)),
        name,
    ]
}

fn largest(inspection: &Inspection) -> String {
    let (rows, totals) = (&inspection.largest_files, &inspection.totals);
    if rows.is_empty() {
        return String::new();
    }
    let with_packages = rows.iter().any(|row| row.package.is_some());
    let mut heads = vec![">unpacked", ">on the wire", ">layer", "file"];
    heads.extend(with_packages.then_some("package"));
    let mut table = Table::new(&heads);
    for row in rows {
        let package = row.package.as_deref().unwrap_or_default();
        table.row(
            [
                units::bytes(row.unpacked_bytes),
                units::bytes(row.wire_bytes),
                row.layer.to_string(),
                end(&row.path, if with_packages { TEXT } else { PATH }),
                beginning(package, 24),
            ]
            .into_iter()
            .take(heads.len()),
        );
    }
    let shown: u64 = rows.iter().map(|row| row.unpacked_bytes).sum();
    let more = totals.files.saturating_sub(rows.len() as u64);
    format!(
        "Largest files\n{}{}",
        table.render(),
        and_more(more, "file", totals.unpacked_bytes.saturating_sub(shown))
    )
}

fn wasted(inspection: &Inspection) -> String {
    let (rows, totals) = (&inspection.wasted_files, &inspection.totals);
    if rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[
        ">unpacked",
        ">on the wire",
        ">in layer",
        ">hidden by",
        "file",
    ]);
    for row in rows {
        table.row([
            units::bytes(row.unpacked_bytes),
            units::bytes(row.wire_bytes),
            row.layer.to_string(),
            row.hidden_by.to_string(),
            end(&row.path, PATH),
        ]);
    }
    let shown: u64 = rows.iter().map(|row| row.unpacked_bytes).sum();
    let more = totals.wasted_files.saturating_sub(rows.len() as u64);
    format!(
        "Wasted: shipped in a layer and hidden by a later one\n{}{}",
        table.render(),
        and_more(more, "file", totals.wasted_bytes.saturating_sub(shown))
    )
}

fn duplicates(inspection: &Inspection) -> String {
    let (rows, totals) = (&inspection.duplicates, &inspection.totals);
    if rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[">too much", ">of each", ">copies", "the first of them"]);
    for row in rows {
        table.row([
            units::bytes(row.saved_bytes),
            units::bytes(row.unpacked_bytes),
            units::grouped(row.copies),
            end(row.paths.first().map_or("", String::as_str), PATH),
        ]);
    }
    let shown: u64 = rows.iter().map(|row| row.saved_bytes).sum();
    let rest = totals.duplicate_bytes.saturating_sub(shown);
    let more = match rest {
        0 => String::new(),
        rest => format!("and {} in more of them\n", units::bytes(rest)),
    };
    format!(
        "Duplicates: visible files of the same content, unpacked\n{}{more}",
        table.render()
    )
}

fn privileged(inspection: &Inspection) -> String {
    let rows = &inspection.privileged;
    if rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["mode", ">owner", "rights", "file"]);
    for row in rows {
        table.row([
            row.mode.clone(),
            format!("{}:{}", row.uid, row.gid),
            row.rights.join(", "),
            end(&row.path, PATH),
        ]);
    }
    let more = inspection
        .totals
        .privileged_files
        .saturating_sub(rows.len() as u64);
    let more = match more {
        0 => String::new(),
        more => format!("and {}\n", units::count(more, "more file")),
    };
    format!(
        "Programs with more rights than whoever starts them\n{}{more}",
        table.render()
    )
}

fn notes(inspection: &Inspection) -> String {
    let notes = inspection.notes.iter();
    let lines: String = notes
        .take(NOTES)
        .map(|note| format!("note: {}\n", escape::line(note)))
        .collect();
    match inspection.notes.len().saturating_sub(NOTES) {
        0 => lines,
        more => format!(
            "{lines}note: and {}\n",
            units::count(more as u64, "more note")
        ),
    }
}

const NOTES: usize = 10;

fn and_more(count: u64, what: &str, bytes: u64) -> String {
    match count {
        0 => String::new(),
        _ => format!(
            "and {} with {} unpacked\n",
            units::count(count, &format!("more {what}")),
            units::bytes(bytes)
        ),
    }
}

fn summary(totals: &Totals) -> String {
    let mut table = Table::new(&["", ">unpacked", ">on the wire"]);
    table.row([
        "visible files".to_owned(),
        units::bytes(totals.unpacked_bytes),
        units::bytes(totals.visible_wire_bytes),
    ]);
    table.row([
        "wasted: shipped and hidden".to_owned(),
        units::bytes(totals.wasted_bytes),
        units::bytes(totals.wasted_wire_bytes),
    ]);
    table.row([
        "headers, padding, packing".to_owned(),
        String::new(),
        units::bytes(totals.overhead_wire_bytes),
    ]);
    table.total([
        "all layers".to_owned(),
        units::bytes(totals.unpacked_bytes + totals.wasted_bytes),
        units::bytes(totals.wire_bytes),
    ]);
    let mut out = format!("Summary\n{}", table.render());
    out.push_str(&format!(
        "{} visible in {}",
        units::count(totals.files, "file"),
        units::count(totals.layers, "layer")
    ));
    if totals.duplicate_bytes > 0 {
        out.push_str(&format!(
            "; {} of them duplicates, unpacked",
            units::bytes(totals.duplicate_bytes)
        ));
    }
    out.push('\n');
    out
}
