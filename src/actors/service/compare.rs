//! What leads from one content to another: differences between versions, going back to one, and what is imported.

use super::{Documents, Reading, RepeatError, RestOperation};
use crate::actors::document::Read;
use crate::actors::error::{ErrorCode, Refusal};
use crate::actors::session::frames::refuse_delta;
use crate::ids::{DocumentId, UserId, Version};
use crate::ot::{Attributes, Delta, Document};
use crate::storage::annotations::Repeat;
use crate::storage::history;

/// How often an operation is made anew when the document has gone on too far meanwhile.
const TRIES: usize = 3;

/// Where imported content goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placing {
    /// In the place of all that is there.
    Replace,
    /// Behind all that is there, from a new line on.
    Append,
}

impl Documents {
    /// Returns the edit that leads from one version to another, in whichever order they were made; without `to`, to the
    /// durable head. Returns the version that it leads to as well.
    ///
    /// Comparing is work like reading the past, and waits its turn with that.
    pub async fn diff(
        &self,
        doc: &DocumentId,
        from: Version,
        to: Option<Version>,
    ) -> Result<(Version, Delta), Refusal> {
        let head = self.ask(doc, || Read).await?;
        let to = to.unwrap_or(head.version);
        let _turn = self.past.enter().await?;
        let (old, new) =
            (self.version_beside(doc, &head, from).await?, self.version_beside(doc, &head, to).await?);
        Ok((to, difference(old, new).await?))
    }

    /// Takes the document back to what it was at a version, by an operation like any other: what others write meanwhile
    /// stays. Returns the version that it has made, once it is durable; of a request that is sent again, the one that it had made.
    pub async fn restore(
        &self,
        doc: &DocumentId,
        version: Version,
        user: &UserId,
        repeat: Option<&Repeat>,
    ) -> Result<Version, RepeatError> {
        let make = async |head: &Reading| {
            let _turn = self.past.enter().await?;
            let target = self.version_beside(doc, head, version).await?;
            difference(head.content.clone(), target).await
        };
        self.lead(doc, user, repeat, make).await
    }

    /// Puts content into a document, by one operation. Returns the version that it has made, once it is durable; of a request that is
    /// sent again, the one that it had made.
    pub async fn import(
        &self,
        doc: &DocumentId,
        content: Delta,
        placing: Placing,
        user: &UserId,
        repeat: Option<&Repeat>,
    ) -> Result<Version, RepeatError> {
        let target = Document::from_delta(&content).map_err(|error| refuse_delta(&error))?;
        if target.size() > self.limits.document_bytes {
            let message = format!("the content has {} bytes, more than a document may", target.size());
            return Err(Refusal::new(ErrorCode::TooLarge, message).into());
        }
        let make = async |head: &Reading| match placing {
            Placing::Replace => {
                let _turn = self.past.enter().await?;
                difference(head.content.clone(), target.clone()).await
            }
            Placing::Append => Ok(behind(&head.content, &content)),
        };
        self.lead(doc, user, repeat, make).await
    }

    /// Submits an operation that is made for the head, by a client of its own.
    async fn lead(
        &self,
        doc: &DocumentId,
        user: &UserId,
        repeat: Option<&Repeat>,
        make: impl AsyncFn(&Reading) -> Result<Delta, Refusal>,
    ) -> Result<Version, RepeatError> {
        self.may_write()?;
        let client = self.client_of(doc, repeat).await?;
        let mut outcome = Err(Refusal::unavailable("the document changes too fast"));
        for _ in 0..TRIES {
            let head = self.ask(doc, || Read).await?;
            let operation = RestOperation {
                doc: doc.clone(),
                client,
                seq: 1,
                user: user.clone(),
                base: head.version,
                delta: make(&head).await?,
            };
            outcome = self.submit(operation).await;
            if !matches!(&outcome, Err(refusal) if refusal.code == ErrorCode::StaleBase) {
                break;
            }
        }
        Ok(outcome?)
    }

    /// Reads the content at a version, by one who has the turn for it. `head` was just read.
    async fn version_beside(
        &self,
        doc: &DocumentId,
        head: &Reading,
        version: Version,
    ) -> Result<Document, Refusal> {
        if version == head.version {
            return Ok(head.content.clone());
        }
        if version > head.version {
            return Err(super::no_version(doc, version, head.version));
        }
        Ok(history::at(&*self.store, &self.bodies, doc, version).await?.content)
    }
}

/// Compares two contents on a thread that may be kept busy.
async fn difference(old: Document, new: Document) -> Result<Delta, Refusal> {
    let compared = super::blocking(move || old.to_delta().diff(&new.to_delta())).await?;
    compared.map_err(|error| refuse_delta(&error))
}

/// The edit that puts content behind all that is there.
fn behind(head: &Document, content: &Delta) -> Delta {
    let length = head.length();
    let mut edit = Delta::new().retain(length, Attributes::NONE);
    if length > 0 && !head.ends_line() {
        edit = edit.insert("\n", Attributes::NONE);
    }
    edit.concat(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_begins_on_a_line_of_its_own() {
        let content = Delta::new().insert("new\n", Attributes::NONE);
        let after = |json: &str| {
            let mut document = Document::from_json(json).unwrap();
            let edit = behind(&document, &content);
            document.apply(&edit).unwrap();
            document.text()
        };
        assert_eq!(after("[]"), "new\n");
        assert_eq!(after(r#"[{"insert":"old\n"}]"#), "old\nnew\n");
        assert_eq!(after(r#"[{"insert":"old"}]"#), "old\nnew\n");
        assert_eq!(after(r#"[{"insert":{"image":"a"}}]"#), "\u{fffc}\nnew\n");
    }
}
