//! Parser directives: `# name=value` lines at the very top. The first line that is none ends them.

use std::ops::Range;

use super::ParseErrorKind;

/// One recognised directive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// Which.
    pub name: DirectiveName,
    /// The value as written, trimmed.
    pub value: Vec<u8>,
    /// The bytes of the value.
    pub range: Range<usize>,
    /// The line, from 1.
    pub line: usize,
}

/// The directives that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DirectiveName {
    /// `# syntax=`: the frontend that reads the file.
    Syntax,
    /// `# escape=`: the escape character.
    Escape,
    /// `# check=`: what the build checks do.
    Check,
}

impl DirectiveName {
    /// The name in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Escape => "escape",
            Self::Check => "check",
        }
    }
}

/// Recognises directives line by line until the first line that is none.
#[derive(Default)]
pub(super) struct Reader {
    seen: Vec<DirectiveName>,
    done: bool,
}

impl Reader {
    /// Reads a line that starts at `offset` of the file and has no white space in front and no ending.
    pub(super) fn read(
        &mut self,
        line: &[u8],
        offset: usize,
        number: usize,
    ) -> Result<Option<Directive>, ParseErrorKind> {
        if self.done {
            return Ok(None);
        }
        let Some((name, value)) = split(line) else {
            self.done = true;
            return Ok(None);
        };
        let name = match line[name].to_ascii_lowercase().as_slice() {
            b"syntax" => DirectiveName::Syntax,
            b"escape" => DirectiveName::Escape,
            b"check" => DirectiveName::Check,
            _ => {
                self.done = true;
                return Ok(None);
            }
        };
        if self.seen.contains(&name) {
            return Err(ParseErrorKind::DuplicateDirective(name.as_str().to_owned()));
        }
        self.seen.push(name);
        let range = offset + value.start..offset + value.end;
        Ok(Some(Directive {
            name,
            value: line[value].to_vec(),
            range,
            line: number,
        }))
    }
}

/// `#`, blanks, a name of letters and digits, blanks, `=`, blanks, a value.
fn split(line: &[u8]) -> Option<(Range<usize>, Range<usize>)> {
    let is_blank = |byte: &u8| matches!(byte, b'\t' | b'\n' | 0x0C | b'\r' | b' ');
    let skip = |from: usize| {
        line[from..]
            .iter()
            .position(|byte| !is_blank(byte))
            .map_or(line.len(), |at| from + at)
    };
    line.strip_prefix(b"#")?;
    let name_start = skip(1);
    if !line.get(name_start)?.is_ascii_alphabetic() {
        return None;
    }
    let name_end = line[name_start..]
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric())
        .map(|at| name_start + at)?;
    let equals = skip(name_end);
    if line.get(equals) != Some(&b'=') {
        return None;
    }
    let end = line.iter().rposition(|byte| !is_blank(byte))? + 1;
    // The value has at least one character; where only blanks follow, the last of them is it.
    let start = skip(equals + 1);
    let value = if start < end {
        start..end
    } else {
        line.len().checked_sub(1).filter(|at| *at > equals)?..line.len()
    };
    (!line[value.clone()].contains(&b'\n')).then_some((name_start..name_end, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_known_names_and_only_once() {
        let mut reader = Reader::default();
        let first = reader.read(b"# Syntax = docker/dockerfile:1  ", 0, 1);
        assert!(
            matches!(first, Ok(Some(Directive { name: DirectiveName::Syntax, ref range, .. })) if *range == (11..30))
        );
        assert_eq!(
            reader
                .read(b"#escape=`", 40, 2)
                .map(|found| found.map(|found| found.value)),
            Ok(Some(b"`".to_vec()))
        );
        assert!(reader.read(b"#syntax=b", 60, 3).is_err());
        assert_eq!(reader.read(b"# other=1", 80, 4), Ok(None));
        assert_eq!(reader.read(b"# check=skip=all", 90, 5), Ok(None));
    }
}
