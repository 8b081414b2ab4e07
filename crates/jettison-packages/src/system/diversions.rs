//! `dpkg-divert(1)`: files of packages that lie under another name. They are
//! written down; a file that would have to be moved is not.

use super::model::Model;

const RECORD: &[u8] = b"/var/lib/dpkg/diversions";

/// A diversion that is known.
pub(super) struct Diversion {
    from: Vec<u8>,
    pub(super) to: Vec<u8>,
    /// Who diverts; `:` stands for the administrator.
    pub(super) package: Vec<u8>,
}

/// The diversion of a path.
pub(super) fn of(model: &Model<'_>, path: &[u8]) -> Option<Diversion> {
    read(model).into_iter().find(|known| known.from == path)
}

fn read(model: &Model<'_>) -> Vec<Diversion> {
    let text = model.read(RECORD).unwrap_or_default();
    let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    let known = lines.chunks_exact(3).map(|lines| Diversion {
        from: lines[0].to_vec(),
        to: lines[1].to_vec(),
        package: lines[2].to_vec(),
    });
    known.collect()
}

/// Carries the command out; what was done. None where it is another one, or
/// where a file would have to be moved.
pub(super) fn divert(model: &mut Model<'_>, arguments: &[&str]) -> Option<String> {
    let (mut package, mut to, mut path) = (None, None, None);
    let (mut removes, mut moves) = (false, false);
    let mut rest = arguments.iter();
    while let Some(&word) = rest.next() {
        match word {
            "--add" | "--quiet" | "--no-rename" => {}
            "--remove" => removes = true,
            "--rename" => moves = true,
            "--local" => package = Some(":"),
            "--package" => package = Some(rest.next()?),
            "--divert" => to = Some((*rest.next()?).to_owned()),
            other if other.starts_with('-') => return None,
            other => path = Some(other),
        }
    }
    let (package, path) = (package.unwrap_or(":"), path?);
    if ![package, path].iter().all(|text| !text.contains('\n')) || !path.starts_with('/') {
        return None;
    }
    let mut known = read(model);
    let before = known.len();
    known.retain(|one| one.from != path.as_bytes());
    if removes && known.len() == before {
        return Some(format!("no diversion of {path}"));
    }
    // Whether it is the package's own file or another's cannot be told any more.
    if moves && model.find_link(path.as_bytes()).is_some() {
        return None;
    }
    let to = to.unwrap_or_else(|| format!("{path}.distrib"));
    if !removes {
        known.push(Diversion {
            from: path.as_bytes().to_vec(),
            to: to.clone().into_bytes(),
            package: package.as_bytes().to_vec(),
        });
    }
    let mut text = Vec::new();
    for one in known {
        for line in [one.from, one.to, one.package] {
            text.extend(line);
            text.push(b'\n');
        }
    }
    model.write(RECORD, text, 0o644);
    Some(format!("{path} is diverted to {to}"))
}
