//! Committed result data as Markdown tables. The unit of a column is the end of its key: `_s`, `_bytes`, `_mb`, `_ratio`; a text
//! is shown as it is.

use serde_json::{Map, Value};

/// The rows of a result: `subject`, then every column in the order in which the rows name it first.
pub(crate) fn figures(result: &Value) -> Result<String, String> {
    let rows: Vec<&Map<String, Value>> = array(result, "rows")?
        .iter()
        .filter_map(Value::as_object)
        .collect();
    let mut columns: Vec<&str> = Vec::new();
    for key in rows.iter().flat_map(|row| row.keys()) {
        if key != "what" && !columns.contains(&key.as_str()) {
            columns.push(key);
        }
    }
    let mut head = vec![text(result, "subject").unwrap_or("what").to_owned()];
    head.extend(columns.iter().map(|column| heading(column)));
    let mut lines = vec![row(&head), rule(&columns)];
    for figures in rows {
        let what = figures
            .get("what")
            .and_then(Value::as_str)
            .ok_or("a row without `what`")?;
        let mut cells = vec![escape(what)];
        cells.extend(columns.iter().map(|column| {
            figures
                .get(*column)
                .map_or_else(String::new, |value| cell(column, value))
        }));
        lines.push(row(&cells));
    }
    if let Some(circumstances) = circumstances(result) {
        lines.extend([String::new(), circumstances]);
    }
    Ok(lines.join("\n"))
}

/// What the figures were to reach, and whether they do.
pub(crate) fn goals(result: &Value) -> Result<String, String> {
    let mut lines = vec![
        row(&["goal", "at most", "measured", "reached"].map(str::to_owned)),
        rule(&["", "", ""]),
    ];
    for goal in result["goals"].as_array().into_iter().flatten() {
        let unit = text(goal, "unit").unwrap_or_default();
        let number = |key: &str| {
            goal[key].as_f64().map_or_else(
                || "not measured".to_owned(),
                |value| format!("{value:.2} {unit}"),
            )
        };
        let reached = if goal["met"].as_bool() == Some(true) {
            "yes"
        } else {
            "no"
        };
        let what = text(goal, "what").ok_or("a goal without `what`")?;
        lines.push(row(&[
            escape(what),
            number("limit"),
            number("measured"),
            reached.to_owned(),
        ]));
    }
    Ok(lines.join("\n"))
}

fn circumstances(result: &Value) -> Option<String> {
    let machine = &result["machine"];
    let runs = result["runs"].as_u64()?;
    let measured = match runs {
        1 => "One run".to_owned(),
        runs => format!("Medians of {runs} runs"),
    };
    Some(format!(
        "{measured} on {} cores ({}), Linux {}.",
        machine["cores"].as_u64()?,
        escape(text(machine, "processor")?),
        escape(text(machine, "kernel")?),
    ))
}

fn heading(column: &str) -> String {
    let (name, unit) = match column.rsplit_once('_') {
        Some((name, "s")) => (name, " (s)"),
        Some((name, "bytes")) => (name, " (MB)"),
        Some((name, "mb")) => (name, " (MB)"),
        Some((name, "ratio")) => (name, " (times)"),
        _ => (column, ""),
    };
    let name = name.replace('_', " ").replace("cpu", "CPU");
    format!("{name}{unit}")
}

fn cell(column: &str, value: &Value) -> String {
    let Some(number) = value.as_f64() else {
        return escape(value.as_str().unwrap_or_default());
    };
    // MB as Docker prints them.
    if column.ends_with("_bytes") {
        return format!("{:.2}", number / 1e6);
    }
    if column.ends_with("_s") || column.ends_with("_ratio") {
        return format!("{number:.2}");
    }
    format!("{number}")
}

fn row(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

fn rule(columns: &[&str]) -> String {
    format!("|---|{}", "---:|".repeat(columns.len()))
}

fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value[key].as_str()
}

fn array<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>, String> {
    value[key]
        .as_array()
        .ok_or_else(|| format!("`{key}` is not a list"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{figures, goals};

    #[test]
    fn units_come_from_the_keys() {
        let result = json!({
            "subject": "tool",
            "runs": 5,
            "machine": {"cores": 2, "processor": "A|B", "kernel": "6.18"},
            "rows": [
                {"what": "ours", "cpu_s": 0.125, "wire_bytes": 2_345_678, "peak_mb": 12},
                {"what": "theirs", "cpu_s": 1.0, "note": "a\nb"},
            ],
        });
        assert_eq!(
            figures(&result).expect("a table"),
            "| tool | CPU (s) | wire (MB) | peak (MB) | note |\n|---|---:|---:|---:|---:|\n\
             | ours | 0.12 | 2.35 | 12 |  |\n| theirs | 1.00 |  |  | a b |\n\n\
             Medians of 5 runs on 2 cores (A\\|B), Linux 6.18."
        );
    }

    #[test]
    fn goals_say_whether_they_are_reached() {
        let result = json!({"goals": [
            {"what": "wire", "limit": 2.4, "measured": 2.1, "unit": "MB", "met": true},
            {"what": "cpu", "limit": 1, "measured": null, "unit": "s", "met": false},
        ]});
        assert_eq!(
            goals(&result).expect("a table"),
            "| goal | at most | measured | reached |\n|---|---:|---:|---:|\n\
             | wire | 2.40 MB | 2.10 MB | yes |\n| cpu | 1.00 s | not measured | no |"
        );
    }

    #[test]
    fn malformed_results_are_said() {
        assert_eq!(figures(&json!({})), Err("`rows` is not a list".to_owned()));
        assert_eq!(
            figures(&json!({"rows": [{"cpu_s": 1}]})),
            Err("a row without `what`".to_owned())
        );
    }
}
