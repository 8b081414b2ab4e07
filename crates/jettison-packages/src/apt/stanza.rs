//! The deb822 format of `.sources` files: `Types`, `URIs`, `Suites`,
//! `Components`, `Architectures`, `Signed-By`, `Trusted`, `Enabled`.

use super::{SignedBy, Source, Sources};
use crate::Location;
use crate::deb822::{Paragraph, Paragraphs};

/// Bytes of one stanza; an inline key has a few thousand.
const STANZA_BYTES: usize = 1 << 20;

/// Reads a `.sources` file into `found`. Stanzas that are not understood are
/// skipped with a note, disabled ones and `deb-src` silently.
pub fn parse_sources(file: &str, text: &str, found: &mut Sources) {
    let mut reader = Paragraphs::new(text.as_bytes(), STANZA_BYTES);
    let mut stanza = Paragraph::default();
    for number in 1.. {
        match reader.read_into(&mut stanza) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return found.note(file, number, error),
        }
        if let Err(problem) = read_stanza(&stanza, found) {
            found.note(file, number, format_args!("stanza: {problem}"));
        }
    }
}

fn read_stanza(stanza: &Paragraph, found: &mut Sources) -> Result<(), String> {
    let words = |name| -> Vec<&str> {
        stanza
            .get(name)
            .map(|value| value.split_whitespace().collect())
            .unwrap_or_default()
    };
    if stanza.get("Enabled").is_some_and(is_no) || !words("Types").contains(&"deb") {
        return Ok(());
    }
    let owned = |name| {
        words(name)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (suites, components) = (words("Suites"), owned("Components"));
    if suites.is_empty() {
        return Err("no Suites".into());
    }
    let mut roots = Vec::new();
    for uri in words("URIs") {
        roots.push(Location::parse(uri)?);
    }
    if roots.is_empty() {
        return Err("no URIs".into());
    }
    for suite in suites {
        if components.is_empty() != suite.ends_with('/') {
            return Err("a suite needs Components, a flat archive (`…/`) has none".into());
        }
        for root in &roots {
            found.sources.push(Source {
                root: root.clone(),
                suite: suite.to_owned(),
                components: components.clone(),
                architectures: owned("Architectures"),
                signed_by: stanza.get("Signed-By").and_then(SignedBy::parse),
                trusted: stanza.get("Trusted").is_some_and(is_yes),
            });
        }
    }
    Ok(())
}

/// apt's `StringToBool`.
pub(super) fn is_yes(value: &str) -> bool {
    ["yes", "true", "with", "on", "enable", "1"]
        .iter()
        .any(|w| value.eq_ignore_ascii_case(w))
}

fn is_no(value: &str) -> bool {
    ["no", "false", "without", "off", "disable", "0"]
        .iter()
        .any(|w| value.eq_ignore_ascii_case(w))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stanzas() {
        let mut found = Sources::default();
        let text = "# comment\nTypes: deb deb-src\nURIs: http://a/debian http://b/debian/\n\
            Suites: trixie trixie-updates\nComponents: main\nSigned-By:\n \
            -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEabc\n -----END PGP PUBLIC KEY BLOCK-----\n\n\
            Types: deb\nEnabled: no\nURIs: http://off\nSuites: x\nComponents: main\n\n\
            Types: deb\nURIs: mirror+file:/x\nSuites: trixie\nComponents: main\n\n\
            Types: deb-src\nURIs: http://src\nSuites: x\nComponents: main\n\n\
            Types: deb\nSuites: x\nComponents: main\n\n\
            types: deb\nuris: file:/srv/d\nsuites: ./\nTrusted: yes\n";
        parse_sources("d.sources", text, &mut found);
        let names: Vec<_> = found
            .sources
            .iter()
            .map(|s| format!("{} {}", s.root, s.suite))
            .collect();
        assert_eq!(
            names,
            [
                "http://a/debian trixie",
                "http://b/debian trixie",
                "http://a/debian trixie-updates",
                "http://b/debian trixie-updates",
                "/srv/d ./"
            ]
        );
        assert_eq!(
            found.sources[0].signed_by,
            Some(SignedBy::Inline(
                "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEabc\n\
                 -----END PGP PUBLIC KEY BLOCK-----\n"
                    .into()
            ))
        );
        assert!(found.sources[4].trusted);
        assert_eq!(found.notes.len(), 2);
        assert!(found.notes[0].contains("mirror lists"), "{:?}", found.notes);
        assert!(found.notes[1].contains("no URIs"));
    }
}
