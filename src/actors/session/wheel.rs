//! Takes turns with many things, so that all of them are looked at once a second without being looked at all at once.

/// Turns in a second.
pub const SECOND: usize = 20;

/// Turns in which the wheel has come round: 5 s.
pub const ROUND: usize = 5 * SECOND;

/// Things in [`ROUND`] slots, one of which comes up in each turn.
#[derive(Debug)]
pub struct Wheel<T> {
    slots: [Vec<T>; ROUND],
    /// Where the next one goes, so that those who come together are spread.
    next: usize,
}

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        Self { slots: [const { Vec::new() }; ROUND], next: 0 }
    }
}

impl<T> Wheel<T> {
    /// Takes one more.
    pub fn push(&mut self, one: T) {
        self.slots[self.next].push(one);
        self.next = (self.next + 1) % ROUND;
    }

    /// Looks at those whose turn it is, with whether they come up, which each does once in a round; keeps those of which `look` says so.
    pub fn turn(&mut self, turn: usize, mut look: impl FnMut(&mut T, bool) -> bool) {
        for slot in (turn % SECOND..ROUND).step_by(SECOND) {
            let comes_up = slot == turn % ROUND;
            let things = &mut self.slots[slot];
            things.retain_mut(|one| look(one, comes_up));
            if things.capacity() > 4 && things.len() * 4 < things.capacity() {
                things.shrink_to_fit();
            }
        }
    }

    /// Returns all of them.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_looked_at_once_a_second_and_comes_up_once_a_round_and_never_all_at_once() {
        let mut wheel = Wheel::default();
        (0..250_usize).for_each(|one| wheel.push(one));
        let (mut looked, mut come_up) = ([0; 250], [0; 250]);
        for turn in 0..3 * ROUND {
            let mut at_once = 0;
            wheel.turn(turn, |one, comes_up| {
                looked[*one] += 1;
                come_up[*one] += usize::from(comes_up);
                at_once += usize::from(comes_up);
                true
            });
            assert!(at_once <= 3, "{at_once} of 250 in one turn of {ROUND}");
        }
        assert_eq!((looked, come_up), ([15; 250], [3; 250]));
    }

    #[test]
    fn who_is_not_kept_is_gone() {
        let mut wheel = Wheel::default();
        (0..1_000).for_each(|one| wheel.push(one));
        (0..SECOND).for_each(|turn| wheel.turn(turn, |one, _| *one % 7 == 0));
        assert_eq!(wheel.iter().count(), 143);
        (0..SECOND).for_each(|turn| wheel.turn(turn, |_, _| false));
        assert_eq!(wheel.iter().count(), 0);
    }
}
