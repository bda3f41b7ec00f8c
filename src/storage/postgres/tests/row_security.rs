//! What the database itself keeps from a request that asks for too much.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor, Row};

use super::{Owner, TestDatabase, doc, entry, server};
use crate::ids::{DocumentId, UserId};
use crate::protocol::Role;
use crate::storage::annotations::{Annotations, Comment, NamedVersion};
use crate::storage::permissions::{
    Asker, Grant, Group, GroupId, LinkKey, Member, Permissions, Requester, ShareLink, Subject,
};
use crate::storage::postgres::PostgresStore;
use crate::storage::postgres::sessions::statement;
use crate::storage::{
    AppendEntry, DocumentPatch, DocumentStore, ListQuery, OpLog, OpenError, OwnershipStore, Scope,
    StoreError, Viewer,
};

/// A schema that belongs to somebody who is no superuser and may not make roles.
struct Plain {
    database: TestDatabase,
    login: String,
}

impl Plain {
    async fn new() -> Self {
        // The roles are there from then on.
        TestDatabase::new().await.open().await.close().await;
        let login = format!("login_{}", uuid::Uuid::new_v4().simple());
        let schema = format!("test_{login}");
        run(&format!("CREATE ROLE {login} LOGIN PASSWORD 'x'")).await;
        run(&format!("CREATE SCHEMA {schema} AUTHORIZATION {login}")).await;
        let (_, place) = server().rsplit_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let database = TestDatabase { server: format!("postgres://{login}:x@{place}"), schema };
        Self { database, login }
    }

    async fn let_in(&self) {
        run(&format!("GRANT quire_service, quire_request TO {}", self.login)).await;
    }

    /// A server with a private document of `owner`'s and one that anybody may open.
    async fn serve(&self) -> PostgresStore {
        let store = self.database.open().await;
        let owner = Owner::new(store, "node-1").await;
        owner.append(1..=3).await.unwrap();
        let other = "other".parse().unwrap();
        let epoch = owner.epochs[usize::from(crate::ids::DocumentId::shard(&other))];
        let linked = AppendEntry { doc: other, epoch, ..entry(1..=1) };
        owner.store.append(&[linked]).await.unwrap();
        owner.store.set_link(&Asker::Server, &doc(), None).await.unwrap();
        owner.store
    }
}

/// Runs a statement as a superuser.
async fn run(statement: &str) {
    let mut conn = PgConnection::connect(&server()).await.unwrap();
    conn.execute(AssertSqlSafe(statement.to_owned())).await.unwrap();
    conn.close().await.unwrap();
}

fn viewer(user: &str) -> Viewer {
    Viewer { user: UserId(user.into()), now: 5 }
}

async fn listed(store: &PostgresStore, scope: Scope) -> Vec<(String, u64)> {
    let rows = store.list_documents(&ListQuery { scope, limit: 9, ..ListQuery::default() }).await.unwrap();
    let mut listed: Vec<_> = rows.into_iter().map(|row| (row.id.to_string(), row.version)).collect();
    listed.sort();
    listed
}

#[tokio::test]
async fn who_may_not_take_on_the_roles_is_told_what_to_have_done() {
    let plain = Plain::new().await;
    let refused = PostgresStore::open(plain.database.options()).await.unwrap_err();
    let OpenError::Server { source, .. } = &refused else { panic!("{refused:?}") };
    let wanted = format!("GRANT quire_service, quire_request TO {}", plain.login);
    assert!(source.to_string().contains(&wanted), "{source}");
    plain.let_in().await;
    plain.database.open().await;
}

#[tokio::test]
async fn a_login_that_does_not_own_its_schema_is_told_what_is_to_be_done() {
    let plain = Plain::new().await;
    plain.let_in().await;
    let (schema, login) = (&plain.database.schema, &plain.login);
    run(&format!("ALTER SCHEMA {schema} OWNER TO CURRENT_USER")).await;
    // As in the schema public.
    run(&format!("GRANT ALL ON SCHEMA {schema} TO {login}")).await;
    run(&format!("GRANT USAGE ON SCHEMA {schema} TO quire_service, quire_request")).await;
    let refused = PostgresStore::open(plain.database.options()).await.unwrap_err();
    let OpenError::Server { source, .. } = &refused else { panic!("{refused:?}") };
    let wanted = format!("GRANT CREATE ON SCHEMA {schema} TO quire_service");
    assert!(source.to_string().contains(&wanted), "{source}");
    run(&wanted).await;
    plain.database.open().await.close().await;
}

#[tokio::test]
async fn a_login_that_is_no_superuser_serves_as_any_other() {
    let plain = Plain::new().await;
    plain.let_in().await;
    let store = plain.serve().await;
    assert_eq!(store.document(&doc()).await.unwrap().version, 3);
    assert_eq!(store.read_ops(&doc(), 0, 9, 9, 999).await.unwrap().len(), 3);
    store.grant(&Asker::Server, &doc(), &grant_to("ann", Role::Viewer)).await.unwrap();
    let (own, linked) = (("doc".to_owned(), 3), ("other".to_owned(), 1));
    assert_eq!(listed(&store, Scope::Of(viewer("ann"))).await, std::slice::from_ref(&own));
    assert_eq!(listed(&store, Scope::OfAndLinked(viewer("eve"))).await, std::slice::from_ref(&linked));
    assert_eq!(listed(&store, Scope::Of(viewer("eve"))).await, []);
    assert_eq!(listed(&store, Scope::Of(viewer(""))).await, []);
    assert_eq!(listed(&store, Scope::All).await, [own, linked]);
    assert_eq!(store.check().await.unwrap(), [""; 0]);
    store.purge_document(&doc(), 9).await.unwrap();
    assert_eq!(store.owned("node-1").await.unwrap().len(), 256);
    store.close().await;
}

#[tokio::test]
async fn a_query_that_forgets_its_filter_finds_nothing() {
    let plain = Plain::new().await;
    plain.let_in().await;
    let store = plain.serve().await;
    let mut conn = plain.database.connect().await;
    let mut found = async |user: &str, query: AssertSqlSafe<String>| {
        conn.execute("BEGIN").await.unwrap();
        let begin = "SELECT set_config('quire.user', $1, true), set_config('role', 'quire_request', true)";
        sqlx::query(begin).bind(user).execute(&mut conn).await.unwrap();
        let row = sqlx::query(query).fetch_one(&mut conn).await;
        conn.execute("ROLLBACK").await.unwrap();
        row.map(|row| row.get::<i64, _>(0))
    };
    let all = || AssertSqlSafe("SELECT count(*) FROM documents".to_owned());
    assert_eq!(found("", all()).await.unwrap(), 0);
    assert_eq!(found("eve", all()).await.unwrap(), 0);
    assert_eq!(found("owner", all()).await.unwrap(), 2);
    for nothing in [
        "permissions",
        "share_links",
        "comments",
        "named_versions",
        "user_groups",
        "group_members",
        "repeats",
    ] {
        let all = AssertSqlSafe(format!("SELECT count(*) FROM {nothing}"));
        assert_eq!(found("owner", all).await.unwrap(), 0, "{nothing}");
    }
    // The log's content is out of reach, and so is whatever else is the server's own.
    for denied in [
        "SELECT count(delta) FROM ops",
        "SELECT count(*) FROM snapshots",
        "SELECT count(*) FROM users",
        "SELECT count(*) FROM event_outbox",
        "WITH w AS (UPDATE documents SET history = history RETURNING 1) SELECT count(*) FROM w",
        "WITH w AS (DELETE FROM documents RETURNING 1) SELECT count(*) FROM w",
        "WITH w AS (UPDATE group_members SET user_id = 'eve' RETURNING 1) SELECT count(*) FROM w",
    ] {
        let error = found("owner", AssertSqlSafe(denied.to_owned())).await.unwrap_err();
        assert!(error.to_string().contains("permission denied"), "{denied}: {error}");
    }
    store.close().await;
}

#[tokio::test]
async fn a_request_for_one_document_sees_that_one_and_only_if_its_requester_may() {
    let plain = Plain::new().await;
    plain.let_in().await;
    let store = plain.serve().await;
    let other: DocumentId = "other".parse().unwrap();
    let (key, foreign) = (LinkKey::generate().1, LinkKey::generate().1);
    for (doc, key) in [(&doc(), &key), (&other, &foreign)] {
        comment_on(&store, doc).await;
        let link = ShareLink {
            id: uuid::Uuid::new_v4(),
            role: Role::Viewer,
            made_by: UserId("owner".into()),
            made_at: 1,
            expires_at: None,
            revoked_at: None,
        };
        store.add_link(&Asker::Server, doc, &link, key, None).await.unwrap();
    }
    store.grant(&Asker::Server, &doc(), &grant_to("ann", Role::Editor)).await.unwrap();

    let requester = |user: &str, link| Requester { user: UserId(user.into()), link };
    // Who, by which link, and whether the document and what is said of it are seen.
    for (user, link, sees) in [
        ("owner", None, Some(0)),
        ("ann", None, Some(1)),
        ("ann", Some(key), Some(2)),
        ("guest:1", Some(key), Some(1)),
        ("guest:1", Some(foreign), None),
        ("guest:1", None, None),
        ("eve", None, None),
        ("", None, None),
        ("' OR TRUE --", None, None),
    ] {
        let requester = requester(user, link);
        let said = store.said_of(&doc(), &requester).await.unwrap();
        assert_eq!(said.map(|rules| rules.len()), sees, "{user} {link:?}");
        let asker = Asker::Request(requester);
        let comments = store.comments(&asker, &doc(), None, 9).await.unwrap();
        let names = store.named_versions(&asker, &doc(), 9, 9).await.unwrap();
        let seen = usize::from(sees.is_some());
        assert_eq!((comments.len(), names.len()), (seen, seen), "{user} {link:?}");
    }
    // One without a filter finds what its transaction is for, though the owner may see both.
    let owner = requester("owner", None);
    let asker = Asker::Request(owner);
    for table in ["documents", "comments", "named_versions"] {
        let all = statement(AssertSqlSafe(format!("SELECT * FROM {table}")));
        assert_eq!(store.sessions.rows_for(&asker, &other, all).await.unwrap().len(), 1, "{table}");
    }
    store
        .revoke_link(
            &Asker::Server,
            &doc(),
            store.links(&Asker::Server, &doc(), None, 9).await.unwrap()[0].id,
            5,
        )
        .await
        .unwrap();
    assert_eq!(store.said_of(&doc(), &requester("guest:1", Some(key))).await.unwrap(), None);
    store.close().await;
}

/// Says something of a document: a comment, and a name of its first version.
async fn comment_on(store: &PostgresStore, doc: &DocumentId) {
    let user = UserId("owner".into());
    let named =
        NamedVersion { version: 1, name: "first".into(), user: user.clone(), named_at: 1, made_at: 1 };
    store.name_version(&Asker::Server, doc, &named).await.unwrap();
    let comment = Comment {
        id: uuid::Uuid::now_v7(),
        parent: None,
        user,
        text: "said".into(),
        created_at: 1,
        edited_at: None,
        revision: 1,
        resolved: None,
        anchor: None,
    };
    assert_eq!(store.add_comment(&Asker::Server, doc, &comment, None).await.unwrap(), None);
}

/// What a statement comes to.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It changes so many rows.
    Rows(u64),
    /// The policies refuse what it writes.
    Denied,
}

#[tokio::test]
async fn a_request_writes_what_its_role_allows_and_about_its_document_alone() {
    use Outcome::{Denied, Rows};
    let plain = Plain::new().await;
    plain.let_in().await;
    let store = plain.serve().await;
    let other: DocumentId = "other".parse().unwrap();
    for doc in [&doc(), &other] {
        comment_on(&store, doc).await;
        for (user, role) in
            [("vic", Role::Viewer), ("cem", Role::Commenter), ("eda", Role::Editor), ("oda", Role::Owner)]
        {
            store.grant(&Asker::Server, doc, &grant_to(user, role)).await.unwrap();
        }
    }
    let comment = |by: &str, doc: &str| {
        format!(
            "INSERT INTO comments (doc_id, id, user_id, text, created_at, revision)
            VALUES ('{doc}', gen_random_uuid(), '{by}', 'x', 1, 1)"
        )
    };
    let grant = |by: &str, doc: &str| {
        format!(
            "INSERT INTO permissions (doc_id, kind, subject, role, granted_by, granted_at)
            VALUES ('{doc}', 'user', 'new', 'owner', '{by}', 1)"
        )
    };
    let name = |by: &str| {
        format!(
            "INSERT INTO named_versions (doc_id, version, name, user_id, named_at, made_at)
            VALUES ('doc', 2, 'x', '{by}', 1, 1)"
        )
    };
    let title = "UPDATE documents SET title = 'x'";
    let count = "UPDATE documents SET access_changes = access_changes + 1";
    // None of these says which document it means.
    let (own, link, bin) = (
        "UPDATE documents SET owner = 'x'",
        "UPDATE documents SET link_role = 'viewer'",
        "UPDATE documents SET deleted_at = 1",
    );
    let (rename, regrant) =
        ("UPDATE named_versions SET user_id = 'x'", "UPDATE permissions SET granted_by = 'x'");
    let (forget, settle, unname, unshare) = (
        "DELETE FROM comments",
        "UPDATE comments SET resolved_by = 'x'",
        "DELETE FROM named_versions",
        "DELETE FROM permissions",
    );
    let cases: Vec<(&str, String, Outcome)> = vec![
        ("eve", title.into(), Rows(0)),
        ("eve", unshare.into(), Rows(0)),
        ("eve", comment("eve", "doc"), Denied),
        ("", comment("", "doc"), Denied),
        ("vic", count.into(), Rows(1)),
        ("vic", title.into(), Denied),
        ("vic", comment("vic", "doc"), Denied),
        ("vic", forget.into(), Rows(0)),
        ("vic", grant("vic", "doc"), Denied),
        // Their own: whoever wants no part in it any more may leave.
        ("vic", unshare.into(), Rows(1)),
        ("cem", comment("cem", "doc"), Rows(1)),
        ("cem", comment("vic", "doc"), Denied),
        ("cem", comment("cem", "other"), Denied),
        ("cem", settle.into(), Rows(1)),
        ("cem", name("cem"), Denied),
        ("cem", title.into(), Denied),
        ("eda", title.into(), Rows(1)),
        ("eda", name("eda"), Rows(1)),
        ("eda", name("cem"), Denied),
        ("eda", rename.into(), Denied),
        ("eda", unname.into(), Rows(1)),
        ("eda", own.into(), Denied),
        ("eda", link.into(), Denied),
        ("eda", bin.into(), Denied),
        ("eda", grant("eda", "doc"), Denied),
        ("oda", link.into(), Rows(1)),
        ("oda", bin.into(), Rows(1)),
        // An owner by grant gives away nothing.
        ("oda", own.into(), Denied),
        ("owner", grant("owner", "doc"), Rows(1)),
        ("owner", grant("eda", "doc"), Denied),
        ("owner", grant("owner", "other"), Denied),
        ("owner", regrant.into(), Denied),
        ("owner", unshare.into(), Rows(4)),
        ("owner", own.into(), Rows(1)),
        ("owner", link.into(), Rows(1)),
        ("owner", bin.into(), Rows(1)),
    ];
    let mut conn = plain.database.connect().await;
    for (user, statement, expected) in cases {
        assert_eq!(
            outcome(&mut conn, ("doc", "doc"), user, &statement).await,
            expected,
            "{user}: {statement}"
        );
    }
    store.close().await;
}

#[tokio::test]
async fn somebody_who_leaves_while_others_write_is_not_refused() {
    let plain = Plain::new().await;
    plain.let_in().await;
    let store = plain.serve().await;
    store.grant(&Asker::Server, &doc(), &grant_to("vic", Role::Viewer)).await.unwrap();
    let mut conn = plain.database.connect().await;
    let edit = "BEGIN; SET LOCAL ROLE quire_service;
        UPDATE documents SET updated_at = updated_at + 1, preview = 'new' WHERE id = 'doc'";
    conn.execute(edit).await.unwrap();
    let vic = UserId("vic".into());
    let asker = Asker::Request(Requester { user: vic.clone(), link: None });
    let (doc, subject) = (doc(), Subject::User(vic));
    let edited = async {
        plain.database.wait_for_waiting(1).await;
        conn.execute("COMMIT").await.unwrap();
    };
    let (left, ()) = tokio::join!(store.revoke(&asker, &doc, &subject), edited);
    assert!(left.unwrap());
    store.close().await;
}

#[tokio::test]
async fn somebody_whose_access_has_just_gone_is_refused_and_not_told_that_the_document_has() {
    let plain = Plain::new().await;
    plain.let_in().await;
    let store = plain.serve().await;
    let asker = Asker::Request(Requester { user: UserId("eve".into()), link: None });
    let (eve, ann) = (UserId("eve".into()), UserId("ann".into()));
    let grant = grant_to("ann", Role::Viewer);
    let named = NamedVersion { version: 1, name: "x".into(), user: eve.clone(), named_at: 1, made_at: 1 };
    for doc in [doc(), "unknown".parse().unwrap()] {
        let refused = [
            store.grant(&asker, &doc, &grant).await,
            store.revoke(&asker, &doc, &grant.subject).await.map(drop),
            store.set_link(&asker, &doc, None).await,
            store.transfer(&asker, &doc, &eve, &ann, &eve, 1).await,
            store.revoke_link(&asker, &doc, uuid::Uuid::new_v4(), 1).await.map(drop),
            store.name_version(&asker, &doc, &named).await,
            store.patch_document(&asker, &doc, &DocumentPatch::default()).await.map(drop),
        ];
        let is_there = doc.as_str() == "doc";
        for refused in refused {
            assert!(
                matches!(&refused, Err(StoreError::Denied) if is_there)
                    || matches!(&refused, Err(StoreError::NotFound { .. }) if !is_there),
                "{doc}: {refused:?}"
            );
        }
    }
    store.close().await;
}

#[tokio::test]
async fn somebody_who_gives_away_what_is_given_away_just_then_is_told_so() {
    let plain = Plain::new().await;
    plain.let_in().await;
    let store = plain.serve().await;
    let mut conn = plain.database.connect().await;
    let given = "BEGIN; SET LOCAL ROLE quire_service; UPDATE documents SET owner = 'eve' WHERE id = 'doc'";
    conn.execute(given).await.unwrap();
    let (owner, ann) = (UserId("owner".into()), UserId("ann".into()));
    let asker = Asker::Request(Requester { user: owner.clone(), link: None });
    let doc = doc();
    let committed = async {
        plain.database.wait_for_waiting(1).await;
        conn.execute("COMMIT").await.unwrap();
    };
    let (late, ()) = tokio::join!(store.transfer(&asker, &doc, &owner, &ann, &owner, 1), committed);
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    store.close().await;
}

/// Runs a statement for somebody in a transaction that is about a document or a group, and takes it back.
async fn outcome(conn: &mut PgConnection, (what, id): (&str, &str), user: &str, statement: &str) -> Outcome {
    let begin = format!(
        "BEGIN; SELECT set_config('quire.user', '{user}', true), set_config('quire.{what}', '{id}', true),
            set_config('role', 'quire_request', true)"
    );
    conn.execute(AssertSqlSafe(begin)).await.unwrap();
    let done = conn.execute(AssertSqlSafe(statement.to_owned())).await;
    conn.execute("ROLLBACK").await.unwrap();
    match done {
        Ok(done) => Outcome::Rows(done.rows_affected()),
        Err(error) => {
            let denied = crate::storage::postgres::error::store_error(error);
            assert!(matches!(denied, StoreError::Denied), "{user}: {statement}: {denied:?}");
            Outcome::Denied
        }
    }
}

#[tokio::test]
async fn a_request_reads_and_changes_its_group_as_a_member_may() {
    use Outcome::{Denied, Rows};
    let plain = Plain::new().await;
    plain.let_in().await;
    let store = plain.serve().await;
    let user = |id: &str| UserId(id.into());
    let member = |id: &str, manager| Member { user: user(id), manager, added_by: user("max"), added_at: 1 };
    let mut groups = Vec::new();
    for _ in 0..2 {
        let group = Group { id: GroupId::generate(), name: "team".into(), made_by: user("max"), made_at: 1 };
        store.create_group(&Asker::Server, &group, None).await.unwrap();
        store.set_member(&Asker::Server, group.id, &member("mia", false)).await.unwrap();
        let subject = Subject::Group(group.id);
        let granted_by = user("owner");
        let grant = Grant { subject, role: Role::Editor, granted_by, granted_at: 1, expires_at: None };
        store.grant(&Asker::Server, &doc(), &grant).await.unwrap();
        groups.push(group.id);
    }
    let (own, other) = (groups[0], groups[1]);
    let join = |group: GroupId| format!("INSERT INTO group_members VALUES ('{group}', 'new', TRUE, 'x', 1)");
    let make = |by: &str, id: &str| format!("INSERT INTO user_groups VALUES ('{id}', 'x', '{by}', 1)");
    let (rename, unmake) = ("UPDATE user_groups SET name = 'x'", "DELETE FROM user_groups");
    let (see, put_out) = ("SELECT FROM group_members", "DELETE FROM group_members");
    let promote = "UPDATE group_members SET manager = TRUE";
    let withdraw = "DELETE FROM permissions";
    let mut conn = plain.database.connect().await;
    let cases: Vec<(&str, String, Outcome)> = vec![
        // Whoever is in both sees who is in the one that is asked about, and of the other that they are in it.
        ("max", see.into(), Rows(3)),
        ("mia", see.into(), Rows(3)),
        ("eve", see.into(), Rows(0)),
        ("", see.into(), Rows(0)),
        ("max", rename.into(), Rows(1)),
        ("mia", rename.into(), Rows(0)),
        ("eve", unmake.into(), Rows(0)),
        ("mia", join(own), Denied),
        ("eve", join(own), Denied),
        ("max", join(own), Rows(1)),
        ("max", join(other), Denied),
        ("mia", promote.into(), Rows(0)),
        ("max", promote.into(), Rows(2)),
        ("mia", put_out.into(), Rows(1)),
        ("max", put_out.into(), Rows(2)),
        ("mia", withdraw.into(), Rows(0)),
        ("max", withdraw.into(), Rows(1)),
        ("max", unmake.into(), Rows(1)),
        ("eve", make("eve", "another"), Denied),
        ("eve", make("max", &own.to_string()), Denied),
    ];
    for (user, statement, expected) in cases {
        let about = own.to_string();
        assert_eq!(
            outcome(&mut conn, ("group", &about), user, &statement).await,
            expected,
            "{user}: {statement}"
        );
    }
    let made = outcome(&mut conn, ("group", "another"), "eve", &make("eve", "another")).await;
    assert_eq!(made, Rows(1));
    store.close().await;
}

fn grant_to(user: &str, role: Role) -> Grant {
    let (subject, granted_by) = (Subject::User(UserId(user.into())), UserId("owner".into()));
    Grant { subject, role, granted_by, granted_at: 1, expires_at: None }
}

#[tokio::test]
async fn neither_role_owns_a_table_or_passes_by_the_policies() {
    let database = TestDatabase::new().await;
    let store = database.open().await;
    let mut conn = database.connect().await;
    let exempt = "SELECT count(*) FROM pg_roles WHERE rolname IN ('quire_service', 'quire_request')
        AND NOT rolsuper AND NOT rolbypassrls AND NOT rolcanlogin";
    assert_eq!(sqlx::query_scalar::<_, i64>(exempt).fetch_one(&mut conn).await.unwrap(), 2);
    let owned = "SELECT count(*) FROM pg_tables
        WHERE schemaname = current_schema() AND tableowner IN ('quire_service', 'quire_request')";
    assert_eq!(sqlx::query_scalar::<_, i64>(owned).fetch_one(&mut conn).await.unwrap(), 0);
    let forced = "SELECT relname::text FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relrowsecurity AND relforcerowsecurity ORDER BY 1";
    let forced: Vec<String> = sqlx::query_scalar(forced).fetch_all(&mut conn).await.unwrap();
    let held = ["comments", "documents", "group_members", "named_versions", "permissions"];
    assert_eq!(forced, [&held[..], &["repeats", "share_links", "user_groups"]].concat());
    store.close().await;
}
