//! What makes one image larger than another, by package: which went, which
//! came, which have another size. Files of no package are a row as well, so
//! that the rows add up to the difference of the images.

use std::collections::{BTreeMap, BTreeSet};

use super::value::{Mover, Movers};
use crate::inspect::{Inspection, PackageRow};

/// A package whatever its version; versions side by side are one.
type Key<'a> = (Option<&'static str>, &'a str);

#[derive(Default, Clone)]
struct Held<'a> {
    versions: BTreeSet<&'a str>,
    bytes: u64,
}

/// Every further image against the first.
pub(super) fn movers(inspections: &[Inspection], rows: usize) -> Vec<Movers> {
    let Some((first, others)) = inspections.split_first() else {
        return Vec::new();
    };
    let before = packages(&first.packages);
    let against = |(at, other): (usize, &Inspection)| {
        between(at + 1, &before, &packages(&other.packages), rows)
    };
    others.iter().enumerate().map(against).collect()
}

fn packages(rows: &[PackageRow]) -> BTreeMap<Key<'_>, Held<'_>> {
    let mut packages: BTreeMap<Key<'_>, Held<'_>> = BTreeMap::new();
    for row in rows {
        let held = packages.entry((row.kind, row.name.as_str())).or_default();
        held.bytes = held.bytes.saturating_add(row.unpacked_bytes);
        held.versions.insert(&row.version);
    }
    packages
}

fn between(
    image: usize,
    before: &BTreeMap<Key<'_>, Held<'_>>,
    after: &BTreeMap<Key<'_>, Held<'_>>,
    most: usize,
) -> Movers {
    let keys: BTreeSet<&Key<'_>> = before.keys().chain(after.keys()).collect();
    let changes = keys
        .into_iter()
        .filter_map(|key| mover(*key, before.get(key), after.get(key)));
    let mut rows: Vec<Mover> = changes.collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.change_bytes.unsigned_abs()));
    let sum = |rows: &[Mover]| {
        let changes = rows.iter().map(|row| row.change_bytes);
        changes.fold(0_i64, i64::saturating_add)
    };
    let total_bytes = sum(&rows);
    let more = rows.split_off(most.min(rows.len()));
    Movers {
        image,
        rows,
        more: more.len() as u64,
        more_bytes: sum(&more),
        total_bytes,
    }
}

fn mover(key: Key<'_>, before: Option<&Held<'_>>, after: Option<&Held<'_>>) -> Option<Mover> {
    let (before_bytes, bytes) = (
        before.map_or(0, |held| held.bytes),
        after.map_or(0, |held| held.bytes),
    );
    let change = match (before, after) {
        // Files of no package are not a thing that comes or goes.
        _ if key.0.is_none() && before_bytes == bytes => return None,
        (Some(_), None) if key.0.is_some() => "went",
        (None, Some(_)) if key.0.is_some() => "came",
        _ if bytes > before_bytes => "grew",
        _ if bytes < before_bytes => "shrank",
        (Some(before), Some(after)) if before.versions != after.versions => "changed",
        _ => return None,
    };
    let versions = |held: Option<&Held<'_>>| -> Vec<String> {
        let versions = held.into_iter().flat_map(|held| &held.versions);
        let named = versions.filter(|version| !version.is_empty());
        named.map(|version| (*version).to_owned()).collect()
    };
    Some(Mover {
        change,
        kind: key.0,
        name: key.1.to_owned(),
        before_versions: versions(before),
        versions: versions(after),
        before_bytes,
        bytes,
        change_bytes: difference(before_bytes, bytes),
    })
}

fn difference(before: u64, after: u64) -> i64 {
    let clamp = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    clamp(after) - clamp(before)
}

#[cfg(test)]
mod tests {
    use super::{between, packages};
    use crate::inspect::PackageRow;

    fn row(kind: Option<&'static str>, name: &str, version: &str, bytes: u64) -> PackageRow {
        PackageRow {
            kind,
            name: name.to_owned(),
            version: version.to_owned(),
            purl: None,
            files: 1,
            unpacked_bytes: bytes,
            wire_bytes: 0,
        }
    }

    #[test]
    fn packages_went_came_and_grew_biggest_first() {
        let deb = Some("deb");
        let before = [
            row(None, "", "", 10),
            row(deb, "gcc", "12", 500),
            row(deb, "libc6", "2.36", 100),
            row(deb, "same", "1", 7),
            row(deb, "other-version", "1", 7),
            row(Some("npm"), "ms", "1.0", 3),
            row(Some("npm"), "ms", "2.0", 3),
        ];
        let after = [
            row(None, "", "", 40),
            row(deb, "musl", "1.2", 60),
            row(deb, "libc6", "2.40", 90),
            row(deb, "same", "1", 7),
            row(deb, "other-version", "2", 7),
            row(Some("npm"), "ms", "2.0", 3),
        ];
        let found = between(1, &packages(&before), &packages(&after), 4);
        let shown: Vec<_> = found
            .rows
            .iter()
            .map(|row| (row.change, row.name.as_str(), row.change_bytes))
            .collect();
        assert_eq!(
            shown,
            [
                ("went", "gcc", -500),
                ("came", "musl", 60),
                ("grew", "", 30),
                ("shrank", "libc6", -10),
            ]
        );
        assert_eq!((found.more, found.more_bytes), (2, -3));
        assert_eq!(found.total_bytes, -423);
        let all = between(1, &packages(&before), &packages(&after), 99);
        let ms = all.rows.iter().find(|row| row.name == "ms").unwrap();
        assert_eq!(
            (ms.change, &*ms.before_versions),
            ("shrank", &["1.0".to_owned(), "2.0".to_owned()][..])
        );
        assert!(all.rows.iter().any(|row| row.change == "changed"));
        assert!(
            between(1, &packages(&before), &packages(&before), 9)
                .rows
                .is_empty()
        );
    }
}
