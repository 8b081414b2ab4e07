//! What can be changed around a program without telling it anything: another
//! time zone and language that the image has, another user where the image
//! names none.

use jettison_image::{RunConfig, Tree};

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
    pub(super) fn of(tree: &Tree, run: &RunConfig) -> Self {
        let user = run.user.split(':').next().unwrap_or_default();
        Self {
            has_zone: tree.get(format!("usr/share/zoneinfo/{ZONE}")).is_some(),
            locale: locale(tree),
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

/// A locale that is installed as a directory, one with a country before
/// glibc's own C.utf8.
fn locale(tree: &Tree) -> Option<String> {
    let directory = tree.get("usr/lib/locale")?;
    let installed = directory.children().filter(|node| node.is_directory());
    let mut names: Vec<String> = installed
        .filter_map(|node| String::from_utf8(node.name().to_vec()).ok())
        .collect();
    names.sort_by_key(|name| (!name.contains('_'), name.clone()));
    let name = names.into_iter().next()?;
    // Directories have the normalised name of the codeset.
    Some(name.replace(".utf8", ".UTF-8"))
}
