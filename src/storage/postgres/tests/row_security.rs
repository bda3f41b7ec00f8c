//! What the database itself keeps from a request that asks for too much.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor, Row};

use super::{Owner, TestDatabase, doc, entry, server};
use crate::ids::{DocumentId, UserId};
use crate::protocol::Role;
use crate::storage::annotations::{Annotations, Comment, NamedVersion};
use crate::storage::permissions::{Grant, LinkKey, Permissions, Reader, Requester, ShareLink, Subject};
use crate::storage::postgres::PostgresStore;
use crate::storage::postgres::sessions::statement;
use crate::storage::{
    AppendEntry, DocumentStore, ListQuery, OpLog, OpenError, OwnershipStore, Scope, Viewer,
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
        owner.store.set_link(&doc(), None).await.unwrap();
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
async fn a_login_that_is_no_superuser_serves_as_any_other() {
    let plain = Plain::new().await;
    plain.let_in().await;
    let store = plain.serve().await;
    assert_eq!(store.document(&doc()).await.unwrap().version, 3);
    assert_eq!(store.read_ops(&doc(), 0, 9, 9, 999).await.unwrap().len(), 3);
    let grant = Grant {
        subject: Subject::User(UserId("ann".into())),
        role: Role::Viewer,
        granted_by: UserId("owner".into()),
        granted_at: 1,
        expires_at: None,
    };
    store.grant(&doc(), &grant).await.unwrap();
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
    for nothing in ["permissions", "share_links", "comments", "named_versions"] {
        let all = AssertSqlSafe(format!("SELECT count(*) FROM {nothing}"));
        assert_eq!(found("owner", all).await.unwrap(), 0, "{nothing}");
    }
    // The log's content is out of reach, and so is everything that is written.
    for denied in [
        "SELECT count(delta) FROM ops",
        "SELECT count(*) FROM snapshots",
        "WITH w AS (UPDATE documents SET owner = 'eve' RETURNING 1) SELECT count(*) FROM w",
        "WITH w AS (DELETE FROM permissions RETURNING 1) SELECT count(*) FROM w",
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
        store.add_link(doc, &link, key, None).await.unwrap();
    }
    let ann = Subject::User(UserId("ann".into()));
    let granted_by = UserId("owner".into());
    let grant = Grant { subject: ann, role: Role::Editor, granted_by, granted_at: 1, expires_at: None };
    store.grant(&doc(), &grant).await.unwrap();

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
        let reader = Reader::Request(requester);
        let comments = store.comments(&doc(), &reader, None, 9).await.unwrap();
        let names = store.named_versions(&doc(), &reader, 9, 9).await.unwrap();
        let seen = usize::from(sees.is_some());
        assert_eq!((comments.len(), names.len()), (seen, seen), "{user} {link:?}");
    }
    // One without a filter finds what its transaction is for, though the owner may see both.
    let owner = requester("owner", None);
    let reader = Reader::Request(owner);
    for table in ["documents", "comments", "named_versions"] {
        let all = statement(AssertSqlSafe(format!("SELECT * FROM {table}")));
        assert_eq!(store.sessions.rows_for(&reader, &other, all).await.unwrap().len(), 1, "{table}");
    }
    store.revoke_link(&doc(), store.links(&doc(), None, 9).await.unwrap()[0].id, 5).await.unwrap();
    assert_eq!(store.said_of(&doc(), &requester("guest:1", Some(key))).await.unwrap(), None);
    store.close().await;
}

/// Says something of a document: a comment, and a name of its first version.
async fn comment_on(store: &PostgresStore, doc: &DocumentId) {
    let user = UserId("owner".into());
    let named =
        NamedVersion { version: 1, name: "first".into(), user: user.clone(), named_at: 1, made_at: 1 };
    store.name_version(doc, &named).await.unwrap();
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
    assert_eq!(store.add_comment(doc, &comment, None).await.unwrap(), None);
}

#[tokio::test]
async fn neither_role_owns_anything_or_passes_by_the_policies() {
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
    assert_eq!(forced, [&held[..], &["share_links", "user_groups"]].concat());
    store.close().await;
}
