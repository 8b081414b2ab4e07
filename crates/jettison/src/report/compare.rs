//! Images side by side, for a person: a column each, then the packages that
//! make the difference, then what shipping costs, and a sentence at the end.

use jettison_engine::compare::{Column, Compared, FleetRow, Holders, Mover, Movers, StartUp, Tool};

use super::words::{beginning, end};
use crate::ui::{Table, escape, units};

/// Columns of a terminal that the images share.
const WIDTH: usize = 72;
/// A column is never narrower nor wider than this.
const NARROWEST: usize = 14;
const WIDEST: usize = 40;
/// What the name of a package may take.
const PACKAGE: usize = 28;
const VERSION: usize = 24;
/// Notes of each image that are shown.
const NOTES: usize = 5;

/// The report.
pub fn text(compared: &Compared) -> String {
    let names = names(&compared.images);
    let mut sections = vec![metrics(&compared.images, &names)];
    for movers in &compared.movers {
        sections.push(packages(movers, &names));
    }
    sections.push(fleet(compared, &names));
    sections.push(notes(&compared.images, &names));
    sections.retain(|section| !section.is_empty());
    let verdict = escape::line(&compared.verdict.text);
    format!("{}\nverdict: {verdict}\n", sections.join("\n"))
}

/// The images' names as their columns can hold them, and no two alike.
fn names(images: &[Column]) -> Vec<String> {
    let width = (WIDTH / images.len().max(1))
        .saturating_sub(2)
        .clamp(NARROWEST, WIDEST);
    let cut = |image: &Column| end(&image.image.name, width);
    let cut: Vec<String> = images.iter().map(cut).collect();
    let name =
        |(at, name): (usize, &String)| match cut.iter().filter(|other| *other == name).count() {
            0 | 1 => name.clone(),
            _ => format!("{}: {name}", at + 1),
        };
    cut.iter().enumerate().map(name).collect()
}

fn metrics(images: &[Column], names: &[String]) -> String {
    let mut table = across("", names);
    let mut row = |what: &str, cell: &dyn Fn(&Column) -> String| {
        table.row(std::iter::once(what.to_owned()).chain(images.iter().map(cell)));
    };
    row("on the wire", &|image| units::bytes(image.wire_bytes));
    row("unpacked", &|image| units::bytes(image.unpacked_bytes));
    if images.iter().any(|image| image.wasted_bytes > 0) {
        row("shipped and hidden", &|image| {
            units::bytes(image.wasted_bytes)
        });
    }
    row("layers", &|image| units::grouped(image.layers));
    row("files", &|image| units::grouped(image.files));
    row("packages", &|image| units::grouped(image.packages));
    row("setuid, setgid programs", &|image| holders(&image.setuid));
    row("files with capabilities", &|image| {
        holders(&image.capabilities)
    });
    row("shell", &|image| tools(&image.tools.shells));
    row("package manager", &|image| {
        tools(&image.tools.package_managers)
    });
    row("compiler", &|image| tools(&image.tools.compilers));
    row("user", &|image| beginning(&image.user, NARROWEST));
    if images.iter().any(|image| image.start.is_some()) {
        row("start-up", &|image| {
            image.start.as_ref().map(start).unwrap_or_default()
        });
    }
    let mut reductions = |what: &str, of: fn(&Column) -> f64| {
        let further = images.iter().skip(1).map(|image| reduction(of(image)));
        let cells = [what.to_owned(), "baseline".to_owned()];
        table.row(cells.into_iter().chain(further));
    };
    reductions("reduction, on the wire", |image| {
        image.wire_reduction_percent
    });
    reductions("reduction, unpacked", |image| {
        image.unpacked_reduction_percent
    });
    table.render()
}

/// A table with a column for each image.
fn across(first: &str, names: &[String]) -> Table {
    let heads: Vec<String> = names.iter().map(|name| format!(">{name}")).collect();
    let heads: Vec<&str> = std::iter::once(first)
        .chain(heads.iter().map(String::as_str))
        .collect();
    Table::new(&heads)
}

fn holders(holders: &Holders) -> String {
    match holders.count {
        0 => "none".to_owned(),
        count => units::grouped(count),
    }
}

/// The first two by name: more are in the document.
fn tools(tools: &[Tool]) -> String {
    let named: Vec<&str> = tools
        .iter()
        .take(2)
        .map(|tool| tool.name.as_str())
        .collect();
    match tools.len().saturating_sub(named.len()) {
        _ if named.is_empty() => "none".to_owned(),
        0 => named.join(", "),
        more => format!("{} +{more}", named.join(", ")),
    }
}

fn start(start: &StartUp) -> String {
    match (start.median_ms, &start.problem) {
        (_, Some(problem)) => problem.clone(),
        (Some(ms), None) => time(ms),
        (None, None) => String::new(),
    }
}

fn time(ms: f64) -> String {
    match ms {
        ms if ms < 100.0 => format!("{ms:.1} ms"),
        ms => units::milliseconds(ms.round() as u64),
    }
}

fn reduction(percent: f64) -> String {
    match percent {
        percent if percent < 0.0 => format!("{:.1} % larger", -percent),
        percent if percent >= 99.95 => format!("{percent:.2} % smaller"),
        percent => format!("{percent:.1} % smaller"),
    }
}

fn packages(movers: &Movers, names: &[String]) -> String {
    let (Some(first), Some(image)) = (names.first(), names.get(movers.image)) else {
        return String::new();
    };
    let head = format!("Packages of {image} against {first}, unpacked\n");
    if movers.rows.is_empty() && movers.more == 0 {
        return format!("{head}no difference\n");
    }
    let mut table = Table::new(&["", "package", ">before", ">now", ">difference", "version"]);
    for row in &movers.rows {
        table.row(mover(row));
    }
    if movers.more > 0 {
        let what = format!("and {} more", units::grouped(movers.more));
        let rest = [String::new(), what, String::new(), String::new()];
        table.row(rest.into_iter().chain([signed(movers.more_bytes)]));
    }
    let total = ["", "together", "", ""].map(str::to_owned);
    table.total(total.into_iter().chain([signed(movers.total_bytes)]));
    format!("{head}{}", table.render())
}

fn mover(row: &Mover) -> [String; 6] {
    let name = match row.kind {
        None => "files of no package".to_owned(),
        Some(kind) => format!("{kind} {}", beginning(&row.name, PACKAGE)),
    };
    let (before, now) = (row.before_versions.join(", "), row.versions.join(", "));
    let version = match (before.as_str(), now.as_str()) {
        (before, now) if before == now || now.is_empty() => before.to_owned(),
        ("", now) => now.to_owned(),
        (before, now) => format!("{before} → {now}"),
    };
    let bytes = |count: u64, is_there: bool| match is_there {
        true => units::bytes(count),
        false => String::new(),
    };
    [
        row.change.to_owned(),
        name,
        bytes(row.before_bytes, row.change != "came"),
        bytes(row.bytes, row.change != "went"),
        signed(row.change_bytes),
        beginning(&version, VERSION),
    ]
}

fn signed(bytes: i64) -> String {
    let size = units::bytes(bytes.unsigned_abs());
    match bytes {
        0 => size,
        1.. => format!("+{size}"),
        _ => format!("-{size}"),
    }
}

fn fleet(compared: &Compared, names: &[String]) -> String {
    let fleet = &compared.fleet;
    let mut table = across("", names);
    let mut row = |what: String, cell: &dyn Fn(&FleetRow) -> String| {
        table.row(std::iter::once(what).chain(fleet.rows.iter().map(cell)));
    };
    let nodes = units::count(fleet.nodes, "node");
    row(format!("storage on {nodes}"), &|row| {
        units::bytes(row.storage_bytes)
    });
    let pulls = units::count(fleet.pulls_per_day, "pull");
    row(format!("traffic of {pulls} a day"), &|row| {
        units::bytes(row.traffic_bytes_per_day)
    });
    row("time of a pull".to_owned(), &|row| {
        units::milliseconds(row.pull_ms)
    });
    row("an update, one node".to_owned(), &|row| {
        units::bytes(row.update_bytes)
    });
    row(format!("an update, {nodes}"), &|row| {
        units::bytes(row.update_all_bytes)
    });
    format!(
        "Cost of shipping (--nodes {}, --pulls-per-day {}, --bandwidth {})\n{}\
         storage = nodes × (unpacked + shipped and hidden); traffic = pulls × on the wire;\n\
         time = on the wire × 8 / bandwidth; an update moves the last layer, on the wire, and nothing else\n",
        fleet.nodes,
        fleet.pulls_per_day,
        bits(fleet.bandwidth_bits_per_second),
        table.render()
    )
}

/// As `--bandwidth` takes it.
fn bits(count: u64) -> String {
    let units = [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    let unit = units
        .into_iter()
        .find(|(unit, _)| count.is_multiple_of(*unit));
    match unit {
        Some((unit, name)) => format!("{}{name}", count / unit),
        None => count.to_string(),
    }
}

fn notes(images: &[Column], names: &[String]) -> String {
    let mut out = String::new();
    for (image, name) in images.iter().zip(names) {
        if let Some(start) = &image.start {
            let word = start.problem.as_deref();
            if let (Some(word), Some(detail)) = (word, &start.detail) {
                out.push_str(&line(name, &format!("start-up: {word}: {detail}")));
            }
        }
        for note in image.notes.iter().take(NOTES) {
            out.push_str(&line(name, note));
        }
        let more = image.notes.len().saturating_sub(NOTES);
        if more > 0 {
            let more = format!("and {}", units::count(more as u64, "more note"));
            out.push_str(&line(name, &more));
        }
    }
    let waited = images
        .iter()
        .filter_map(|image| image.start.as_ref()?.answer.as_deref());
    let mut waited: Vec<&str> = waited.collect();
    waited.dedup();
    if let [answer] = waited.as_slice() {
        let text = format!(
            "median of three starts, from the start of the container to the first good answer: {answer}"
        );
        out.push_str(&line("start-up", &text));
    }
    out
}

fn line(name: &str, text: &str) -> String {
    format!("note: {name}: {}\n", escape::line(text))
}

#[cfg(test)]
mod tests {
    use super::{bits, reduction, signed, time};

    #[test]
    fn numbers_are_words() {
        assert_eq!(signed(-1_500), "-1.50 kB");
        assert_eq!(signed(20), "+20 B");
        assert_eq!(signed(0), "0 B");
        assert_eq!(reduction(98.1), "98.1 % smaller");
        assert_eq!(reduction(99.98), "99.98 % smaller");
        assert_eq!(reduction(-50.0), "50.0 % larger");
        assert_eq!(bits(1_000_000_000), "1G");
        assert_eq!(bits(2_500_000_000), "2500M");
        assert_eq!(bits(9601), "9601");
        assert_eq!(time(3.25), "3.2 ms");
        assert_eq!(time(1234.5), "1.2 s");
    }
}
