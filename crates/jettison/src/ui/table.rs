//! Plain text tables: cells escaped, columns aligned, no borders to copy around.

use super::escape;

/// Rows of equal length under a head.
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    total: Option<Vec<String>>,
}

struct Column {
    head: String,
    right: bool,
}

impl Table {
    /// A table with these heads; a head that begins with `>` is aligned right.
    pub fn new(heads: &[&str]) -> Self {
        let column = |head: &&str| Column {
            head: escape::line(head.strip_prefix('>').unwrap_or(head)).into_owned(),
            right: head.starts_with('>'),
        };
        Self {
            columns: heads.iter().map(column).collect(),
            rows: Vec::new(),
            total: None,
        }
    }

    /// Adds a row; missing cells are empty.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let row = self.cells(cells);
        self.rows.push(row);
    }

    /// Adds the last row, set off by a rule.
    pub fn total<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.total = Some(self.cells(cells));
    }

    fn cells<S: Into<String>>(&self, cells: impl IntoIterator<Item = S>) -> Vec<String> {
        let mut row: Vec<String> = cells
            .into_iter()
            .map(|cell| escape::line(&cell.into()).into_owned())
            .collect();
        row.resize(self.columns.len(), String::new());
        row
    }

    /// The lines of the table, each ended by a line feed.
    pub fn render(&self) -> String {
        let heads: Vec<String> = self.columns.iter().map(|c| c.head.clone()).collect();
        let all = || std::iter::once(&heads).chain(&self.rows).chain(&self.total);
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|at| all().map(|row| row[at].chars().count()).max().unwrap_or(0))
            .collect();
        let rule = "─".repeat(widths.iter().sum::<usize>() + 2 * (widths.len().max(1) - 1));
        let mut out = String::new();
        self.line(&heads, &widths, &mut out);
        out.push_str(&rule);
        out.push('\n');
        for row in &self.rows {
            self.line(row, &widths, &mut out);
        }
        if let Some(total) = &self.total {
            out.push_str(&rule);
            out.push('\n');
            self.line(total, &widths, &mut out);
        }
        out
    }

    fn line(&self, row: &[String], widths: &[usize], out: &mut String) {
        let mut line = String::new();
        for (at, ((cell, column), &width)) in row.iter().zip(&self.columns).zip(widths).enumerate()
        {
            if at > 0 {
                line.push_str("  ");
            }
            let padding = " ".repeat(width - cell.chars().count());
            if column.right {
                line.push_str(&padding);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&padding);
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn columns_line_up_and_cells_are_escaped() {
        let mut table = Table::new(&["component", ">size"]);
        table.row(["binary\x1b[2J", "5.3 MB"]);
        table.row(["a", "12 B"]);
        table.total(["total", "5.3 MB"]);
        assert_eq!(
            table.render(),
            "component        size\n\
             ─────────────────────\n\
             binary\\x1b[2J  5.3 MB\n\
             a                12 B\n\
             ─────────────────────\n\
             total          5.3 MB\n"
        );
    }
}
