//! What can be changed around a program without telling it anything: another
//! time zone and language that the image has, another user where the image
//! names none.

use std::collections::BTreeSet;

use jettison_closure::locales;
use jettison_image::{FileContents, RunConfig, Tree};

use super::schedule::Variation;

/// Far from where images are made, without summer time.
const ZONE: &str = "Asia/Tokyo";
/// Belongs to nobody; group 0, as platforms do that give users of their own.
const USER: &str = "12345:0";

/// What of an image variations depend on.
#[derive(Debug, Clone, Default)]
pub(super) struct Premises {
    has_zone: bool,
    locale: Option<String>,
    is_root: bool,
}

impl Premises {
    pub(super) fn of(tree: &Tree, contents: &dyn FileContents, run: &RunConfig) -> Self {
        let user = run.user.split(':').next().unwrap_or_default();
        Self {
            has_zone: tree.get(format!("usr/share/zoneinfo/{ZONE}")).is_some(),
            locale: preferred(locales::installed(tree, contents)),
            is_root: matches!(user, "" | "0" | "root"),
        }
    }

    /// One start for each.
    pub(super) fn variations(&self) -> Vec<Variation> {
        let mut variations = Vec::new();
        let mut env = Vec::new();
        if self.has_zone {
            env.push(("TZ".to_owned(), ZONE.to_owned()));
        }
        if let Some(locale) = &self.locale {
            env.push(("LANG".to_owned(), locale.clone()));
            env.push(("LC_ALL".to_owned(), locale.clone()));
        }
        if !env.is_empty() {
            variations.push(Variation { env, user: None });
        }
        if self.is_root {
            variations.push(Variation {
                env: Vec::new(),
                user: Some(USER.to_owned()),
            });
        }
        variations
    }
}

/// The locale to try of those that are installed: one that is not English
/// before others, any country before glibc's own C.
fn preferred(names: BTreeSet<String>) -> Option<String> {
    let name = names.into_iter().min_by_key(|name| {
        let is_plain = !name.contains('_');
        let is_other = !name.ends_with(".utf8");
        let is_english = name.starts_with("en_");
        (is_plain, is_other, is_english, name.clone())
    })?;
    // They are installed under the normalised name of the codeset.
    Some(name.replace(".utf8", ".UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::preferred;

    #[test]
    fn locales_that_show_most() {
        for (installed, expected) in [
            (&["C.utf8"][..], Some("C.UTF-8")),
            (&["C.utf8", "en_US.utf8"], Some("en_US.UTF-8")),
            (
                &["C.utf8", "de_DE", "de_DE.utf8", "en_US.utf8", "german"],
                Some("de_DE.UTF-8"),
            ),
            (&["C.utf8", "ja_JP.eucjp"], Some("ja_JP.eucjp")),
            (&[], None),
        ] {
            let names = installed.iter().map(|&name| name.to_owned()).collect();
            assert_eq!(preferred(names).as_deref(), expected, "{installed:?}");
        }
    }
}
