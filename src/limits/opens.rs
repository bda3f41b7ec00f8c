//! Openings of documents: so many a minute, of which those of somebody who only comes back do not count.
//!
//! An opening is counted before the upgrade, when only the caller is known. Which client it is comes with `hello`: one that was
//! in the document within the last hour has lost its line, and its opening is given back.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Who;
use super::rates::Rates;
use super::table::Table;
use crate::ids::{ClientId, DocumentId};
use crate::redis::buckets::Buckets;

/// How long a client is known.
const KNOWN_FOR: Duration = Duration::from_hours(1);

/// See the module's documentation.
pub struct Opens {
    rates: Arc<Rates>,
    /// When clients were last in documents.
    seen: Arc<Table<Instant>>,
    shared: Option<Buckets>,
}

/// An opening that was counted, until its client says who it is.
pub struct Opening {
    caller: Caller,
    rates: Arc<Rates>,
    seen: Arc<Table<Instant>>,
    shared: Option<Buckets>,
}

/// Who opens what.
#[derive(Clone, Hash)]
struct Caller {
    who: Who,
    doc: DocumentId,
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.doc, self.who)
    }
}

impl Opens {
    /// Limits openings to these rates, and knows so many clients.
    pub fn new(rates: Arc<Rates>, clients: usize, shared: Option<Buckets>) -> Self {
        // The one that was seen last is worth most.
        let start = Instant::now();
        let worth = move |seen: &Instant, _| seen.saturating_duration_since(start).as_secs_f32();
        Self { rates, seen: Arc::new(Table::new(clients, worth)), shared }
    }

    /// Counts an opening.
    ///
    /// # Errors
    /// The milliseconds until there may be another.
    pub async fn begin(&self, who: Who, doc: DocumentId) -> Result<Opening, u64> {
        let caller = Caller { who, doc };
        self.rates.take_from_all(&caller).await?;
        let (rates, seen, shared) = (self.rates.clone(), self.seen.clone(), self.shared.clone());
        Ok(Opening { caller, rates, seen, shared })
    }

    /// Tells in how many milliseconds the next opening may be; `None`: now.
    pub fn wait(&self, who: Who, doc: &DocumentId) -> Option<u64> {
        self.rates.wait(&Caller { who, doc: doc.clone() })
    }

    /// Takes note that a client is in a document, or was until now.
    pub fn saw(&self, doc: &DocumentId, client: ClientId) {
        saw(&self.seen, doc, client);
        if let Some(buckets) = &self.shared {
            buckets.remember(&client_name(doc, client), KNOWN_FOR);
        }
    }
}

/// Takes note of a client, and tells whether it is known.
fn saw(seen: &Table<Instant>, doc: &DocumentId, client: ClientId) -> bool {
    let (key, now) = (seen.key(&(doc, client)), Instant::now());
    let before = seen.look(key, |at| now.saturating_duration_since(*at) < KNOWN_FOR);
    seen.with(key, now, || now, |at| *at = now);
    before.unwrap_or_default()
}

fn client_name(doc: &DocumentId, client: ClientId) -> String {
    format!("seen:{doc}:{client}")
}

impl Opening {
    /// Takes note of who has opened it, and gives the opening back if it is one that has been there.
    pub async fn said_hello(self, client: ClientId) {
        let doc = &self.caller.doc;
        let name = client_name(doc, client);
        let known = saw(&self.seen, doc, client)
            || match &self.shared {
                Some(buckets) => buckets.remembers(&name).await,
                None => false,
            };
        if let Some(buckets) = &self.shared {
            buckets.remember(&name, KNOWN_FOR);
        }
        if known {
            self.rates.give_back(&self.caller).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::IntCounter;

    use super::*;
    use crate::ids::UserId;
    use crate::redis::buckets::Rate;

    fn opens(burst: f64) -> Opens {
        let refused = IntCounter::new("refused", "for a test").unwrap();
        let rate = Rate { per_second: 0.01, burst };
        Opens::new(Arc::new(Rates::new("opens", rate, 64, None, refused)), 64, None)
    }

    #[tokio::test]
    async fn who_comes_back_does_not_count_and_whoever_is_new_does() {
        let opens = opens(3.0);
        let doc: DocumentId = "d".parse().unwrap();
        let who = || Who::User(UserId("ada".into()));
        let client = ClientId::generate();
        for _ in 0..10 {
            opens
                .begin(who(), doc.clone())
                .await
                .expect("a client that only comes back")
                .said_hello(client)
                .await;
        }
        // Two are left: the first time it was new.
        for _ in 0..2 {
            assert_eq!(opens.wait(who(), &doc), None);
            let opening = opens.begin(who(), doc.clone()).await.expect("not too many");
            opening.said_hello(ClientId::generate()).await;
        }
        assert!(opens.begin(who(), doc.clone()).await.is_err());
        assert!(opens.wait(who(), &doc).is_some());
        // Neither other documents nor other people are concerned.
        assert_eq!(opens.wait(who(), &"e".parse().unwrap()), None);
        assert_eq!(opens.wait(Who::User(UserId("bob".into())), &doc), None);
    }
}
