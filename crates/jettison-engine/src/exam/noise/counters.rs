//! Pages of counters: statistics, metrics. So many of their numbers vary that a
//! further one may happen to be the same in every run of the original.

/// Numbers that vary on a page of counters, at least.
const LEAST_VARYING: usize = 16;
/// For so many that vary one more may, which never did before.
const FOR_EACH: usize = 8;

/// How many numbers vary, where nothing else does on a page of counters, and
/// the candidate is one like the others.
pub(super) fn varying(originals: &[&str], candidate: &str) -> Option<usize> {
    let first: Vec<(&str, &str)> = pieces(originals.first()?).collect();
    let mut varies = vec![false; first.len()];
    for original in originals.iter().skip(1) {
        differing(&first, original, |at| varies[at] = true)?;
    }
    let count = varies.iter().filter(|varies| **varies).count();
    let mut further = 0;
    differing(&first, candidate, |at| further += usize::from(!varies[at]))?;
    (count >= LEAST_VARYING && further <= count / FOR_EACH).then_some(count)
}

/// Calls for each number that differs; none where anything else does.
fn differing(first: &[(&str, &str)], other: &str, mut tell: impl FnMut(usize)) -> Option<()> {
    let mut pieces = pieces(other);
    for (at, (text, number)) in first.iter().enumerate() {
        let (other_text, other_number) = pieces.next()?;
        if other_text != *text || other_number.is_empty() != number.is_empty() {
            return None;
        }
        if other_number != *number {
            tell(at);
        }
    }
    pieces.next().is_none().then_some(())
}

/// A text as what stands before a number, and the number; the last one may be
/// empty.
fn pieces(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let begin = rest.find(|c: char| c.is_ascii_digit());
        let (text, after) = rest.split_at(begin.unwrap_or(rest.len()));
        let is_of_it = |c: char| c.is_ascii_digit() || c == '.';
        let end = after.find(|c| !is_of_it(c)).unwrap_or(after.len());
        let (number, after) = after.split_at(end);
        rest = after;
        Some((text, number))
    })
}

#[cfg(test)]
mod tests {
    use super::varying;

    #[test]
    fn pages() {
        let page = |from: usize, queries: &str, version: &str| {
            let counters = (0..20).map(|at| format!("<c n=\"{at}\">{}</c>", from + at * 3));
            let counters: String = counters.collect();
            format!("<s v=\"{version}\">{counters}<q>{queries}</q></s>")
        };
        let check = |candidate: &str, expected| {
            let (one, other) = (page(100, "7", "a"), page(205, "7", "a"));
            assert_eq!(varying(&[&one, &other], candidate), expected, "{candidate}");
        };
        check(&page(307, "7", "a"), Some(20));
        check(&page(307, "8", "a"), Some(20));
        check(&page(307, "8.5", "a"), Some(20));
        check(&page(307, "none", "a"), None);
        check(&page(307, "7", "b"), None);
        check(&(page(307, "7", "a") + "<x/>"), None);
        // Few numbers are no page of counters.
        assert_eq!(varying(&["a 1 b 2", "a 2 b 2"], "a 3 b 3"), None);
        assert_eq!(varying(&[], "1"), None);
    }
}
