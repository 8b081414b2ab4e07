//! The one-line format: `deb [option=value …] URI suite [component …]`.

use super::{SignedBy, Source, Sources};
use crate::Location;

/// Reads a `.list` file into `found`. Lines that are no binary source or are
/// not understood are skipped with a note; `deb-src` is skipped silently.
pub fn parse_list(file: &str, text: &str, found: &mut Sources) {
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with("deb-src") {
            continue;
        }
        match parse_line(line) {
            Ok(source) => found.sources.push(source),
            Err(problem) => found.note(file, number + 1, problem),
        }
    }
}

fn parse_line(line: &str) -> Result<Source, String> {
    let rest = line
        .strip_prefix("deb")
        .filter(|rest| rest.starts_with([' ', '\t', '[']))
        .ok_or("not a `deb` line")?
        .trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest
            .split_once(']')
            .ok_or("the options are not closed by `]`")?,
        None => ("", rest),
    };
    // A cdrom's name may hold blanks, in brackets.
    if rest.trim_start().starts_with("cdrom:") {
        return Err("`cdrom:` sources are not read".into());
    }
    let mut words = rest.split_ascii_whitespace();
    let root = Location::parse(words.next().ok_or("no URI")?)?;
    let suite = words.next().ok_or("no suite")?.to_owned();
    let components: Vec<String> = words.map(str::to_owned).collect();
    if components.is_empty() != suite.ends_with('/') {
        return Err("a suite needs components, a flat archive (`…/`) has none".into());
    }
    let mut source = Source {
        root,
        suite,
        components,
        architectures: Vec::new(),
        signed_by: None,
        trusted: false,
    };
    for option in options.split_ascii_whitespace() {
        let (name, value) = option.split_once('=').ok_or("an option without `=`")?;
        match name.to_ascii_lowercase().as_str() {
            "arch" => source.architectures = value.split(',').map(str::to_owned).collect(),
            // `arch+=` and `arch-=` change the machine's own list, which every
            // Debian archive serves.
            "arch+" | "arch-" => {}
            "signed-by" => source.signed_by = SignedBy::parse(value),
            "trusted" => source.trusted = super::stanza::is_yes(value),
            _ => {}
        }
    }
    Ok(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let got = match parse_line(line) {
            Ok(s) => format!(
                "{} {} {} arch={} {:?}{}",
                s.root,
                s.suite,
                s.components.join(","),
                s.architectures.join(","),
                s.signed_by,
                if s.trusted { " trusted" } else { "" }
            ),
            Err(problem) => format!("! {problem}"),
        };
        assert_eq!(got, expected);
    }

    #[test]
    fn lines() {
        check(
            "deb http://m.example/debian/ bookworm main contrib",
            "http://m.example/debian bookworm main,contrib arch= None",
        );
        check(
            "deb [arch=amd64,arm64 signed-by=/k/a.gpg trusted=yes] https://m/d trixie main",
            "https://m/d trixie main arch=amd64,arm64 Some(Files([\"/k/a.gpg\"])) trusted",
        );
        check(
            "deb [ signed-by=ABCD,EF! ] https://m/d trixie main",
            "https://m/d trixie main arch= Some(Fingerprints([\"ABCD\", \"EF\"]))",
        );
        check("deb https://m/d ./", "https://m/d ./  arch= None");
        check(
            "deb https://m/d bookworm",
            "! a suite needs components, a flat archive (`…/`) has none",
        );
        check(
            "deb [arch=amd64 https://m/d bookworm main",
            "! the options are not closed by `]`",
        );
        check(
            "deb cdrom:[Debian 12 _x_]/ bookworm main",
            "! `cdrom:` sources are not read",
        );
        check("debx https://m/d bookworm main", "! not a `deb` line");
        check("deb", "! not a `deb` line");
        check("deb [] ", "! no URI");
    }

    #[test]
    fn comments_and_sources_are_skipped() {
        let mut found = Sources::default();
        let text = "# deb http://a/d x main\n\ndeb-src http://a/d x main\nnonsense \u{1b}[2J\n\
                    deb http://a/d x main # tail\n";
        parse_list("a.list", text, &mut found);
        assert_eq!(found.sources.len(), 1);
        assert_eq!(found.notes, ["a.list:4: not a `deb` line"]);
    }
}
