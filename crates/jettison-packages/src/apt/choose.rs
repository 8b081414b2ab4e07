//! Which of the machine's sources make up one Debian release: the suite
//! itself, its security archive and its updates.
//!
//! Vendor repositories also call their suites `bookworm` and their component
//! `main`. The names of hosts say nothing (every company mirrors), so a source
//! is taken for Debian's by what apt itself was told: Debian's own keyring,
//! else a path that ends in `debian` or `debian-security`, else a companion
//! suite (`…-updates`, `…-security`) on the same root. A keyring of somebody
//! else's makes it doubtful and no more: companies sign their mirrors anew.
//! A wrong guess cannot hurt: its Release file does not verify.

use super::{SignedBy, Source};
use crate::{Error, Location};

/// What an archive holds of a release.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The release as it was published, with its point releases.
    Main,
    /// What is published between point releases.
    Updates,
    /// Security updates.
    Security,
}

/// One archive and suite to read packages from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// What it holds.
    pub role: Role,
    /// Mirrors of the same archive; each is tried in turn.
    pub roots: Vec<Location>,
    /// The suite as its directory under `dists` is called.
    pub suite: String,
    /// Whether its absence is an error. A security archive that was only
    /// guessed from a mirror's name need not be there.
    pub required: bool,
    /// Which keys apt believes for it.
    pub signed_by: Option<SignedBy>,
}

/// The archives of one release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archives {
    /// The release: a codename (`trixie`) or an alias (`stable`).
    pub suite: String,
    /// Main first.
    pub archives: Vec<Archive>,
    /// What a person should hear about the choice, escaped.
    pub notes: Vec<String>,
}

/// Picks the archives of a release among the machine's sources; without a
/// suite, the machine's own release. Sources that do not serve `architecture`
/// are left out.
pub fn choose(
    sources: &[Source],
    suite: Option<&str>,
    architecture: &str,
) -> Result<Archives, Error> {
    let mut skipped = Vec::new();
    let mut rated = Vec::new();
    for source in sources {
        match rate(source, sources, architecture) {
            Ok(known) => rated.push(known),
            Err(why) => skipped.push(source.note(&why)),
        }
    }
    keep_surest(&mut rated, &mut skipped);
    let is_main = |known: &&Rated<'_>| known.role == Role::Main;
    let suite = match (suite, rated.iter().find(is_main)) {
        (Some(suite), _) => suite,
        (None, Some(main)) => main.release,
        (None, None) => {
            skipped.extend(rated.iter().map(|known| known.source.note(NOT_MAIN)));
            return Err(Error::NoMirror {
                suite: None,
                skipped,
            });
        }
    };

    let mut archives: Vec<Archive> = Vec::new();
    for Rated {
        release,
        role,
        source,
        ..
    } in &rated
    {
        if *release != suite {
            skipped.push(source.note("it is another release"));
            continue;
        }
        match archives.iter_mut().find(|archive| archive.role == *role) {
            Some(archive) if archive.roots.contains(&source.root) => {}
            Some(archive) => archive.roots.push(source.root.clone()),
            None => archives.push(Archive {
                role: *role,
                roots: vec![source.root.clone()],
                suite: source.suite.clone(),
                required: true,
                signed_by: source.signed_by.clone(),
            }),
        }
    }
    archives.sort_by_key(|archive| archive.role);
    if archives.first().map(|archive| archive.role) != Some(Role::Main) {
        let of_suite = rated.iter().filter(|known| known.release == suite);
        skipped.extend(of_suite.map(|known| known.source.note(NOT_MAIN)));
        return Err(Error::NoMirror {
            suite: Some(suite.to_owned()),
            skipped,
        });
    }
    let mut notes = Vec::new();
    if !archives
        .iter()
        .any(|archive| archive.role == Role::Security)
    {
        notes.push(crate::error::escape(&format!(
            "the apt sources have no security archive for {suite}: its updates are not seen"
        )));
    }
    Ok(Archives {
        suite: suite.to_owned(),
        archives,
        notes,
    })
}

/// The archives below one mirror that was named. The security archive is
/// `security` when given, else looked for beside a root called `debian`.
pub fn from_mirror(mirror: &str, security: Option<&str>, suite: &str) -> Result<Archives, String> {
    let root = Location::parse(mirror)?;
    let (release, role) =
        split_suite(suite).ok_or_else(|| format!("`{suite}` is not a suite of a release"))?;
    if role != Role::Main {
        return Err(format!(
            "`{suite}` is not a release by itself; name `{release}`"
        ));
    }
    let archive = |role, root: &Location, suite: String, required| Archive {
        role,
        roots: vec![root.clone()],
        suite,
        required,
        signed_by: None,
    };
    let mut archives = vec![archive(Role::Main, &root, suite.to_owned(), true)];
    // Unstable has no updates and no security archive of its own.
    let mut notes = Vec::new();
    if !matches!(suite, "sid" | "unstable") {
        archives.push(archive(
            Role::Updates,
            &root,
            format!("{suite}-updates"),
            false,
        ));
        let beside = match &root {
            Location::Url(url) => url.strip_suffix("/debian").map(str::to_owned),
            Location::File(path) => path
                .to_str()
                .and_then(|p| p.strip_suffix("/debian"))
                .map(|p| format!("file:{p}")),
        };
        let named = security.map(Location::parse).transpose()?;
        let required = named.is_some();
        let guessed =
            beside.and_then(|parent| Location::parse(&format!("{parent}/debian-security")).ok());
        match named.or(guessed) {
            Some(root) => archives.push(archive(
                Role::Security,
                &root,
                format!("{suite}-security"),
                required,
            )),
            None => notes.push(crate::error::escape(&format!(
                "no security archive is known beside {root}: name it too, its updates are not seen"
            ))),
        }
    }
    Ok(Archives {
        suite: suite.to_owned(),
        archives,
        notes,
    })
}

/// Why updates alone are not enough.
const NOT_MAIN: &str = "it is not the release itself";

/// How sure it is that a source is Debian's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Evidence {
    /// Nothing speaks for it, nothing against it.
    Unknown,
    /// Its path or a companion suite says so, its keyring is another's.
    Likely,
    /// Its keyring says so; or its path or a companion, and no keyring is named.
    Debian,
}

/// A source that may be Debian's.
struct Rated<'a> {
    evidence: Evidence,
    release: &'a str,
    role: Role,
    source: &'a Source,
}

/// Or why it is not.
fn rate<'a>(source: &'a Source, all: &[Source], architecture: &str) -> Result<Rated<'a>, String> {
    let served = &source.architectures;
    if !served.is_empty() && !served.iter().any(|served| served == architecture) {
        return Err(format!("it does not serve {architecture}"));
    }
    let (release, role) = split_suite(&source.suite)
        .ok_or("its suite is no release, nor a release's updates or security archive")?;
    if !source.components.iter().any(|name| name == "main") {
        return Err("it has no component main".to_owned());
    }
    Ok(Rated {
        evidence: evidence(source, all)?,
        release,
        role,
        source,
    })
}

/// With a surer archive at hand the doubtful ones are vendors'. What counts is
/// the release itself: its updates alone are of no use.
fn keep_surest(rated: &mut Vec<Rated<'_>>, skipped: &mut Vec<String>) {
    let mains = rated.iter().filter(|known| known.role == Role::Main);
    let least = mains.map(|known| known.evidence).max();
    rated.retain(|known| {
        let keep = least.is_none_or(|least| known.evidence >= least);
        if !keep {
            let why = "another source is Debian's more surely";
            skipped.push(known.source.note(why));
        }
        keep
    });
}

fn evidence(source: &Source, all: &[Source]) -> Result<Evidence, String> {
    let files = match &source.signed_by {
        Some(SignedBy::Files(files)) => files.as_slice(),
        _ => &[],
    };
    if files.iter().any(|file| is_debian_keyring(file)) {
        return Ok(Evidence::Debian);
    }
    let looks = names_debian(&source.root) || has_companion(source, all);
    match (looks, files) {
        (true, []) => Ok(Evidence::Debian),
        (true, _) => Ok(Evidence::Likely),
        (false, []) => Ok(Evidence::Unknown),
        (false, files) => Err(format!(
            "its keyring {} is not Debian's, and neither its path nor another suite there says \
             that it is a mirror of Debian",
            files.join(", ")
        )),
    }
}

/// The names of the package debian-archive-keyring, less the keys that no
/// archive signs with any more.
fn is_debian_keyring(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.contains("debian-archive") && !name.contains("removed-keys")
}

fn has_companion(source: &Source, all: &[Source]) -> bool {
    all.iter().any(|other| {
        let (a, b) = (split_suite(&source.suite), split_suite(&other.suite));
        other.root == source.root
            && matches!((a, b), (Some((a, x)), Some((b, y))) if a == b && x != y)
    })
}

/// `…/debian`, `…/debian-security`, and snapshots (`…/debian/20250520T000000Z`).
fn names_debian(root: &Location) -> bool {
    let text = match root {
        // Only the path counts: vendors keep `linux/debian` apart by path, and
        // hosts called debian are anybody's.
        Location::Url(url) => url.split_once("://").map_or("", |(_, rest)| rest),
        Location::File(path) => path.to_str().unwrap_or_default(),
    };
    let path = text.split_once('/').map_or("", |(_, path)| path);
    let mut parts = path
        .split('/')
        .filter(|part| !part.is_empty())
        .rev()
        .peekable();
    if parts.peek().is_some_and(|last| is_snapshot_time(last)) {
        parts.next();
    }
    let Some(last) = parts.next() else {
        return false;
    };
    let vendor = parts
        .next()
        .is_some_and(|above| above == "linux" || above == "repos");
    matches!(last, "debian" | "debian-security") && !vendor
}

fn is_snapshot_time(part: &str) -> bool {
    part.len() == 16
        && part.ends_with('Z')
        && part.bytes().enumerate().all(|(at, b)| match at {
            8 => b == b'T',
            15 => true,
            _ => b.is_ascii_digit(),
        })
}

/// The release and the role of a suite's name; none for backports, proposed
/// updates and flat archives.
fn split_suite(suite: &str) -> Option<(&str, Role)> {
    let old_security = suite.strip_suffix("/updates");
    if let Some(release) = old_security.or_else(|| suite.strip_suffix("-security")) {
        return Some((release, Role::Security));
    }
    if let Some(release) = suite.strip_suffix("-updates") {
        return (!release.ends_with("-proposed")).then_some((release, Role::Updates));
    }
    let plain = !suite.is_empty()
        && suite
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    plain.then_some((suite, Role::Main))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apt::Sources;

    fn show(archives: &Archives) -> Vec<String> {
        let line = |a: &Archive| {
            let roots: Vec<_> = a.roots.iter().map(ToString::to_string).collect();
            format!("{:?} {} {}", a.role, a.suite, roots.join("|"))
        };
        archives.archives.iter().map(line).collect()
    }

    #[track_caller]
    fn check(list: &str, suite: Option<&str>, expected: &[&str]) {
        let mut found = Sources::default();
        found.read("x.list", list);
        assert_eq!(found.notes, Vec::<String>::new());
        let got = match choose(&found.sources, suite, "amd64") {
            Ok(archives) => show(&archives),
            Err(error) => vec![format!("! {error}")],
        };
        assert_eq!(got, expected);
    }

    #[test]
    fn debian_among_vendors() {
        let vendors = "deb [signed-by=/k/vendor.gpg] https://v/debian/12/prod bookworm main\n\
            deb https://d/linux/debian bookworm main stable\n\
            deb https://pg/pub/repos/apt bookworm-pgdg main\n";
        let main = ["Main bookworm http://m/debian"];
        check(
            &format!("{vendors}deb http://m/debian bookworm main\n"),
            None,
            &main,
        );
        check(
            &format!(
                "{vendors}deb http://m/debian-security bookworm-security main\n\
                 deb http://m/debian bookworm main contrib\n\
                 deb http://m2/debian bookworm main\n\
                 deb http://m/debian bookworm-updates main\n\
                 deb http://m/debian bookworm-backports main\n\
                 deb http://m/debian trixie main\n"
            ),
            Some("bookworm"),
            &[
                "Main bookworm http://m/debian|http://m2/debian",
                "Updates bookworm-updates http://m/debian",
                "Security bookworm-security http://m/debian-security",
            ],
        );
        // A company's proxy with an own path: told by the companion suite.
        check(
            "deb https://art/api/deb-remote trixie main\n\
             deb https://art/api/deb-remote trixie-updates main\n\
             deb https://tool/apt trixie main\n",
            None,
            &[
                "Main trixie https://art/api/deb-remote",
                "Updates trixie-updates https://art/api/deb-remote",
            ],
        );
        check(
            "deb https://tool/apt stable main\n",
            None,
            &["Main stable https://tool/apt"],
        );
    }

    #[test]
    fn without_a_debian_archive() {
        check("", None, &["! no Debian archive is known"]);
        let check = |list: &str, suite: Option<&str>, first: &str, passed_over: &[&str]| {
            let lines: String = passed_over
                .iter()
                .map(|line| format!("; passed over {line}"))
                .collect();
            check(list, suite, &[&format!("! {first}{lines}")]);
        };
        check(
            "deb [signed-by=/k/v.gpg] https://v/apt bookworm main\n",
            Some("bookworm"),
            "no Debian archive is known for bookworm",
            &[
                "https://v/apt bookworm: its keyring /k/v.gpg is not Debian's, and neither its path \
               nor another suite there says that it is a mirror of Debian",
            ],
        );
        check(
            "deb [arch=arm64] https://v/debian bookworm main\n\
             deb https://v/debian bookworm contrib\ndeb https://v/debian bookworm-backports main\n",
            None,
            "no Debian archive is known",
            &[
                "https://v/debian bookworm: it does not serve amd64",
                "https://v/debian bookworm: it has no component main",
                "https://v/debian bookworm-backports: its suite is no release, nor a release's \
                 updates or security archive",
            ],
        );
        check(
            "deb http://m/debian bookworm main\ndeb http://m/debian trixie-updates main\n",
            Some("trixie"),
            "no Debian archive is known for trixie",
            &[
                "http://m/debian bookworm: it is another release",
                "http://m/debian trixie-updates: it is not the release itself",
            ],
        );
    }

    #[test]
    fn keyrings_of_companies_and_of_old() {
        // A mirror that a company signed anew, among its other archives.
        check(
            "deb [signed-by=/k/company.gpg] https://m/debian bookworm main\n\
             deb [signed-by=/k/company.gpg] https://m/debian-security bookworm-security main\n\
             deb [signed-by=/k/company.gpg] https://m/tools bookworm main\n\
             deb https://other/tools bookworm main\n",
            None,
            &[
                "Main bookworm https://m/debian",
                "Security bookworm-security https://m/debian-security",
            ],
        );
        // Debian's own keyring is surer than a path, keys of old are nobody's.
        let keys = "/usr/share/keyrings/debian-archive";
        check(
            &format!(
                "deb [signed-by={keys}-removed-keys.gpg] http://old/debian bookworm main\n\
                 deb [signed-by=/k/vendor.gpg] https://v/debian bookworm main\n\
                 deb [signed-by={keys}-keyring.gpg] http://m/d bookworm main\n"
            ),
            None,
            &["Main bookworm http://m/d"],
        );
    }

    #[test]
    fn a_mirror_that_was_named() {
        #[track_caller]
        fn check(
            mirror: &str,
            security: Option<&str>,
            suite: &str,
            expected: &[&str],
            notes: usize,
        ) {
            let got = from_mirror(mirror, security, suite).unwrap();
            assert_eq!(show(&got), expected);
            assert_eq!(got.notes.len(), notes);
        }
        check(
            "http://m/debian/",
            None,
            "trixie",
            &[
                "Main trixie http://m/debian",
                "Updates trixie-updates http://m/debian",
                "Security trixie-security http://m/debian-security",
            ],
            0,
        );
        check(
            "http://m/d",
            None,
            "stable",
            &[
                "Main stable http://m/d",
                "Updates stable-updates http://m/d",
            ],
            1,
        );
        check("file:/srv/d", None, "sid", &["Main sid /srv/d"], 0);
        assert!(from_mirror("http://m/debian", None, "trixie-security").is_err());
        assert!(from_mirror("http://m/debian", None, "../x").is_err());
        assert!(from_mirror("ftp://m/debian", None, "trixie").is_err());
    }

    #[test]
    fn snapshots_are_debian() {
        for (uri, expected) in [
            ("http://s/archive/debian/20250520T000000Z", true),
            ("http://s/archive/debian/20250520T00000Z", false),
            ("http://debian/x", false),
            ("http://m/debian", true),
            ("http://m/linux/debian", false),
        ] {
            assert_eq!(
                names_debian(&Location::parse(uri).unwrap()),
                expected,
                "{uri}"
            );
        }
    }
}
