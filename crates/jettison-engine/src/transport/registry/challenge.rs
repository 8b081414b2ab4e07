//! WWW-Authenticate, as registries send it (RFC 9110, 11.6.1; distribution's
//! token specification).

/// One way in that the server offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password with each request.
    Basic,
    /// A token, fetched elsewhere.
    Bearer {
        /// Where.
        realm: String,
        /// For whom.
        service: Option<String>,
        /// For what, when it is more than we asked ourselves.
        scope: Option<String>,
    },
}

/// Reads one header, which may offer several ways.
pub(super) fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    let mut rest = header.trim_start_matches([' ', ',']);
    while !rest.is_empty() {
        let end = rest.find([' ', ',']).unwrap_or(rest.len());
        let (scheme, after) = rest.split_at(end);
        let (parameters, after) = parameters(after);
        rest = after;
        let find = |name: &str| {
            let found = parameters
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone())
        };
        if scheme.eq_ignore_ascii_case("basic") {
            challenges.push(Challenge::Basic);
        } else if scheme.eq_ignore_ascii_case("bearer")
            && let Some(realm) = find("realm")
        {
            let (service, scope) = (find("service"), find("scope"));
            challenges.push(Challenge::Bearer {
                realm,
                service,
                scope,
            });
        }
    }
    challenges
}

/// `key=value` pairs up to the next scheme, and what follows.
fn parameters(text: &str) -> (Vec<(String, String)>, &str) {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', ',', '\t']);
        let end = rest.find(['=', ' ', ',']).unwrap_or(rest.len());
        // A word that no `=` follows is the next scheme.
        if !rest[end..].starts_with('=') {
            return (found, rest);
        }
        let key = rest[..end].to_owned();
        let (value, after) = value(&rest[end + 1..]);
        found.push((key, value));
        rest = after;
    }
}

fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', ',']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_as_registries_send_them() {
        #[track_caller]
        fn check(header: &str, expected: &[Challenge]) {
            assert_eq!(parse(header), expected, "{header}");
        }
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        };
        check(
            r#"Bearer realm="https://auth.test/token",service="r.test",scope="repository:a/b:pull,push""#,
            &[bearer(
                "https://auth.test/token",
                Some("r.test"),
                Some("repository:a/b:pull,push"),
            )],
        );
        check(r#"Basic realm="a \"quoted\" realm""#, &[Challenge::Basic]);
        check("basic", &[Challenge::Basic]);
        check(
            r#"Bearer realm=https://a.test/t, service=x, Basic realm="y", Negotiate abc"#,
            &[
                bearer("https://a.test/t", Some("x"), None),
                Challenge::Basic,
            ],
        );
        check(r#"Bearer service="no realm""#, &[]);
        check(
            r#"Bearer realm="unfinished"#,
            &[bearer("unfinished", None, None)],
        );
        check("", &[]);
        check(",,, ===", &[]);
    }
}
