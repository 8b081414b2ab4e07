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
    /// It is in the image.
    pub kept: bool,
    /// Why, or why not.
    pub reason: String,
}

/// Parts of a base that no companion of a program is.
const NETBASE: &str = "netbase";

/// Decides about every part.
pub(crate) fn decide(
    base: &BaseChoice,
    needs: &[Need],
    keep: &[String],
    drop: &[String],
) -> Result<Vec<Decision>, SettingsError> {
    let keep = names("--keep", keep)?;
    let drop = names("--drop", drop)?;
    let mut decisions = Vec::new();
    for need in needs {
        let part = need.companion.name();
        let asked = need.state == NeedState::Needed;
        let (kept, reason) = if drop.contains(&part) {
            let warning = if asked {
                format!(", although it {}", need.reason)
            } else {
                String::new()
            };
            (false, format!("dropped as you said{warning}"))
        } else if keep.contains(&part) {
            (true, "kept as you said".to_owned())
        } else {
            match base {
                BaseChoice::Auto => (asked, need.reason.clone()),
                BaseChoice::Static => (true, "part of the static base".to_owned()),
                BaseChoice::Scratch if asked => (
                    false,
                    format!("scratch has nothing, although it {}", need.reason),
                ),
                BaseChoice::Scratch => (false, "scratch has nothing".to_owned()),
                BaseChoice::Image(image) => (false, format!("left to {image}")),
            }
        };
        decisions.push(Decision { part, kept, reason });
    }
    if keep.contains(&NETBASE) || (*base == BaseChoice::Static && !drop.contains(&NETBASE)) {
        let reason = if keep.contains(&NETBASE) {
            "kept as you said"
        } else {
            "part of the static base"
        };
        decisions.push(Decision {
            part: NETBASE,
            kept: true,
            reason: reason.to_owned(),
        });
    }
    Ok(decisions)
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

fn names(flag: &'static str, words: &[String]) -> Result<Vec<&'static str>, SettingsError> {
    let known = |word: &String| {
        // What people call them who do not know the package.
        let word = match word.as_str() {
            "mime-types" => "media-types",
            "users" => "passwd",
            "zoneinfo" => "tzdata",
            "ca" | "certificates" => "ca-certificates",
            other => other,
        };
        if word == NETBASE {
            return Ok(NETBASE);
        }
        Companion::from_name(word).map(Companion::name).ok_or_else(|| {
            SettingsError::new(
                flag,
                word,
                "one of ca-certificates, tzdata, media-types, os-release, passwd, nsswitch, tmp, netbase",
            )
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
        assert!(decide(&BaseChoice::Auto, &[], &["nonsense".into()], &[]).is_err());
    }
}
