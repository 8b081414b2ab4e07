//! Which parts of a base come along: what the program asks for, what a person
//! keeps, less what a person drops. Every choice has its reason.

use jettison_closure::{Companion, Need, NeedState};
use jettison_packages::base::{Bundle, Selection, Zones};
use serde::Serialize;

use super::SettingsError;

/// What the image stands on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum BaseChoice {
    /// What the program needs and nothing else.
    #[default]
    Auto,
    /// Nothing.
    Scratch,
    /// Everything that a static program may need.
    Static,
    /// This image.
    Image(String),
}

impl BaseChoice {
    /// Reads `auto`, `scratch`, `static` or an image.
    pub fn parse(text: &str) -> Self {
        match text {
            "" | "auto" => Self::Auto,
            "scratch" => Self::Scratch,
            "static" => Self::Static,
            image => Self::Image(image.to_owned()),
        }
    }
}

/// One part and what was decided about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// What `--keep` and `--drop` call it.
    pub part: &'static str,
    /// The program asks for it, whatever was chosen or said.
    pub needed: bool,
    /// It is in the image.
    pub kept: bool,
    /// Why, or why not.
    pub reason: String,
}

/// The part of a base that no companion of a program is.
const NETBASE: &str = "netbase";

/// What `--keep` and `--drop` may name, in the order of a report.
pub fn part_names() -> Vec<&'static str> {
    let companions = Companion::ALL.into_iter().filter(|part| is_offered(*part));
    companions.map(Companion::name).chain([NETBASE]).collect()
}

/// No base has descriptions of terminals.
fn is_offered(companion: Companion) -> bool {
    companion != Companion::Terminfo
}

/// Decides about every part.
pub(crate) fn decide(
    base: &BaseChoice,
    needs: &[Need],
    keep: &[String],
    drop: &[String],
) -> Result<Vec<Decision>, SettingsError> {
    let keep = names("--keep", keep)?;
    let drop = names("--drop", drop)?;
    if let Some(both) = keep.iter().find(|part| drop.contains(part)) {
        let problem = "something to drop: --keep names it too";
        return Err(SettingsError::new("--drop", both, problem));
    }
    let offered = needs.iter().filter(|need| is_offered(need.companion));
    let companions = offered.map(|need| {
        let needed = need.state == NeedState::Needed;
        (need.companion.name(), needed, need.reason.as_str())
    });
    let netbase = (NETBASE, false, "comes only with --keep netbase");
    let decisions = companions.chain([netbase]).map(|(part, needed, why)| {
        let (kept, reason) = if drop.contains(&part) {
            let warning = match needed {
                true => format!(", although it {why}"),
                false => String::new(),
            };
            (false, format!("dropped as you said{warning}"))
        } else if keep.contains(&part) {
            (true, "kept as you said".to_owned())
        } else {
            by_base(base, needed, why)
        };
        Decision {
            part,
            needed,
            kept,
            reason,
        }
    });
    Ok(decisions.collect())
}

/// What becomes of a part that nobody speaks of.
fn by_base(base: &BaseChoice, needed: bool, why: &str) -> (bool, String) {
    match base {
        BaseChoice::Auto => (needed, why.to_owned()),
        BaseChoice::Static => (true, "part of the static base".to_owned()),
        BaseChoice::Scratch if needed => (false, format!("scratch has nothing, although it {why}")),
        BaseChoice::Scratch => (false, "scratch has nothing".to_owned()),
        BaseChoice::Image(image) => (false, format!("left to {image}")),
    }
}

/// What a person hears of a program that reads descriptions of terminals.
pub(crate) fn terminfo_note(base: &BaseChoice, needs: &[Need]) -> Option<String> {
    let asks =
        |need: &Need| need.companion == Companion::Terminfo && need.state == NeedState::Needed;
    let brings = matches!(base, BaseChoice::Image(_));
    (!brings && needs.iter().any(asks)).then(|| {
        "the program may read /usr/share/terminfo, which no base has: bring what it needs with \
         --include"
            .to_owned()
    })
}

/// The parts as the packages know them.
pub(crate) fn selection(decisions: &[Decision], extra_cas: Vec<Bundle>) -> Selection {
    let kept = |part: &str| decisions.iter().any(|d| d.part == part && d.kept);
    let has = |companion: Companion| kept(companion.name());
    Selection {
        ca_certificates: has(Companion::CaCertificates),
        extra_cas,
        zones: if has(Companion::TimeZones) {
            Zones::All
        } else {
            Zones::None
        },
        mime_types: has(Companion::MimeTypes),
        netbase: kept(NETBASE),
        os_release: has(Companion::OsRelease),
        accounts: has(Companion::Users) || has(Companion::NameService),
        merged_usr: false,
    }
}

/// A part by the name that we use; people call some otherwise who do not know
/// the package.
pub(crate) fn plain_name(word: &str) -> &str {
    match word {
        "mime-types" => "media-types",
        "users" => "passwd",
        "zoneinfo" => "tzdata",
        "ca" | "certificates" => "ca-certificates",
        other => other,
    }
}

fn names(flag: &'static str, words: &[String]) -> Result<Vec<&'static str>, SettingsError> {
    let all = part_names();
    let known = |word: &String| {
        let wanted = plain_name(word);
        let found = all.iter().find(|part| **part == wanted);
        found.copied().ok_or_else(|| {
            let aside = match wanted == Companion::Terminfo.name() {
                true => {
                    "; no base has /usr/share/terminfo: bring what the program reads with --include"
                }
                false => "",
            };
            SettingsError::new(flag, word, format!("one of {}{aside}", all.join(", ")))
        })
    };
    words.iter().map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(companion: Companion, state: NeedState) -> Need {
        Need {
            companion,
            state,
            reason: "calls it".to_owned(),
        }
    }

    #[track_caller]
    fn check(base: &str, keep: &[&str], drop: &[&str], expected: &[&str]) {
        let needs = [
            need(Companion::CaCertificates, NeedState::Needed),
            need(Companion::TimeZones, NeedState::Embedded),
            need(Companion::Users, NeedState::NotNeeded),
        ];
        let owned = |words: &[&str]| words.iter().map(|&w| w.to_owned()).collect::<Vec<_>>();
        let decisions = decide(&BaseChoice::parse(base), &needs, &owned(keep), &owned(drop));
        let decisions = decisions.expect("known names");
        let kept: Vec<&str> = decisions
            .iter()
            .filter(|d| d.kept)
            .map(|d| d.part)
            .collect();
        assert_eq!(kept, expected);
    }

    #[test]
    fn the_program_decides_unless_a_person_does() {
        check("auto", &[], &[], &["ca-certificates"]);
        check(
            "auto",
            &["zoneinfo", "netbase"],
            &["ca-certificates"],
            &["tzdata", "netbase"],
        );
        check("scratch", &[], &[], &[]);
        check("scratch", &["users"], &[], &["passwd"]);
        check(
            "static",
            &[],
            &["tzdata"],
            &["ca-certificates", "passwd", "netbase"],
        );
        check("alpine:3", &[], &[], &[]);
    }

    #[test]
    fn what_no_base_has_and_what_contradicts_itself_is_refused() {
        #[track_caller]
        fn check(keep: &str, drop: &str, expected: &str) {
            let words = |text: &str| {
                text.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            let refused = decide(&BaseChoice::Auto, &[], &words(keep), &words(drop));
            assert_eq!(refused.expect_err(keep).to_string(), expected);
        }
        let all =
            "ca-certificates, tzdata, media-types, os-release, passwd, nsswitch, tmp, netbase";
        check(
            "nonsense",
            "",
            &format!("--keep: `nonsense` is not one of {all}"),
        );
        let terminfo =
            "no base has /usr/share/terminfo: bring what the program reads with --include";
        check(
            "ncurses-base",
            "",
            &format!("--keep: `ncurses-base` is not one of {all}; {terminfo}"),
        );
        check(
            "zoneinfo",
            "tmp tzdata",
            "--drop: `tzdata` is not something to drop: --keep names it too",
        );
    }

    #[test]
    fn the_table_has_the_parts_that_can_be_named() {
        let needs: Vec<Need> = Companion::ALL
            .into_iter()
            .map(|companion| need(companion, NeedState::Needed))
            .collect();
        let decisions = decide(&BaseChoice::Scratch, &needs, &[], &[]).expect("nothing said");
        let parts: Vec<&str> = decisions.iter().map(|decision| decision.part).collect();
        assert_eq!(parts, part_names());
        // Scratch brings nothing, and the need is told all the same.
        assert!(
            decisions
                .iter()
                .all(|d| !d.kept && d.needed == (d.part != NETBASE))
        );
        assert!(terminfo_note(&BaseChoice::Scratch, &needs).is_some());
        assert!(terminfo_note(&BaseChoice::Image("x".to_owned()), &needs).is_none());
    }
}
