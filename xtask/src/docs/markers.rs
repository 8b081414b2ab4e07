//! Generated parts of hand-written pages: what stands between `<!-- generated: NAME -->` and `<!-- end of generated: NAME -->`.

use std::collections::BTreeMap;

/// The page with every part as it should be, or nothing when it has no such part.
pub(crate) fn fill(text: &str, parts: &BTreeMap<String, String>) -> Result<Option<String>, String> {
    let mut filled = String::with_capacity(text.len());
    let mut lines = text.lines();
    let mut found = false;
    while let Some(line) = lines.next() {
        filled.push_str(line);
        filled.push('\n');
        let Some(name) = name_in(line, "generated: ") else {
            continue;
        };
        found = true;
        let part = parts
            .get(name)
            .ok_or_else(|| format!("nothing generates `{name}`"))?;
        filled.push('\n');
        filled.push_str(part.trim_end());
        filled.push_str("\n\n");
        loop {
            let line = lines
                .next()
                .ok_or_else(|| format!("the generated part `{name}` has no end"))?;
            if name_in(line, "end of generated: ") == Some(name) {
                filled.push_str(line);
                filled.push('\n');
                break;
            }
        }
    }
    Ok(found.then_some(filled))
}

fn name_in<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    line.trim()
        .strip_prefix("<!-- ")?
        .strip_suffix(" -->")?
        .strip_prefix(word)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::fill;

    fn check(text: &str, expected: Result<Option<&str>, &str>) {
        let parts = BTreeMap::from([("sizes".to_owned(), "| a |\n".to_owned())]);
        let expected = expected
            .map(|text| text.map(str::to_owned))
            .map_err(str::to_owned);
        assert_eq!(fill(text, &parts), expected);
    }

    #[test]
    fn parts_are_filled_and_stay_filled() {
        let filled =
            "x\n<!-- generated: sizes -->\n\n| a |\n\n<!-- end of generated: sizes -->\ny\n";
        check(
            "x\n<!-- generated: sizes -->\nold\n<!-- end of generated: sizes -->\ny\n",
            Ok(Some(filled)),
        );
        check(filled, Ok(Some(filled)));
        check("nothing here\n", Ok(None));
    }

    #[test]
    fn mistakes_are_named() {
        check(
            "<!-- generated: sizes -->\n",
            Err("the generated part `sizes` has no end"),
        );
        check(
            "<!-- generated: size -->\n<!-- end of generated: size -->",
            Err("nothing generates `size`"),
        );
    }
}
