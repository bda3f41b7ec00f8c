//! Comments, and how their anchors move along with the text.

use uuid::Uuid;

use super::{Documents, RepeatError};
use crate::actors::error::{ErrorCode, Refusal};
use crate::ids::{DocumentId, UserId, Version};
use crate::ot::Delta;
use crate::storage::annotations::{Anchor, Comment, CommentPatch, MovedAnchor, Repeat, Reserved};
use crate::storage::permissions::Asker;
use crate::storage::{DocumentRow, history};

/// Operations over which the anchors of one page are moved at once. What is left to do is done when they are read next.
const OPERATIONS: usize = 20_000;

/// Anchors that are no more versions behind are moved without waiting for a turn.
const NEAR: Version = 100;

/// Operations on a page of the log.
const PAGE: usize = 1_000;

/// A comment to be made.
pub struct NewComment {
    pub user: UserId,
    pub text: String,
    /// What it is about, or what it answers to.
    pub about: About,
}

/// See [`NewComment`].
#[derive(Clone, Copy)]
pub enum About {
    Text(Anchor),
    Comment(Uuid),
}

impl Documents {
    /// Adds a comment; of a request that is sent again, returns the one that it has added, as that is now.
    ///
    /// `NotFound` for a version, or a comment to be answered, that is not there, and for a comment that was removed since;
    /// `Conflict` when there are too many.
    pub async fn comment(
        &self,
        asker: &Asker,
        row: &DocumentRow,
        new: NewComment,
        repeat: Option<&Repeat>,
    ) -> Result<Comment, RepeatError> {
        self.may_write()?;
        if let Some(repeat) = repeat
            && let Some(reserved) = self.annotations()?.reserved(repeat).await?
        {
            return self.comment_of(asker, &row.id, repeat, &reserved).await;
        }
        let (parent, anchor) = match new.about {
            About::Comment(parent) => (Some(self.thread(asker, &row.id, parent).await?), None),
            About::Text(anchor) => {
                self.check_anchor(row, anchor).await?;
                (None, Some(anchor))
            }
        };
        let comment = Comment {
            id: Uuid::now_v7(),
            parent,
            user: new.user,
            text: new.text,
            created_at: self.clock.now(),
            edited_at: None,
            revision: 1,
            resolved: None,
            anchor,
        };
        let reserved = self.annotations()?.add_comment(asker, &row.id, &comment, repeat).await?;
        match repeat.zip(reserved) {
            // It has come twice at once.
            Some((repeat, reserved)) => self.comment_of(asker, &row.id, repeat, &reserved).await,
            None => Ok(comment),
        }
    }

    /// Reads the comment that a key stands for.
    async fn comment_of(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        repeat: &Repeat,
        reserved: &Reserved,
    ) -> Result<Comment, RepeatError> {
        let made = reserved.made.filter(|_| reserved.is_of(repeat)).ok_or(RepeatError::Differs)?;
        Ok(self.annotations()?.comment(asker, doc, made).await?)
    }

    /// Returns the comment that a thread begins with: an answer to an answer is one to that.
    async fn thread(&self, asker: &Asker, doc: &DocumentId, comment: Uuid) -> Result<Uuid, Refusal> {
        let found = self.annotations()?.comment(asker, doc, comment).await?;
        Ok(found.parent.unwrap_or(comment))
    }

    /// Makes sure that the text which a comment is about is there.
    async fn check_anchor(&self, row: &DocumentRow, anchor: Anchor) -> Result<(), Refusal> {
        let read = self.read(&row.id, Some(anchor.version)).await?;
        let length = read.content.length();
        let fits =
            anchor.length > 0 && anchor.index.checked_add(anchor.length).is_some_and(|end| end <= length);
        if fits {
            return Ok(());
        }
        let message = format!(
            "the anchor is {} units from {} on, of a text of {length} at version {}",
            anchor.length, anchor.index, anchor.version
        );
        Err(Refusal::new(ErrorCode::BadRequest, message))
    }

    /// Reads comments in order of time, at most `limit`, their anchors at the durable head `head` or as near to it as they came.
    pub async fn comments(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        head: Version,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Comment>, Refusal> {
        let mut comments = self.annotations()?.comments(asker, doc, after, limit).await?;
        self.bring_up_to_date(doc, head, &mut comments).await?;
        Ok(comments)
    }

    /// Reads one comment.
    pub async fn one_comment(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        head: Version,
        id: Uuid,
    ) -> Result<Comment, Refusal> {
        let mut comments = [self.annotations()?.comment(asker, doc, id).await?];
        self.bring_up_to_date(doc, head, &mut comments).await?;
        let [comment] = comments;
        Ok(comment)
    }

    /// Changes a comment, and returns it as it is then. `Conflict` when it has another revision than is to be changed.
    pub async fn change_comment(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        head: Version,
        id: Uuid,
        patch: CommentPatch,
    ) -> Result<Comment, Refusal> {
        self.may_write()?;
        let mut comments = [self.annotations()?.change_comment(asker, doc, id, &patch).await?];
        self.bring_up_to_date(doc, head, &mut comments).await?;
        let [comment] = comments;
        Ok(comment)
    }

    /// Removes a comment with its answers. `Conflict` when it has another revision than `only`.
    pub async fn remove_comment(
        &self,
        asker: &Asker,
        doc: &DocumentId,
        id: Uuid,
        only: Option<u64>,
    ) -> Result<(), Refusal> {
        self.may_write()?;
        if self.annotations()?.remove_comment(asker, doc, id, only).await? {
            return Ok(());
        }
        Err(Refusal::new(ErrorCode::NotFound, format!("comment {id} not found")))
    }

    /// Moves anchors over what was committed since, and has storage keep where they have come to: for that it is no matter
    /// whether it works.
    async fn bring_up_to_date(
        &self,
        doc: &DocumentId,
        head: Version,
        comments: &mut [Comment],
    ) -> Result<(), Refusal> {
        let behind = |comment: &&mut Comment| comment.anchor.is_some_and(|anchor| anchor.version < head);
        let mut moving: Vec<(Uuid, Version, &mut Anchor)> = comments
            .iter_mut()
            .filter(behind)
            .filter_map(|comment| {
                let anchor = comment.anchor.as_mut()?;
                Some((comment.id, anchor.version, anchor))
            })
            .collect();
        let Some(mut at) = moving.iter().map(|(_, from, _)| *from).min() else { return Ok(()) };
        // Beside others who read the past, if it is far.
        let _turn = if head - at > NEAR { Some(self.past.enter().await?) } else { None };
        let mut walked = 0;
        while at < head && walked < OPERATIONS {
            let page = self.store.read_ops(doc, at, head, PAGE, super::PAGE_BYTES).await?;
            if page.is_empty() {
                break;
            }
            for op in page {
                let delta = history::read_delta(doc, &op)?;
                // Each begins where it stands: those that are ahead wait for the others.
                for (_, _, anchor) in
                    moving.iter_mut().filter(|(_, _, anchor)| anchor.version + 1 == op.version)
                {
                    **anchor = moved(**anchor, &delta);
                }
                at = op.version;
                walked += 1;
                // One operation over all anchors is work enough for once: sockets live on this thread.
                tokio::task::yield_now().await;
            }
        }
        let moved = moving.into_iter().filter(|(_, from, anchor)| anchor.version > *from);
        let moved: Vec<_> =
            moved.map(|(comment, from, anchor)| MovedAnchor { comment, from, anchor: *anchor }).collect();
        if !moved.is_empty()
            && self.may_write().is_ok()
            && let Err(error) = self.annotations()?.move_anchors(doc, &moved).await
        {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(document_id = %doc, error, "anchors are moved again at the next reading");
        }
        Ok(())
    }
}

/// Where an anchor is after an edit. What is inserted at its edges is not part of it; once its text is gone, it stays where that
/// was.
fn moved(anchor: Anchor, edit: &Delta) -> Anchor {
    let version = anchor.version + 1;
    if anchor.length == 0 {
        return Anchor { index: edit.transform_position(anchor.index, true), length: 0, version };
    }
    let start = edit.transform_position(anchor.index, false);
    let end = edit.transform_position(anchor.index + anchor.length, true);
    Anchor { index: start.min(end), length: end.saturating_sub(start), version }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ot::Attributes;

    fn after(edit: &Delta) -> (u64, u64) {
        let anchor = moved(Anchor { index: 4, length: 3, version: 7 }, edit);
        assert_eq!(anchor.version, 8);
        (anchor.index, anchor.length)
    }

    fn at(place: u64) -> Delta {
        Delta::new().retain(place, Attributes::NONE)
    }

    #[test]
    fn an_anchor_stays_on_its_text() {
        let typed = |place| at(place).insert("ab", Attributes::NONE);
        assert_eq!(after(&typed(3)), (6, 3), "before it");
        assert_eq!(after(&typed(4)), (6, 3), "at its beginning");
        assert_eq!(after(&typed(5)), (4, 5), "in it");
        assert_eq!(after(&typed(7)), (4, 3), "at its end");
        assert_eq!(after(&at(2).delete(3)), (2, 2));
        assert_eq!(after(&at(6).delete(3)), (4, 2));
        assert_eq!(after(&at(4).retain(3, Attributes::NONE.with("bold", true))), (4, 3));
    }

    #[test]
    fn an_anchor_whose_text_is_gone_has_no_length_and_never_gets_one() {
        assert_eq!(after(&at(2).delete(9)), (2, 0));
        assert_eq!(after(&at(4).insert("xyz", Attributes::NONE).delete(3)).1, 0);
        let gone = Anchor { index: 2, length: 0, version: 1 };
        let typed = at(2).insert("ab", Attributes::NONE);
        assert_eq!(moved(gone, &typed), Anchor { index: 2, length: 0, version: 2 });
    }
}
