//! Character classes by name, as inclusive ranges; one table.

use unicode_general_category::get_general_category;

pub(super) fn perl_class(letter: char) -> Option<Vec<(char, char)>> {
    Some(match letter {
        'd' => vec![('0', '9')],
        's' => vec![('\t', '\n'), ('\u{C}', '\r'), (' ', ' ')],
        'w' => vec![('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        _ => return None,
    })
}

pub(super) fn posix_ranges(name: &str) -> Option<Vec<(char, char)>> {
    Some(match name {
        "alnum" => vec![('0', '9'), ('A', 'Z'), ('a', 'z')],
        "alpha" => vec![('A', 'Z'), ('a', 'z')],
        "ascii" => vec![('\0', '\x7F')],
        "blank" => vec![('\t', '\t'), (' ', ' ')],
        "cntrl" => vec![('\0', '\x1F'), ('\x7F', '\x7F')],
        "digit" => vec![('0', '9')],
        "graph" => vec![('!', '~')],
        "lower" => vec![('a', 'z')],
        "print" => vec![(' ', '~')],
        "punct" => vec![('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "space" => vec![('\t', '\r'), (' ', ' ')],
        "upper" => vec![('A', 'Z')],
        "word" => vec![('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        "xdigit" => vec![('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => return None,
    })
}

pub(super) fn category_ranges(name: &str) -> Option<Vec<(char, char)>> {
    const NAMES: &[&str] = &[
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe",
        "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co",
    ];
    if name == "Any" {
        return Some(vec![('\0', char::MAX)]);
    }
    if name.is_empty()
        || !NAMES
            .iter()
            .any(|known| *known == name || (name.len() == 1 && known.starts_with(name)))
    {
        return None;
    }
    let mut ranges: Vec<(char, char)> = Vec::new();
    for character in '\0'..=char::MAX {
        if !get_general_category(character)
            .abbreviation()
            .starts_with(name)
            || get_general_category(character).abbreviation() == "Cn"
        {
            continue;
        }
        match ranges.last_mut() {
            Some((_, high)) if u32::from(*high) + 1 == u32::from(character) => *high = character,
            _ => ranges.push((character, character)),
        }
    }
    Some(ranges)
}

pub(super) fn complement(mut ranges: Vec<(char, char)>) -> Vec<(char, char)> {
    ranges.sort_unstable();
    let mut out = Vec::new();
    let mut next = 0_u32;
    for (low, high) in ranges {
        if u32::from(low) > next
            && let (Some(start), Some(end)) = (scalar_up(next), scalar_down(u32::from(low) - 1))
            && start <= end
        {
            out.push((start, end));
        }
        next = next.max(u32::from(high) + 1);
    }
    if let Some(start) = scalar_up(next) {
        out.push((start, char::MAX));
    }
    out
}

fn scalar_up(value: u32) -> Option<char> {
    char::from_u32(if (0xD800..0xE000).contains(&value) {
        0xE000
    } else {
        value
    })
}

fn scalar_down(value: u32) -> Option<char> {
    char::from_u32(if (0xD800..0xE000).contains(&value) {
        0xD7FF
    } else {
        value
    })
}
