//! What a document knows of its authors: exactly-once, and who they are.

use std::collections::HashMap;

use crate::ids::{ClientId, SessionId, UserId, Version};
use crate::storage::ClientRow;

/// One client that is connected or has an operation under way.
#[derive(Debug)]
pub struct Client {
    pub user: UserId,
    /// Highest committed `seq`, 0 without one.
    pub last_seq: u64,
    /// The version which that operation made.
    pub last_version: Version,
    /// Highest `seq` that is under way, and the version it will make if it commits.
    pub speculative: Option<(u64, Version)>,
    /// Its one live session.
    pub session: Option<SessionId>,
}

impl Client {
    /// Tells whether somebody may speak for this client. Guests may speak for each other, and it stays the first one's; the
    /// first signed-in user who presents a guest's has it from then on, and nobody else any more (protocol section 2).
    pub fn lets(&mut self, caller: &UserId) -> bool {
        if self.user.is_guest() && !caller.is_guest() {
            self.user.clone_from(caller);
        }
        self.user.is_guest() || self.user == *caller
    }

    /// Returns the version of its last operation, durable or under way: no base of it may be below.
    pub fn last_own_version(&self) -> Version {
        self.speculative.map_or(self.last_version, |(_, version)| version)
    }
}

/// The clients that are loaded; the others are in storage.
#[derive(Default)]
pub struct Clients {
    known: HashMap<ClientId, Box<Client>>,
    /// Whom the questions are about that are on their way to storage, once for each: what they bring back must not be older
    /// than what is known by then, so nothing is forgotten meanwhile.
    asked: Vec<ClientId>,
}

impl Clients {
    /// Tells whether storage need not be asked.
    pub fn knows(&self, client: ClientId) -> bool {
        self.known.contains_key(&client)
    }

    /// Returns a loaded client.
    pub fn get_mut(&mut self, client: ClientId) -> Option<&mut Client> {
        self.known.get_mut(&client).map(Box::as_mut)
    }

    /// Loads a client from its row in storage; without one it begins with `user`. One that is loaded already stays.
    pub fn load(&mut self, client: ClientId, user: &UserId, row: Option<ClientRow>) -> &mut Client {
        let make = || {
            let row = row.unwrap_or_else(|| ClientRow { user: user.clone(), last_seq: 0, last_version: 0 });
            Box::new(Client {
                user: row.user,
                last_seq: row.last_seq,
                last_version: row.last_version,
                speculative: None,
                session: None,
            })
        };
        self.known.entry(client).or_insert_with(make)
    }

    /// Takes note that storage is being asked about a client; [`Self::answered`] follows.
    pub fn ask(&mut self, client: ClientId) {
        self.asked.push(client);
    }

    /// Takes note that an answer is there, before it is used.
    pub fn answered(&mut self, client: ClientId) {
        if let Some(index) = self.asked.iter().position(|asked| *asked == client) {
            self.asked.swap_remove(index);
        }
        if self.asked.is_empty() {
            // Nearly always: a document that everybody has come to has no questions left.
            self.asked = Vec::new();
        }
    }

    /// Forgets a client that has neither a session nor an operation under way: storage knows it.
    pub fn unload_if_idle(&mut self, client: ClientId) {
        if self.asked.contains(&client) {
            return;
        }
        if self.known.get(&client).is_some_and(|c| c.session.is_none() && c.speculative.is_none()) {
            self.known.remove(&client);
        }
    }

    /// Forgets all that was under way but these: client, `seq`, and version to be, in order. Clients without a session
    /// are left to storage, as in [`Self::unload_if_idle`].
    pub fn keep_speculative(&mut self, kept: impl Iterator<Item = (ClientId, u64, Version)>) {
        for client in self.known.values_mut() {
            client.speculative = None;
        }
        for (client, seq, version) in kept {
            if let Some(client) = self.known.get_mut(&client) {
                client.speculative = Some((seq, version));
            }
        }
        let asked = &self.asked;
        self.known.retain(|id, client| {
            client.session.is_some() || client.speculative.is_some() || asked.contains(id)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_share_a_client_until_somebody_signs_in_with_it() {
        let guest = UserId::guest(ClientId::generate());
        let [ada, bob] = ["ada", "bob"].map(|id| UserId(id.into()));
        let mut clients = Clients::default();
        let client = clients.load(ClientId::generate(), &guest, None);
        assert!(client.lets(&UserId::guest_rest()) && client.lets(&UserId::guest(ClientId::generate())));
        assert_eq!(client.user, guest);
        assert!(client.lets(&ada));
        assert_eq!(client.user, ada);
        assert!(client.lets(&ada) && !client.lets(&bob) && !client.lets(&guest));
    }
}
