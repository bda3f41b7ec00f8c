//! What every store does, whatever it is built on: one list of behaviours, run over each backend.
//!
//! A backend joins by a type that implements [`Backend`] and one more line of `run_over!`.

mod accounts;
mod annotations;
mod append;
mod audit;
mod documents;
mod events;
mod fixture;
mod forks;
mod log;
mod ownership;
mod permissions;
mod projections;
mod restraints;
mod segments;
mod shard_log;
mod snapshots;
mod watermarks;

use self::fixture::Backend;

/// Makes a test of each behaviour for one backend.
macro_rules! run_over {
    ($backend:ident, $make:expr) => {
        mod $backend {
            #[allow(unused_imports, reason = "not every backend's maker needs names from here")]
            use super::backends::*;
            use super::fixture::Fixture;

            run_over! { @all $make }
            run_over! { @database $make }
        }
    };
    // A log that has left the database as far as it may.
    (archived $backend:ident, $make:expr) => {
        mod $backend {
            use super::backends::*;
            use super::fixture::Fixture;

            run_over! { @all $make }
        }
    };
    // What is made of the log, and what is kept beside it.
    (projected $backend:ident, $make:expr) => {
        mod $backend {
            use super::backends::*;
            use super::fixture::Fixture;

            run_over! { @each $make;
                projections: a_document_stands_where_it_was_written;
                projections: a_change_follows_on_what_is_there_or_is_refused_whole;
                projections: a_watermark_moves_from_where_it_is;
                projections: activity_is_added_up_or_made_anew;
                projections: words_are_found_in_any_case_and_forgotten_with_the_text;
                projections: a_purge_takes_projections_along_and_nothing_comes_after_it;
                annotations: names_are_read_from_the_highest_version_down;
                annotations: a_document_has_so_many_names_and_no_more;
                annotations: comments_are_read_in_order_and_changed_as_they_were_seen;
                annotations: an_anchor_is_moved_from_where_it_was_read;
                annotations: a_purge_takes_names_and_comments_along_and_nothing_comes_after_it;
                annotations: a_key_stands_for_one_request_until_it_is_old;
                annotations: a_key_and_its_comment_are_there_together_or_not_at_all;
            }
        }
    };
    // Who may do what.
    (shared $backend:ident, $make:expr) => {
        mod $backend {
            use super::backends::*;
            use super::fixture::Fixture;

            run_over! { @each $make;
                permissions: what_is_granted_is_read_back_and_replaced;
                permissions: what_is_said_of_people_is_told_by_name_by_group_and_by_link;
                permissions: every_change_is_counted;
                permissions: what_has_ended_is_not_listed_and_makes_room;
                permissions: an_owner_hands_over_and_stays_an_editor;
                permissions: share_links_are_kept_without_their_token_and_end_once;
                permissions: a_group_has_a_manager_as_long_as_it_is;
                permissions: a_group_ends_with_what_was_given_to_it;
                permissions: documents_are_listed_to_those_who_may_see_them;
                permissions: a_purge_takes_permissions_along;
                permissions: what_is_not_there_is_not_found;
            }
        }
    };
    // Who people are, and what they have done.
    (known $backend:ident, $make:expr) => {
        mod $backend {
            use super::backends::*;
            use super::fixture::Fixture;

            run_over! { @each $make;
                accounts: a_user_is_found_by_id_and_by_what_the_issuer_says;
                accounts: a_user_from_elsewhere_is_made_once_and_seen_again;
                accounts: a_patch_changes_what_it_names_of_a_user;
                accounts: a_refresh_token_is_good_once_and_an_old_one_ends_its_family;
                accounts: of_two_exchanges_at_once_one_is_the_reuse;
                accounts: sign_ins_are_listed_ended_and_limited;
                accounts: a_new_password_ends_the_other_sign_ins;
                accounts: a_sign_in_begins_with_what_holds_then_and_ends_with_the_right_to_administer;
                accounts: an_address_is_proved_once_and_takes_what_others_have_set_up;
                accounts: what_was_sent_to_set_a_password_is_good_once_and_for_a_while;
                accounts: an_answer_of_a_provider_is_used_once;
                accounts: the_name_of_an_account_of_a_provider_is_its_owners;
                accounts: a_second_factor_is_asked_for_once_it_was_confirmed;
                accounts: service_tokens_are_found_by_hash_and_end;
                accounts: keys_to_administer_end_with_the_right_to_it;
                accounts: signing_keys_follow_each_other_until_their_last_token_has_ended;
                restraints: a_ban_holds_until_it_ends_or_is_lifted_and_replaces_an_earlier_one;
                restraints: a_quota_is_kept_replaced_and_forgotten;
                restraints: what_somebody_owns_is_counted_as_far_as_asked;
                audit: records_are_read_as_they_were_added_and_form_a_chain;
                audit: those_who_add_to_one_chain_at_once_wait_for_each_other;
                audit: records_are_found_newest_first_by_who_what_and_when;
                audit: old_records_go_and_a_checkpoint_stands_for_them;
            }
        }
    };
    // What has happened, and who is told of it.
    (told $backend:ident, $make:expr) => {
        mod $backend {
            use super::backends::*;
            use super::fixture::Fixture;

            run_over! { @each $make;
                events: what_happens_to_a_document_is_noted_with_it;
                events: a_change_of_text_is_noted_where_it_is_projected;
                events: notes_of_a_text_wait_until_one_is_due;
                events: events_follow_each_other_and_of_two_who_number_one_is_refused;
                events: a_purge_is_told_and_what_it_takes_is_not;
                events: old_events_go_and_the_last_one_stays;
                events: a_webhook_is_read_back_and_changed;
                events: who_is_shut_out_is_told_nothing;
                events: a_secret_is_sealed_anew_in_the_place_of_what_was_read;
                events: a_delivery_is_made_by_whoever_has_claimed_it;
                events: a_delivery_that_is_given_up_can_be_made_again;
                events: what_was_delivered_is_kept_for_a_while;
            }
        }
    };
    (@all $make:expr) => {
        run_over! { @each $make;
            append: operations_are_read_back_as_they_were_written;
            append: a_batch_of_thousands_is_one_transaction;
            append: an_entry_may_make_a_document_without_operations;
            append: several_entries_of_a_batch_may_follow_each_other;
            append: an_empty_batch_is_nothing;
            append: only_the_culprits_of_a_batch_are_named_and_nothing_is_written;
            append: a_version_is_taken_once;
            append: a_position_is_taken_once_and_none_is_left_out;
            append: an_id_is_given_once;
            append: a_document_that_does_not_exist_takes_no_operations;
            append: entries_behind_a_refused_one_are_not_culprits;
            append: touching_moves_a_document_to_the_front;
            log: a_range_is_read_by_number_and_by_bytes;
            log: a_range_beyond_the_head_is_empty;
            log: the_log_of_an_unknown_document_is_not_found;
            log: an_operation_is_found_by_client_and_seq;
            log: a_client_is_bound_to_its_first_user_and_never_goes_back;
            log: a_guests_client_passes_to_the_first_signed_in_user;
            log: the_clients_tell_what_the_log_has_come_to;
            log: positions_are_counted_by_shard;
            documents: a_document_is_read_with_its_head;
            documents: lists_are_paged_recent_first;
            documents: lists_are_searched_in_any_case_and_by_letter;
            documents: the_trash_is_a_list_of_its_own;
            documents: a_patch_changes_what_it_names;
            documents: what_is_unknown_is_not_found;
            annotations: a_document_that_was_changed_is_not_changed_under_a_condition;
            documents: a_purged_document_leaves_a_tombstone_only;
            documents: ids_are_listed_in_order_by_page;
            documents: purged_ids_are_listed_in_order_by_page;
            forks: a_fork_has_a_history_of_its_own_and_no_snapshots;
            forks: a_history_is_left_once;
            forks: forks_are_read_newest_first_and_go_with_the_document;
            snapshots: snapshots_are_read_newest_first;
            snapshots: a_snapshot_shows_in_its_document;
            snapshots: an_older_snapshot_recorded_later_does_not_show;
            snapshots: a_snapshot_and_a_touch_show_in_their_order;
            snapshots: a_snapshot_of_another_history_is_skipped;
            snapshots: a_version_recorded_again_is_replaced;
            snapshots: forgotten_snapshots_are_gone;
            ownership: a_claim_raises_every_epoch;
            ownership: an_append_under_another_epoch_is_fenced;
            ownership: raising_fences_what_was_appended_under_the_epoch_before;
            ownership: only_the_owner_raises_and_then_all_or_none;
            ownership: what_a_node_owns_is_listed_until_another_takes_it;
            watermarks: watermarks_are_kept_for_each_reader_and_never_go_back;
            ownership: an_owner_that_has_not_heard_of_its_raise_raises_again;
        }
    };
    // What is asked of the database alone: to be the second line, and to be read shard by shard.
    (@database $make:expr) => {
        run_over! { @each $make;
            append: a_seq_is_taken_once_however_old_it_is;
            shard_log: a_shard_is_read_in_order_of_position_and_page_by_page;
            shard_log: a_shard_is_read_whole_while_it_is_written_to_and_settles;
            shard_log: purged_documents_leave_gaps_that_a_reader_comes_over;
            segments: segments_are_read_in_order_as_they_were_recorded;
            segments: a_segment_follows_on_the_one_before_and_leaves_the_last_operation;
            segments: only_the_owner_archives;
            segments: only_what_is_archived_is_removed_and_the_log_goes_on;
            segments: what_is_ripe_ends_with_what_is_young_or_unread;
            segments: a_segment_takes_the_place_of_one_with_the_same_versions;
            segments: a_purge_takes_the_rows_of_segments_along;
        }
    };
    (@each $make:expr; $($module:ident: $behaviour:ident;)*) => {
        $(
            #[tokio::test]
            async fn $behaviour() {
                let fixture = Fixture::new(Box::new($make.await)).await;
                super::$module::$behaviour(fixture).await;
            }
        )*
    };
}

/// The backends, and SQLite in each state that a read can find an operation in.
mod backends {
    use std::sync::Arc;

    use super::Backend;
    use super::fixture::NODE;
    use crate::ids::SHARDS;
    use crate::storage::accounts::Accounts;
    use crate::storage::annotations::Annotations;
    use crate::storage::audit::AuditLog;
    use crate::storage::events::{Events, Webhooks};
    use crate::storage::permissions::Permissions;
    use crate::storage::projections::Projections;
    use crate::storage::sqlite::tests::TestStore;
    use crate::storage::{
        DataDir, LogState, MemoryStore, Objects, Segments, SharedStore, SqliteOptions, SqliteStore, Store,
        Tiers, postgres,
    };

    pub(super) struct Memory(pub(super) MemoryStore);

    #[async_trait::async_trait(?Send)]
    impl Backend for Memory {
        fn store(&self) -> &dyn Store {
            &self.0
        }

        async fn after_append(&mut self) {}
    }

    #[derive(Clone, Copy)]
    pub(super) enum State {
        Recent,
        Settled,
        Reopened,
    }

    pub(super) struct Sqlite {
        store: TestStore,
        state: State,
    }

    impl Sqlite {
        pub(super) async fn new(state: State) -> Self {
            Self { store: TestStore::new().await, state }
        }
    }

    #[async_trait::async_trait(?Send)]
    impl Backend for Sqlite {
        fn store(&self) -> &dyn Store {
            &*self.store
        }

        fn projections(&self) -> &dyn Projections {
            &*self.store
        }

        fn permissions(&self) -> &dyn Permissions {
            &*self.store
        }

        fn annotations(&self) -> &dyn Annotations {
            &*self.store
        }

        fn accounts(&self) -> &dyn Accounts {
            &*self.store
        }

        fn audit(&self) -> &dyn AuditLog {
            &*self.store
        }

        fn events(&self) -> &dyn Events {
            &*self.store
        }

        fn webhooks(&self) -> &dyn Webhooks {
            &*self.store
        }

        async fn after_append(&mut self) {
            match self.state {
                State::Recent => {}
                State::Settled => self.settle().await,
                State::Reopened => self.store.reopen().await,
            }
        }

        async fn settle(&self) {
            self.store.settle_now().await.unwrap();
        }
    }

    /// A store whose log is in segments, all but the last operation of each document.
    pub(super) struct Archived {
        tiers: Tiers,
        joined: SharedStore,
        sqlite: Option<Arc<SqliteStore>>,
        _folder: tempfile::TempDir,
    }

    impl Archived {
        fn over(warm: SharedStore) -> Self {
            let tiers = Tiers { warm, segments: Segments::over(Objects::in_memory()) };
            let folder = tempfile::tempdir().unwrap();
            Self { joined: tiers.joined(), tiers, sqlite: None, _folder: folder }
        }

        pub(super) fn memory() -> Self {
            Self::over(Arc::new(MemoryStore::new()))
        }

        pub(super) async fn sqlite() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let dir = DataDir::lock(folder.path()).unwrap();
            let store = Arc::new(SqliteStore::open(dir, &SqliteOptions::default()).await.unwrap());
            Self { sqlite: Some(store.clone()), _folder: folder, ..Self::over(store) }
        }

        pub(super) async fn postgres() -> Self {
            Self::over(Arc::new(postgres::tests::TestDatabase::new().await.open().await))
        }

        /// Archives what may be archived of one document, and leaves some of it in both places.
        async fn archive(&self, state: &LogState) {
            let doc = &state.doc;
            let owned = self.tiers.warm.owned(NODE).await.unwrap();
            let epoch = owned.into_iter().find(|(shard, _)| *shard == doc.shard()).unwrap().1;
            let (after, upto) = (state.archived, state.last - 1);
            let ops = self.tiers.warm.read_ops(doc, after, upto, usize::MAX, usize::MAX).await.unwrap();
            let segment = self.tiers.segments.write(doc, state.history, ops.into()).await.unwrap();
            self.tiers.warm.record_segment(epoch, &segment).await.unwrap();
            let half = segment.first.midpoint(segment.last);
            self.tiers.warm.remove_archived(doc, epoch, half, u32::MAX).await.unwrap();
        }
    }

    #[async_trait::async_trait(?Send)]
    impl Backend for Archived {
        fn store(&self) -> &dyn Store {
            &*self.joined
        }

        async fn after_append(&mut self) {
            if let Some(sqlite) = &self.sqlite {
                sqlite.settle_now().await.unwrap();
            }
            for state in self.tiers.warm.log_states(None, usize::MAX).await.unwrap() {
                // Where another node has taken the shards nothing is archived any more.
                if state.last > state.archived + 1
                    && self.tiers.warm.owned(NODE).await.unwrap().len() == SHARDS
                {
                    self.archive(&state).await;
                }
            }
        }
    }

    pub(super) struct Postgres(pub(super) postgres::tests::TestStore);

    #[async_trait::async_trait(?Send)]
    impl Backend for Postgres {
        fn store(&self) -> &dyn Store {
            &*self.0
        }

        fn projections(&self) -> &dyn Projections {
            &*self.0
        }

        fn permissions(&self) -> &dyn Permissions {
            &*self.0
        }

        fn annotations(&self) -> &dyn Annotations {
            &*self.0
        }

        fn accounts(&self) -> &dyn Accounts {
            &*self.0
        }

        fn audit(&self) -> &dyn AuditLog {
            &*self.0
        }

        fn events(&self) -> &dyn Events {
            &*self.0
        }

        fn webhooks(&self) -> &dyn Webhooks {
            &*self.0
        }

        async fn after_append(&mut self) {}
    }
}

run_over! { projected projections_sqlite, Sqlite::new(State::Recent) }
run_over! { projected projections_postgres, async { Postgres(crate::storage::postgres::tests::TestStore::new().await) } }
run_over! { shared permissions_sqlite, Sqlite::new(State::Recent) }
run_over! { shared permissions_postgres, async { Postgres(crate::storage::postgres::tests::TestStore::new().await) } }
run_over! { known accounts_sqlite, Sqlite::new(State::Recent) }
run_over! { known accounts_postgres, async { Postgres(crate::storage::postgres::tests::TestStore::new().await) } }
run_over! { told events_sqlite, Sqlite::new(State::Recent) }
run_over! { told events_postgres, async { Postgres(crate::storage::postgres::tests::TestStore::new().await) } }
run_over! { memory, async { Memory(crate::storage::MemoryStore::new()) } }
run_over! { sqlite_recent, Sqlite::new(State::Recent) }
run_over! { sqlite_settled, Sqlite::new(State::Settled) }
run_over! { sqlite_reopened, Sqlite::new(State::Reopened) }
run_over! { postgres, async { Postgres(crate::storage::postgres::tests::TestStore::new().await) } }
run_over! { archived archived_memory, async { Archived::memory() } }
run_over! { archived archived_sqlite, Archived::sqlite() }
run_over! { archived archived_postgres, Archived::postgres() }
