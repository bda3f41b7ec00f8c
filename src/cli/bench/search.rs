//! The largest load that a server sustains.

/// How a search goes about it.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The first load tried.
    pub start: usize,
    /// No load above this one is tried.
    pub limit: usize,
    /// Factor from one load to the next while they are sustained.
    pub growth: f64,
    /// The search ends when the smallest load that failed is within this fraction of the largest that did not.
    pub precision: f64,
}

impl Search {
    /// Narrows it to one load, if one is asked for, and to what there is room for.
    pub fn narrowed(self, only: Option<usize>, room: usize) -> Self {
        let limit = only.unwrap_or(self.limit).min(room);
        Self { start: only.unwrap_or(self.start), limit, ..self }
    }

    /// Finds the largest load for which `attempt` returns what it measured; `None` means not sustained.
    ///
    /// A load that fails is tried once more: on a shared machine one slow moment proves nothing. Returns `None` if not
    /// even the first was sustained.
    ///
    /// # Errors
    /// Those of `attempt`, at once.
    pub fn run<T, E>(
        self,
        mut attempt: impl FnMut(usize) -> Result<Option<T>, E>,
    ) -> Result<Option<(usize, T)>, E> {
        let mut twice = |load| match attempt(load)? {
            Some(measured) => Ok(Some(measured)),
            None => attempt(load),
        };
        let mut best = None;
        let mut failed = None;
        let mut load = self.start.min(self.limit);
        loop {
            match twice(load)? {
                Some(measured) => best = Some((load, measured)),
                None => failed = Some(load),
            }
            let Some((sustained, _)) = &best else { return Ok(None) };
            let next = match failed {
                None => ((*sustained as f64 * self.growth) as usize).min(self.limit),
                Some(failed) => sustained + (failed - sustained) / 2,
            };
            let close =
                failed.is_some_and(|failed| (failed as f64) < *sustained as f64 * (1.0 + self.precision));
            if close || next <= *sustained {
                return Ok(best);
            }
            load = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEARCH: Search = Search { start: 100, limit: 10_000, growth: 1.5, precision: 0.05 };

    fn largest(search: Search, capacity: usize) -> Option<usize> {
        let attempt = |load| Ok::<_, std::convert::Infallible>((load <= capacity).then_some(()));
        search.run(attempt).unwrap().map(|(load, ())| load)
    }

    #[test]
    fn the_capacity_is_found_to_within_the_precision() {
        for capacity in [100, 101, 640, 777, 5_000, 9_999] {
            let found = largest(SEARCH, capacity).unwrap();
            assert!(found <= capacity && found as f64 * 1.05 >= capacity as f64 - 1.0, "{capacity}: {found}");
        }
    }

    #[test]
    fn the_ends_of_the_range_are_kept() {
        assert_eq!(largest(SEARCH, 99), None);
        assert_eq!(largest(SEARCH, 1_000_000), Some(10_000));
    }

    #[test]
    fn one_load_is_tried_alone() {
        assert_eq!(largest(SEARCH.narrowed(Some(500), 9_000), 640), Some(500));
        assert_eq!(largest(SEARCH.narrowed(Some(700), 9_000), 640), None);
        assert_eq!(largest(SEARCH.narrowed(Some(700), 600), 640), Some(600), "there is no room for more");
    }

    #[test]
    fn one_slow_moment_is_forgiven() {
        let mut attempts = 0;
        let found = SEARCH.run(|load| {
            attempts += 1;
            Ok::<_, std::convert::Infallible>((attempts != 2 && load <= 200).then_some(()))
        });
        assert!(found.unwrap().is_some_and(|(load, ())| load > 190));
    }
}
