//! What texts have in common. All of it is linear.

pub(super) fn is_high(unit: u16) -> bool {
    (0xd800..0xdc00).contains(&unit)
}

pub(super) fn is_low(unit: u16) -> bool {
    (0xdc00..0xe000).contains(&unit)
}

/// Length of the longest prefix of both that does not end within a surrogate pair.
pub(super) fn common_prefix(a: &[u16], b: &[u16]) -> usize {
    let len = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    if len > 0 && is_high(a[len - 1]) { len - 1 } else { len }
}

/// Length of the longest suffix of both that does not begin within a surrogate pair.
pub(super) fn common_suffix(a: &[u16], b: &[u16]) -> usize {
    let len = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    if len > 0 && is_low(a[a.len() - len]) { len - 1 } else { len }
}

/// Length of the longest suffix of `a` that is a prefix of `b`.
pub(super) fn overlap(a: &[u16], b: &[u16]) -> usize {
    let len = a.len().min(b.len());
    Pattern::new(&b[..len]).matched_at_end(&a[a.len() - len..])
}

/// A text that is looked for (Knuth, Morris, Pratt 1977: naive search is quadratic on texts that repeat themselves).
pub(super) struct Pattern<'a> {
    units: &'a [u16],
    /// For each prefix but the empty one, the length of its longest proper suffix that is a prefix as well.
    borders: Vec<usize>,
}

impl<'a> Pattern<'a> {
    pub(super) fn new(units: &'a [u16]) -> Pattern<'a> {
        let mut pattern = Pattern { units, borders: Vec::with_capacity(units.len()) };
        let mut matched = 0;
        for (i, &unit) in units.iter().enumerate() {
            matched = if i == 0 { 0 } else { pattern.next(matched, unit) };
            pattern.borders.push(matched);
        }
        pattern
    }

    /// How much of the pattern matches after `unit`, if `matched` units of it did before.
    fn next(&self, mut matched: usize, unit: u16) -> usize {
        while matched > 0 && (matched == self.units.len() || self.units[matched] != unit) {
            matched = self.borders[matched - 1];
        }
        matched + usize::from(!self.units.is_empty() && self.units[matched] == unit)
    }

    /// The places in `text` where the pattern begins.
    pub(super) fn places(&self, text: &[u16]) -> impl Iterator<Item = usize> {
        let mut matched = 0;
        text.iter().enumerate().filter_map(move |(i, &unit)| {
            matched = self.next(matched, unit);
            (matched == self.units.len()).then(|| i + 1 - matched)
        })
    }

    fn matched_at_end(&self, text: &[u16]) -> usize {
        if self.units.is_empty() {
            return 0;
        }
        text.iter().fold(0, |matched, &unit| self.next(matched, unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    #[test]
    fn a_pattern_is_found_wherever_it_is() {
        let pattern = units("aab");
        let found: Vec<_> = Pattern::new(&pattern).places(&units("aaabaabxaab")).collect();
        assert_eq!(found, [1, 4, 8]);
    }

    #[test]
    fn an_overlap_is_the_longest() {
        assert_eq!(overlap(&units("xxabab"), &units("ababyy")), 4);
        assert_eq!(overlap(&units("aaaa"), &units("aaaaaa")), 4);
        assert_eq!(overlap(&units("abc"), &units("xyz")), 0);
        assert_eq!(overlap(&[], &units("xyz")), 0);
    }

    #[test]
    fn what_is_common_does_not_cut_a_pair() {
        assert_eq!(common_prefix(&units("a😀"), &units("a😁")), 1);
        assert_eq!(common_suffix(&units("\u{10400}"), &units("\u{10000}")), 0);
    }
}
