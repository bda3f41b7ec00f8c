//! Who is where in a document: kept in memory only, moved through commits, told to the others in batches.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::ids::{ClientId, SessionId, Version};
use crate::ot::{Delta, Selection};
use crate::protocol::{Cursor, Peer, UserInfo};

/// What a client says of itself: a cursor, and anything else as JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct PresenceState {
    cursor: Option<Cursor>,
    /// The other members of the object, as JSON members without the braces.
    rest: String,
}

impl PresenceState {
    /// Reads a state: an object whose `cursor`, if any, has `index` and `length` as whole numbers. Positions beyond
    /// 2^53 - 1 are clamped; where they lie beyond the document the cursor is clamped to its end later.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(json: &str) -> Result<Self, String> {
        let mut members: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(json).map_err(|error| format!("state is not an object: {error}"))?;
        let cursor = match members.remove("cursor") {
            None | Some(serde_json::Value::Null) => None,
            Some(cursor) => {
                Some(Cursor { index: position(&cursor, "index")?, length: position(&cursor, "length")? })
            }
        };
        let rest = serde_json::to_string(&members).map_err(|error| error.to_string())?;
        Ok(Self { cursor, rest: rest[1..rest.len() - 1].to_owned() })
    }

    fn to_json(&self) -> Box<RawValue> {
        let mut json = String::with_capacity(self.rest.len() + 48);
        json.push('{');
        if let Some(cursor) = self.cursor {
            json.push_str(&format!(r#""cursor":{{"index":{},"length":{}}}"#, cursor.index, cursor.length));
            if !self.rest.is_empty() {
                json.push(',');
            }
        }
        json.push_str(&self.rest);
        json.push('}');
        // Made of serialised parts only, so it is JSON.
        RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }

    /// Tells whether it says where somebody is: only that belongs to a version.
    pub fn has_cursor(&self) -> bool {
        self.cursor.is_some()
    }

    /// What else it says.
    #[must_use]
    pub fn without_cursor(self) -> Self {
        Self { cursor: None, ..self }
    }

    /// Moves the cursor through `delta`; an insert exactly at it moves it only if it is the owner's own.
    pub fn move_through(&mut self, delta: &Delta, own: bool) {
        if let Some(cursor) = &mut self.cursor {
            let moved = Selection { index: cursor.index, length: cursor.length }.transform(delta, own);
            *cursor = Cursor { index: moved.index, length: moved.length };
        }
    }

    fn clamp(&mut self, document_length: u64) {
        if let Some(cursor) = &mut self.cursor {
            cursor.index = cursor.index.min(document_length);
            cursor.length = cursor.length.min(document_length - cursor.index);
        }
    }
}

fn position(cursor: &serde_json::Value, name: &str) -> Result<u64, String> {
    let wrong = || format!("{name} of the cursor is not a whole number from 0");
    let number = cursor.get(name).and_then(serde_json::Value::as_f64).ok_or_else(wrong)?;
    if number < 0.0 || number.fract() != 0.0 {
        return Err(wrong());
    }
    Ok(number.min(crate::protocol::MAX_INTEGER as f64) as u64)
}

/// One session's place on the board.
struct Place {
    client: ClientId,
    user: Arc<UserInfo>,
    state: Option<PresenceState>,
}

/// The presence of a document's sessions, in the coordinates of its durable head.
#[derive(Default)]
pub struct Board {
    /// Only sessions that have said where they are: an idle document has none.
    places: BTreeMap<SessionId, Place>,
    /// Sessions whose change has not been told yet.
    changed: Vec<SessionId>,
}

impl Board {
    /// Sets a session's state, given in the coordinates of the durable head, or says that it is gone. What is there
    /// already is not told again.
    pub fn set(
        &mut self,
        session: SessionId,
        client: ClientId,
        user: &Arc<UserInfo>,
        state: Option<PresenceState>,
        document_length: u64,
    ) {
        if state.is_none() && !self.places.contains_key(&session) {
            return;
        }
        let mut state = state;
        if let Some(state) = &mut state {
            state.clamp(document_length);
        }
        if self.places.get(&session).is_some_and(|place| place.state == state) {
            return;
        }
        self.places.insert(session, Place { client, user: user.clone(), state });
        if !self.changed.contains(&session) {
            self.changed.push(session);
        }
    }

    /// Says that a session is gone, if it had said where it is.
    pub fn remove(&mut self, session: SessionId) {
        if let Some(place) = self.places.get_mut(&session) {
            place.state = None;
            if !self.changed.contains(&session) {
                self.changed.push(session);
            }
        }
    }

    /// Moves every cursor through a committed operation of `author`.
    pub fn move_through(&mut self, delta: &Delta, author: ClientId) {
        for place in self.places.values_mut() {
            if let Some(state) = &mut place.state {
                state.move_through(delta, place.client == author);
            }
        }
    }

    /// Tells whether nobody is there, as far as anybody has said.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Tells whether there is something to tell.
    pub fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Takes what has changed since the last call, and forgets who is gone. `base` is the durable head.
    pub fn take_changes(&mut self, base: Version) -> Vec<Peer> {
        let changed = std::mem::take(&mut self.changed);
        let peers = changed.iter().filter_map(|session| self.peer(*session, base)).collect();
        self.places.retain(|_, place| place.state.is_some());
        peers
    }

    /// Returns everybody who is there. `base` is the durable head.
    pub fn peers(&self, base: Version) -> Vec<Peer> {
        let there = self.places.iter().filter(|(_, place)| place.state.is_some());
        there.filter_map(|(session, _)| self.peer(*session, base)).collect()
    }

    fn peer(&self, session: SessionId, base: Version) -> Option<Peer> {
        let place = self.places.get(&session)?;
        Some(Peer {
            session: session.to_string(),
            client: place.client,
            user: (*place.user).clone(),
            state: place.state.as_ref().map(PresenceState::to_json),
            base,
        })
    }
}

/// Moves a state that was given in the coordinates of an older version through the operations since.
pub fn catch_up<'a>(
    mut state: PresenceState,
    client: ClientId,
    since: impl Iterator<Item = (&'a Delta, ClientId)>,
) -> PresenceState {
    for (delta, author) in since {
        state.move_through(delta, author == client);
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::UserId;

    fn user() -> Arc<UserInfo> {
        Arc::new(UserInfo { id: UserId("guest:x".into()), name: "X".into(), color: "#000000".into() })
    }

    #[test]
    fn a_state_keeps_what_it_does_not_know() {
        let state =
            PresenceState::parse(r#"{"status":"typing","cursor":{"index":2,"length":0},"x":[1]}"#).unwrap();
        let json: serde_json::Value = serde_json::from_str(state.to_json().get()).unwrap();
        assert_eq!(json, serde_json::json!({"cursor":{"index":2,"length":0},"status":"typing","x":[1]}));
        assert_eq!(PresenceState::parse("{}").unwrap().to_json().get(), "{}");
    }

    #[test]
    fn a_cursor_beyond_the_end_is_clamped_and_a_negative_one_refused() {
        let (session, client) = (SessionId(1), ClientId::generate());
        let mut board = Board::default();
        let far = PresenceState::parse(
            r#"{"cursor":{"index":18446744073709551615,"length":18446744073709551615}}"#,
        );
        board.set(session, client, &user(), Some(far.unwrap()), 10);
        let json = board.take_changes(3)[0].state.as_ref().unwrap().get().to_owned();
        assert_eq!(json, r#"{"cursor":{"index":10,"length":0}}"#);
        assert!(PresenceState::parse(r#"{"cursor":{"index":-1,"length":0}}"#).is_err());
        assert!(PresenceState::parse("[1]").is_err());
    }

    #[test]
    fn what_is_on_the_board_already_is_not_told_again() {
        let (session, client) = (SessionId(1), ClientId::generate());
        let at = |index: u64, status: &str| {
            let json = format!(r#"{{"status":"{status}","cursor":{{"index":{index},"length":0}}}}"#);
            Some(PresenceState::parse(&json).unwrap())
        };
        let mut board = Board::default();
        board.set(session, client, &user(), at(2, "typing"), 10);
        board.take_changes(1);
        board.set(session, client, &user(), at(2, "typing"), 10);
        assert!(!board.has_changes());
        // The others have moved it themselves, and so has the board.
        board.move_through(&Delta::new().insert("ab", Default::default()), ClientId::generate());
        board.set(session, client, &user(), at(4, "typing"), 12);
        assert!(!board.has_changes());
        board.set(session, client, &user(), at(4, "idle"), 12);
        assert_eq!(board.take_changes(2).len(), 1);
    }

    #[test]
    fn who_leaves_is_told_once_and_forgotten() {
        let (session, client) = (SessionId(1), ClientId::generate());
        let mut board = Board::default();
        board.remove(session);
        assert!(!board.has_changes(), "it never said where it is");
        board.set(session, client, &user(), Some(PresenceState::parse("{}").unwrap()), 0);
        board.take_changes(0);
        board.remove(session);
        assert!(board.take_changes(0)[0].state.is_none());
        assert!(board.peers(0).is_empty() && !board.has_changes());
    }
}
