//! The words that buildx separates by commas: `type=oci,dest=x.tar`, a field
//! with a comma in quotation marks (Go's encoding/csv, one record).

use crate::failure::Failure;

/// A value of a flag, field by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    flag: &'static str,
    text: String,
    /// Keys in lower case, in the order in which they stand.
    pairs: Vec<(String, String)>,
}

impl Fields {
    /// Reads `KEY=VALUE,…`.
    pub fn parse(flag: &'static str, text: &str) -> Result<Self, Failure> {
        let wrong = |problem: String| Failure::new(format!("{flag}: `{text}` {problem}"));
        let mut pairs: Vec<(String, String)> = Vec::new();
        for field in split(text).map_err(|problem| wrong(problem.to_owned()))? {
            let (key, value) = field
                .split_once('=')
                .ok_or_else(|| wrong(format!("has `{field}`, which is not KEY=VALUE")))?;
            let key = key.trim().to_ascii_lowercase();
            // What is said twice means its last word in buildx; here it is a mistake.
            if pairs.iter().any(|(known, _)| *known == key) {
                return Err(wrong(format!("says `{key}` twice")));
            }
            pairs.push((key, value.to_owned()));
        }
        Ok(Self {
            flag,
            text: text.to_owned(),
            pairs,
        })
    }

    /// Takes the value of a key.
    pub fn take(&mut self, key: &str) -> Option<String> {
        let at = self.pairs.iter().position(|(known, _)| known == key)?;
        Some(self.pairs.remove(at).1)
    }

    /// Takes a truth value as Go's `strconv.ParseBool` reads it.
    pub fn take_bool(&mut self, key: &str) -> Result<Option<bool>, Failure> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        match value.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Some(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Some(false)),
            _ => Err(self.wrong(format!("says {key}={value}, which is not true or false"))),
        }
    }

    /// Refuses what is left, naming what there is.
    pub fn end(self, known: &str) -> Result<(), Failure> {
        match self.pairs.first() {
            None => Ok(()),
            Some((key, _)) => Err(self
                .wrong(format!("has the key `{key}`, which means nothing here"))
                .with_hint(format!("the keys are {known}"))),
        }
    }

    /// What is wrong with the value of the flag.
    pub fn wrong(&self, problem: impl std::fmt::Display) -> Failure {
        Failure::new(format!("{}: `{}` {problem}", self.flag, self.text))
    }
}

/// The fields of one record.
pub fn split(text: &str) -> Result<Vec<String>, &'static str> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => in_quotes(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                let (field, after) = rest.split_at(end);
                if field.contains('"') {
                    return Err("has a quotation mark inside a field that does not begin with one");
                }
                (field.to_owned(), after)
            }
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Ok(fields),
        }
    }
}

/// A field to its closing mark, a doubled one meaning itself.
fn in_quotes(text: &str) -> Result<(String, &str), &'static str> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let end = rest
            .find('"')
            .ok_or("has a quotation mark that is not closed")?;
        field.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None if rest.is_empty() || rest.starts_with(',') => return Ok((field, rest)),
            None => return Err("has something between a closing quotation mark and the comma"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_as_go_reads_them() {
        for (text, expected) in [
            ("a", Some(vec!["a"])),
            ("a,b", Some(vec!["a", "b"])),
            (
                r#"type=image,"name=a,b",c"#,
                Some(vec!["type=image", "name=a,b", "c"]),
            ),
            (r#""a""b""#, Some(vec![r#"a"b"#])),
            ("a,", Some(vec!["a", ""])),
            ("", Some(vec![""])),
            (r#"a"b"#, None),
            (r#""a"b"#, None),
            (r#""a"#, None),
        ] {
            let found = split(text).ok();
            let expected = expected.map(|all| all.into_iter().map(str::to_owned).collect());
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn keys() {
        let mut fields = Fields::parse("--x", "TYPE=a, dest =b,push=T").expect("fields");
        assert_eq!(fields.take("type").as_deref(), Some("a"));
        assert_eq!(fields.take("dest").as_deref(), Some("b"));
        assert_eq!(fields.take_bool("push").expect("a truth"), Some(true));
        assert!(fields.end("none").is_ok());
        for wrong in ["a", "a=1,a=2", "a=1,"] {
            assert!(Fields::parse("--x", wrong).is_err(), "{wrong}");
        }
        let mut fields = Fields::parse("--x", "push=yes,other=1").expect("fields");
        assert!(fields.take_bool("push").is_err());
        assert!(fields.end("push").is_err());
    }
}
