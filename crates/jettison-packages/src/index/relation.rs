//! Relations between packages: `Depends`, `Provides` and their kin
//! (deb-control(5), Debian policy §7.1).

use std::cmp::Ordering;
use std::fmt;

use super::Version;

/// One alternative: a package, perhaps with a version bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// The package's name.
    pub name: String,
    /// `:any`, `:native` or an architecture after the name.
    pub architecture: Option<String>,
    /// The bound on the version.
    pub bound: Option<(Operator, Version)>,
}

/// How a version is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `<<`
    Less,
    /// `<=`, and the old `<`
    LessOrEqual,
    /// `=`
    Equal,
    /// `>=`, and the old `>`
    GreaterOrEqual,
    /// `>>`
    Greater,
}

impl Relation {
    /// Whether a version satisfies the bound.
    pub fn admits(&self, version: &Version) -> bool {
        let Some((operator, bound)) = &self.bound else {
            return true;
        };
        let order = version.cmp(bound);
        match operator {
            Operator::Less => order == Ordering::Less,
            Operator::LessOrEqual => order != Ordering::Greater,
            Operator::Equal => order == Ordering::Equal,
            Operator::GreaterOrEqual => order != Ordering::Less,
            Operator::Greater => order == Ordering::Greater,
        }
    }
}

impl Operator {
    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Less => "<<",
            Self::LessOrEqual => "<=",
            Self::Equal => "=",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">>",
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::error::escape(&self.name))?;
        if let Some(architecture) = &self.architecture {
            write!(f, ":{}", crate::error::escape(architecture))?;
        }
        match &self.bound {
            Some((operator, version)) => write!(f, " ({} {version})", operator.symbol()),
            None => Ok(()),
        }
    }
}

/// Reads a relation field: groups apart by commas must all hold, alternatives
/// apart by `|` need one. Alternatives that cannot be read are left out.
pub fn parse_relations(field: &str) -> Vec<Vec<Relation>> {
    field
        .split(',')
        .map(|group| group.split('|').filter_map(parse_relation).collect())
        .filter(|group: &Vec<_>| !group.is_empty())
        .collect()
}

fn parse_relation(text: &str) -> Option<Relation> {
    let text = text.trim();
    let end = text
        .find(|c: char| c.is_whitespace() || "([<".contains(c))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let (name, architecture) = match name.split_once(':') {
        Some((name, architecture)) => (name, Some(architecture.to_owned())),
        None => (name, None),
    };
    if name.is_empty() {
        return None;
    }
    let bound = match rest.trim_start().strip_prefix('(') {
        Some(rest) => {
            let inner = rest.split_once(')')?.0.trim();
            let end = inner.find(|c| !"<>=".contains(c))?;
            let operator = match &inner[..end] {
                "<<" => Operator::Less,
                "<=" | "<" => Operator::LessOrEqual,
                "=" => Operator::Equal,
                ">=" | ">" => Operator::GreaterOrEqual,
                ">>" => Operator::Greater,
                _ => return None,
            };
            Some((operator, Version::new(inner[end..].trim())))
        }
        None => None,
    };
    Some(Relation {
        name: name.to_owned(),
        architecture,
        bound,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations() {
        #[track_caller]
        fn check(field: &str, expected: &str) {
            let show = |r: &Relation| {
                let bound = r
                    .bound
                    .as_ref()
                    .map(|(o, v)| format!(" {o:?} {v}"))
                    .unwrap_or_default();
                let architecture = r
                    .architecture
                    .as_ref()
                    .map(|a| format!(":{a}"))
                    .unwrap_or_default();
                format!("{}{architecture}{bound}", r.name)
            };
            let groups: Vec<String> = parse_relations(field)
                .iter()
                .map(|group| group.iter().map(show).collect::<Vec<_>>().join(" | "))
                .collect();
            assert_eq!(groups.join(", "), expected, "{field}");
        }
        check(
            "libc6 (>= 2.36), libssl3 | libssl1.1 (<<3)",
            "libc6 GreaterOrEqual 2.36, libssl3 | libssl1.1 Less 3",
        );
        check("python3:any (>= 3.9~)", "python3:any GreaterOrEqual 3.9~");
        check(
            "debconf (>= 0.5) | debconf-2.0\n , a [amd64] <!nocheck>",
            "debconf GreaterOrEqual 0.5 | debconf-2.0, a",
        );
        check(
            "mail-transport-agent (= 1:2)",
            "mail-transport-agent Equal 1:2",
        );
        check(", ,(>= 1), b (?? 1), c (", "");
        check("", "");
    }

    #[test]
    fn bounds() {
        for (bound, version, expected) in [
            ("a (>= 1.0)", "1.0", true),
            ("a (>> 1.0)", "1.0", false),
            ("a (<< 1.0)", "1.0~rc1", true),
            ("a (= 1.0)", "1.0-1", false),
            ("a", "0", true),
        ] {
            let relation = &parse_relations(bound)[0][0];
            assert_eq!(
                relation.admits(&Version::new(version)),
                expected,
                "{bound} {version}"
            );
        }
    }
}
