//! Names and colours of people, and small random pauses.

use std::collections::HashSet;

use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use crate::actors::service::Person;
use crate::ids::UserId;
use crate::protocol::UserInfo;

/// Twelve colours that carry white text and stand apart on a light and a dark page: those of `web/src/styles/tokens.css`,
/// whose contrasts are tested there.
const COLORS: [&str; 12] = [
    "#4d60dc", "#cf4000", "#00826f", "#b23b9f", "#916c00", "#0079bf", "#ca2f4e", "#008533", "#864fcf",
    "#b05e00", "#007d92", "#6b7a00",
];

/// Names of guests who give none.
const ANIMALS: [&str; 24] = [
    "Badger", "Beaver", "Crane", "Dolphin", "Falcon", "Ferret", "Finch", "Fox", "Gecko", "Hare", "Heron",
    "Ibis", "Jay", "Koala", "Lynx", "Marten", "Newt", "Otter", "Owl", "Panda", "Puffin", "Robin", "Stoat",
    "Wren",
];

/// Longest name of a person, in characters.
const NAME: usize = 64;

/// Returns how the others see a user. What is not given is derived from the id, so that it stays the same.
pub fn person(user: &UserId, name: Option<&str>) -> UserInfo {
    let hash = xxh3_64(user.as_str().as_bytes()) as usize;
    let shown: String = name.unwrap_or("").chars().filter(|c| !c.is_control()).take(NAME).collect();
    let shown = shown.trim();
    let name =
        if shown.is_empty() { format!("Guest {}", ANIMALS[hash % ANIMALS.len()]) } else { shown.to_owned() };
    UserInfo { id: user.clone(), name, color: COLORS[(hash >> 16) % COLORS.len()].to_owned() }
}

/// Gives somebody who comes a colour that nobody here has, if there is one: the `wanted` one, else the next in the list.
pub fn free_color(wanted: &str, taken: &HashSet<&str>) -> String {
    let first = COLORS.iter().position(|color| *color == wanted).unwrap_or(0);
    let from_wanted = COLORS[first..].iter().chain(&COLORS[..first]);
    from_wanted.copied().find(|color| !taken.contains(color)).unwrap_or(wanted).to_owned()
}

/// Draws how long a session shall wait before it comes back, so that not all come at once: 200 to 1,200 ms.
pub fn pause_ms() -> u64 {
    200 + u64::from(Uuid::new_v4().as_bytes()[0]) * 1_000 / 255
}

impl From<&UserInfo> for Person {
    fn from(info: &UserInfo) -> Self {
        Self { id: info.id.clone(), name: info.name.clone(), color: info.color.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_gets_a_colour_that_nobody_has_as_long_as_there_is_one() {
        let mut taken = HashSet::new();
        for _ in COLORS {
            let color = free_color(COLORS[3], &taken);
            let given = COLORS.iter().find(|known| **known == color).expect("one of the list");
            assert!(taken.insert(*given), "{color} is given twice");
        }
        assert_eq!(taken.len(), COLORS.len());
        assert_eq!(free_color(COLORS[5], &taken), COLORS[5]);
        assert_eq!(free_color(COLORS[11], &HashSet::from([COLORS[11]])), COLORS[0]);
    }

    #[test]
    fn a_guest_without_a_name_keeps_the_same_one() {
        let user = UserId("guest:x".into());
        assert_eq!(person(&user, None), person(&user, Some(" \u{7}")));
        assert!(person(&user, None).name.starts_with("Guest "));
        assert_eq!(person(&user, Some(&"é".repeat(100))).name.chars().count(), NAME);
    }
}
