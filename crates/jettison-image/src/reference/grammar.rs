//! The terminals of the reference grammar, by hand: a match over bytes needs
//! no regular expression engine.

/// `alnum (separator alnum)*` with the separators `.`, `_`, `__` and `-`…
pub(super) fn is_path_component(component: &str) -> bool {
    let mut rest = component.as_bytes();
    loop {
        let word = count(rest, |b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if word == 0 {
            return false;
        }
        rest = &rest[word..];
        let separator = match rest {
            [] => return true,
            [b'_', b'_', ..] => 2,
            [b'.' | b'_', ..] => 1,
            _ => count(rest, |b| b == b'-'),
        };
        rest = &rest[separator..];
        if separator == 0 {
            return false;
        }
    }
}

/// `HOST[:PORT]`: dotted names, IPv4 addresses, IPv6 addresses in brackets.
pub(super) fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.rfind(':') {
        Some(at) if !domain[at..].contains(']') => (&domain[..at], Some(&domain[at + 1..])),
        _ => (domain, None),
    };
    let port_is_number = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    if !port.is_none_or(port_is_number) {
        return false;
    }
    match host.strip_prefix('[').map(|host| host.strip_suffix(']')) {
        Some(address) => address.is_some_and(is_ipv6),
        None => host.split('.').all(is_domain_component),
    }
}

/// `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`.
pub(super) fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

fn is_domain_component(component: &str) -> bool {
    let bytes = component.as_bytes();
    matches!((bytes.first(), bytes.last()), (Some(first), Some(last))
        if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric())
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || *b == b'-')
}

/// The grammar asks for hexadecimal digits and colons, nothing more.
fn is_ipv6(address: &str) -> bool {
    !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':')
}

fn count(bytes: &[u8], is: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|&&b| is(b)).count()
}
