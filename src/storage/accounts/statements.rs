//! Accounts over any database that runs the statements. Each call is one statement, or a list of them in one transaction, in which
//! every condition is in the SQL: of two that come at once, one finds the other's work done.

use async_trait::async_trait;

use super::tables::{Columns, Statement, Tables, all, one};
use super::{
    Accounts, Credentials, Hash, OWN_ISSUER, RefreshHash, Revoked, Rotation, ServiceToken, SignIn,
    SigningKey, User, UserPatch, rows,
};
use crate::ids::{Millis, UserId};
use crate::storage::StoreError;

const CREATE_USER: &str = "INSERT INTO users
    (id, issuer, subject, name, email, created_at, seen_at, disabled_at, admin, may_create)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
/// A row that is there under another id keeps it: what a token says of an issuer's name has changed.
const SEE_USER: &str = "INSERT INTO users
    (id, issuer, subject, name, email, created_at, seen_at, disabled_at, admin, may_create)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT DO NOTHING";
/// The name of an account that signs in here is its owner's affair, and not its token's; that of somebody who is disabled comes back with
/// no token.
const SEEN: &str = "UPDATE users SET seen_at = $2, name = COALESCE($3, name)
    WHERE id = $1 AND seen_at < $2 AND disabled_at IS NULL";
const CREATE_CREDENTIALS: &str =
    "INSERT INTO credentials (user_id, password, changed_at) VALUES ($1, $2, $3)";
const USER: &str = "SELECT * FROM users WHERE id = $1";
const USER_BY_SUBJECT: &str = "SELECT * FROM users WHERE issuer = $1 AND subject = $2";
const USERS: &str = "SELECT * FROM users WHERE id > $1 ORDER BY id LIMIT $2";
const PATCH_USER: &str = "UPDATE users SET
        name = COALESCE($2, name),
        admin = CASE WHEN $3 THEN $4 ELSE admin END,
        may_create = CASE WHEN $5 THEN $6 ELSE may_create END,
        disabled_at = CASE WHEN $7 THEN $8 ELSE disabled_at END
    WHERE id = $1
    RETURNING *";
const END_ALL_SIGN_INS: &str = "UPDATE sign_ins SET ended_at = $2
    WHERE user_id = $1 AND ended_at IS NULL AND id <> $3
    RETURNING id";
/// A scope is a word, and no other has this one in it.
const END_ADMIN_TOKENS: &str = "UPDATE service_tokens SET ended_at = $2
    WHERE owner = $1 AND ended_at IS NULL AND scopes LIKE '%admin%'
    RETURNING id";
const CREDENTIALS: &str = "SELECT * FROM credentials WHERE user_id = $1";
const HAS_CREDENTIALS: &str = "SELECT 1 FROM credentials LIMIT 1";
const SET_PASSWORD: &str = "UPDATE credentials SET password = $2, changed_at = $3 WHERE user_id = $1";
const END_SURPLUS: &str = "UPDATE sign_ins SET ended_at = $2
    WHERE user_id = $1 AND ended_at IS NULL AND id NOT IN (
        SELECT id FROM sign_ins WHERE user_id = $1 AND ended_at IS NULL ORDER BY used_at DESC, id LIMIT $3
    )";
const BEGIN_SIGN_IN: &str = "INSERT INTO sign_ins
    (id, user_id, family, token, user_agent, created_at, used_at, expires_at)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8
    WHERE EXISTS (SELECT 1 FROM users WHERE id = $2 AND disabled_at IS NULL)
        AND (
            $9 IS NULL
            OR EXISTS (SELECT 1 FROM credentials WHERE user_id = $2 AND password = $9)
        )
    RETURNING id";
const ROTATE: &str = "UPDATE sign_ins SET token = $3, used_at = $4
    WHERE family = $1 AND token = $2 AND ended_at IS NULL AND expires_at > $4
        AND EXISTS (SELECT 1 FROM users WHERE users.id = sign_ins.user_id AND users.disabled_at IS NULL)
    RETURNING *";
/// After [`ROTATE`], in the same transaction: a family that is alive and whose token is neither the old nor the new one.
const END_REUSED: &str = "UPDATE sign_ins SET ended_at = $4
    WHERE family = $1 AND token <> $2 AND token <> $3 AND ended_at IS NULL
    RETURNING *";
const USER_OF_FAMILY: &str = "SELECT users.* FROM users JOIN sign_ins ON users.id = sign_ins.user_id
    WHERE sign_ins.family = $1";
const SIGN_INS: &str = "SELECT * FROM sign_ins
    WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2
    ORDER BY used_at DESC, id";
const END_SIGN_IN: &str = "UPDATE sign_ins SET ended_at = $3
    WHERE user_id = $1 AND id = $2 AND ended_at IS NULL
    RETURNING id";
const END_FAMILY: &str =
    "UPDATE sign_ins SET ended_at = $2 WHERE family = $1 AND ended_at IS NULL RETURNING id";
const FORGET_UNPROVED: [&str; 2] = [
    "UPDATE credentials SET totp_secret = NULL, totp_since = NULL, totp_step = 0
        WHERE user_id = $1 AND address_proved_at IS NULL",
    "DELETE FROM recovery_codes WHERE user_id = $1
        AND EXISTS (SELECT 1 FROM credentials WHERE user_id = $1 AND address_proved_at IS NULL)",
];
const PROVE_ADDRESS: &str =
    "UPDATE credentials SET address_proved_at = $2 WHERE user_id = $1 AND address_proved_at IS NULL";
const FORGET_RESETS: &str = "DELETE FROM password_resets WHERE user_id = $1";
const PUT_RESET: &str = "INSERT INTO password_resets (hash, user_id, expires_at) VALUES ($1, $2, $3)";
const TAKE_RESET: &str = "DELETE FROM password_resets WHERE hash = $1 AND expires_at > $2 RETURNING user_id";
const PROPOSE_TOTP: &str = "UPDATE credentials SET totp_secret = $2, totp_step = 0
    WHERE user_id = $1 AND totp_since IS NULL
    RETURNING user_id";
const CONFIRM_TOTP: &str = "UPDATE credentials SET totp_since = $3, totp_step = $2
    WHERE user_id = $1 AND totp_secret IS NOT NULL AND totp_since IS NULL AND totp_step < $2
    RETURNING user_id";
const ADD_RECOVERY_CODE: &str = "INSERT INTO recovery_codes (user_id, hash)
    SELECT $1, $2 WHERE EXISTS (
        SELECT 1 FROM credentials WHERE user_id = $1 AND totp_since = $3 AND totp_step = $4
    )
    ON CONFLICT DO NOTHING";
const TAKE_TOTP_STEP: &str = "UPDATE credentials SET totp_step = $2
    WHERE user_id = $1 AND totp_since IS NOT NULL AND totp_step < $2
    RETURNING user_id";
const TAKE_RECOVERY_CODE: &str =
    "DELETE FROM recovery_codes WHERE user_id = $1 AND hash = $2 RETURNING user_id";
const FORGET_RECOVERY_CODES: &str = "DELETE FROM recovery_codes WHERE user_id = $1";
const REMOVE_TOTP: &str =
    "UPDATE credentials SET totp_secret = NULL, totp_since = NULL, totp_step = 0 WHERE user_id = $1";
const USE_ANSWER: &str = "INSERT INTO used_answers (state, expires_at) VALUES ($1, $2)
    ON CONFLICT DO NOTHING
    RETURNING expires_at";
const CREATE_SERVICE_TOKEN: &str = "INSERT INTO service_tokens
    (id, hash, name, owner, scopes, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
const SERVICE_TOKEN: &str = "SELECT * FROM service_tokens WHERE hash = $1";
const SERVICE_TOKENS: &str = "SELECT * FROM service_tokens ORDER BY created_at DESC, id LIMIT $1";
const SERVICE_TOKENS_OF: &str =
    "SELECT * FROM service_tokens WHERE owner = $2 ORDER BY created_at DESC, id LIMIT $1";
const END_SERVICE_TOKEN: &str =
    "UPDATE service_tokens SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL RETURNING id";
const SEE_SERVICE_TOKEN: &str = "UPDATE service_tokens SET used_at = $2 WHERE id = $1";
const SIGNING_KEYS: &str = "SELECT * FROM signing_keys WHERE verifies_until > $1 ORDER BY signs_from, kid";
const ADD_SIGNING_KEY: &str = "INSERT INTO signing_keys (kid, seed, signs_from, signs_until, verifies_until)
    SELECT $1, $2, $3, $4, $5
    WHERE NOT EXISTS (SELECT 1 FROM signing_keys WHERE signs_until >= $4)";
/// Bounded, since every server holds them: those disabled last. Of an own account all sign-ins have ended as well.
const DISABLED: &str =
    "SELECT id, disabled_at FROM users WHERE disabled_at IS NOT NULL ORDER BY disabled_at DESC LIMIT 100000";
const ENDED: &str = "SELECT id FROM sign_ins WHERE ended_at > $1
    UNION ALL SELECT id FROM service_tokens WHERE ended_at > $1";
const SWEEP: [&str; 5] = [
    "DELETE FROM sign_ins WHERE ended_at < $1 OR expires_at < $1",
    "DELETE FROM signing_keys WHERE verifies_until < $1",
    "DELETE FROM password_resets WHERE expires_at < $1",
    "DELETE FROM used_answers WHERE expires_at < $1",
    // Of those who are gone nobody looks at what has ended.
    "DELETE FROM service_tokens WHERE ended_at < $1 AND owner IN (SELECT u.id FROM users AS u WHERE u.issuer = 'erased')",
];

pub(super) type Answer<T> = Result<T, StoreError>;

#[async_trait]
impl<T: Tables> Accounts for T {
    async fn create_user(&self, user: &User, password: Option<&str>) -> Answer<()> {
        let mut statements = vec![user_row(CREATE_USER, user)];
        if let Some(password) = password {
            let credentials = Statement::new(CREATE_CREDENTIALS).with(user.id.as_str());
            statements.push(credentials.with(password).with(user.created_at));
        }
        self.write(statements).await.map(|_| ())
    }

    async fn see_users(&self, users: &[User]) -> Answer<()> {
        let seen = |user: &User| {
            let seen = Statement::new(SEEN).with(user.id.as_str()).with(user.seen_at);
            seen.with((user.issuer != OWN_ISSUER).then_some(user.name.as_str()))
        };
        let statements = users.iter().flat_map(|user| [user_row(SEE_USER, user), seen(user)]);
        self.write(statements.collect()).await.map(|_| ())
    }

    async fn user(&self, id: &UserId) -> Answer<Option<User>> {
        one(&self.read(Statement::new(USER).with(id.as_str())).await?, rows::user)
    }

    async fn user_by_subject(&self, issuer: &str, subject: &str) -> Answer<Option<User>> {
        one(&self.read(Statement::new(USER_BY_SUBJECT).with(issuer).with(subject)).await?, rows::user)
    }

    async fn users(&self, after: Option<&UserId>, limit: usize) -> Answer<Vec<User>> {
        let after = after.map_or("", UserId::as_str);
        all(&self.read(Statement::new(USERS).with(after).with(limit as i64)).await?, rows::user)
    }

    async fn patch_user(&self, id: &UserId, patch: &UserPatch, at: Millis) -> Answer<Option<User>> {
        let update = Statement::new(PATCH_USER)
            .with(id.as_str())
            .with(patch.name.as_deref())
            .with(patch.admin.is_some())
            .with(patch.admin.unwrap_or_default())
            .with(patch.may_create.is_some())
            .with(patch.may_create.unwrap_or_default())
            .with(patch.disabled_at.is_some())
            .with(patch.disabled_at.flatten());
        let mut statements = vec![update];
        let disabled = matches!(patch.disabled_at, Some(Some(_)));
        if disabled || patch.admin == Some(false) {
            statements.push(Statement::new(END_ALL_SIGN_INS).with(id.as_str()).with(at).with(""));
        }
        if patch.admin == Some(false) {
            statements.push(Statement::new(END_ADMIN_TOKENS).with(id.as_str()).with(at));
        }
        if disabled {
            statements.push(Statement::new(FORGET_RESETS).with(id.as_str()));
        }
        let answers = self.write(statements).await?;
        answers.first().map_or(Ok(None), |rows| one(rows, rows::user))
    }

    async fn credentials(&self, user: &UserId) -> Answer<Option<Credentials>> {
        one(&self.read(Statement::new(CREDENTIALS).with(user.as_str())).await?, rows::credentials)
    }

    async fn has_credentials(&self) -> Answer<bool> {
        Ok(!self.read(Statement::new(HAS_CREDENTIALS)).await?.is_empty())
    }

    async fn set_password(
        &self,
        user: &UserId,
        password: &str,
        at: Millis,
        keep: Option<&str>,
    ) -> Answer<Vec<String>> {
        let user = user.as_str();
        let statements = vec![
            Statement::new(SET_PASSWORD).with(user).with(password).with(at),
            Statement::new(FORGET_RESETS).with(user),
            Statement::new(END_ALL_SIGN_INS).with(user).with(at).with(keep.unwrap_or_default()),
        ];
        let answers = self.write(statements).await?;
        answers.last().map_or(Ok(Vec::new()), |rows| all(rows, id))
    }

    async fn begin_sign_in(
        &self,
        sign_in: &SignIn,
        token: &RefreshHash,
        password: Option<&str>,
        most: usize,
    ) -> Answer<bool> {
        let user = sign_in.user.as_str();
        let stay = most.saturating_sub(1) as i64;
        let begin = Statement::new(BEGIN_SIGN_IN)
            .with(sign_in.id.as_str())
            .with(user)
            .with(&token.family[..])
            .with(&token.token[..])
            .with(sign_in.user_agent.as_str())
            .with(sign_in.created_at)
            .with(sign_in.used_at)
            .with(sign_in.expires_at)
            .with(password);
        let surplus = Statement::new(END_SURPLUS).with(user).with(sign_in.created_at).with(stay);
        let answers = self.write(vec![surplus, begin]).await?;
        Ok(answers.last().is_some_and(|rows| !rows.is_empty()))
    }

    async fn rotate(&self, old: &RefreshHash, new: &Hash, at: Millis) -> Answer<Rotation> {
        let bound = |sql| {
            let statement = Statement::new(sql).with(&old.family[..]).with(&old.token[..]);
            statement.with(&new[..]).with(at)
        };
        let user = Statement::new(USER_OF_FAMILY).with(&old.family[..]);
        let answers = self.write(vec![bound(ROTATE), bound(END_REUSED), user]).await?;
        let [rotated, reused, user] = &answers[..] else { return Ok(Rotation::Unknown) };
        if let Some((sign_in, user)) = one(rotated, rows::sign_in)?.zip(one(user, rows::user)?) {
            return Ok(Rotation::Rotated(sign_in, user));
        }
        Ok(one(reused, rows::sign_in)?.map_or(Rotation::Unknown, Rotation::Reused))
    }

    async fn sign_ins(&self, user: &UserId, at: Millis) -> Answer<Vec<SignIn>> {
        all(&self.read(Statement::new(SIGN_INS).with(user.as_str()).with(at)).await?, rows::sign_in)
    }

    async fn end_sign_in(&self, user: &UserId, id: &str, at: Millis) -> Answer<bool> {
        self.changes(Statement::new(END_SIGN_IN).with(user.as_str()).with(id).with(at)).await
    }

    async fn end_family(&self, family: &Hash, at: Millis) -> Answer<Option<String>> {
        let answers = self.write(vec![Statement::new(END_FAMILY).with(&family[..]).with(at)]).await?;
        answers.first().map_or(Ok(None), |rows| one(rows, id))
    }

    async fn prove_address(&self, user: &UserId, at: Millis) -> Answer<()> {
        let user = user.as_str();
        let [totp, codes] = FORGET_UNPROVED.map(|sql| Statement::new(sql).with(user));
        let prove = Statement::new(PROVE_ADDRESS).with(user).with(at);
        self.write(vec![codes, totp, prove]).await.map(|_| ())
    }

    async fn put_reset(&self, hash: &Hash, user: &UserId, expires_at: Millis) -> Answer<()> {
        let user = user.as_str();
        let put = Statement::new(PUT_RESET).with(&hash[..]).with(user).with(expires_at);
        self.write(vec![Statement::new(FORGET_RESETS).with(user), put]).await.map(|_| ())
    }

    async fn take_reset(&self, hash: &Hash, at: Millis) -> Answer<Option<UserId>> {
        let answers = self.write(vec![Statement::new(TAKE_RESET).with(&hash[..]).with(at)]).await?;
        let user = |row: &dyn Columns| Ok(UserId(row.text("user_id")?.into()));
        answers.first().map_or(Ok(None), |rows| one(rows, user))
    }

    async fn propose_totp(&self, user: &UserId, secret: &[u8]) -> Answer<bool> {
        self.changes(Statement::new(PROPOSE_TOTP).with(user.as_str()).with(secret)).await
    }

    async fn confirm_totp(&self, user: &UserId, step: i64, codes: &[Hash], at: Millis) -> Answer<bool> {
        let user = user.as_str();
        let confirm = Statement::new(CONFIRM_TOTP).with(user).with(step).with(at);
        let add =
            |code: &Hash| Statement::new(ADD_RECOVERY_CODE).with(user).with(&code[..]).with(at).with(step);
        let statements = std::iter::once(confirm).chain(codes.iter().map(add)).collect();
        Ok(self.write(statements).await?.first().is_some_and(|rows| !rows.is_empty()))
    }

    async fn take_totp_step(&self, user: &UserId, step: i64) -> Answer<bool> {
        self.changes(Statement::new(TAKE_TOTP_STEP).with(user.as_str()).with(step)).await
    }

    async fn take_recovery_code(&self, user: &UserId, code: &Hash) -> Answer<bool> {
        self.changes(Statement::new(TAKE_RECOVERY_CODE).with(user.as_str()).with(&code[..])).await
    }

    async fn remove_totp(&self, user: &UserId) -> Answer<()> {
        let user = user.as_str();
        let statements = [REMOVE_TOTP, FORGET_RECOVERY_CODES].map(|sql| Statement::new(sql).with(user));
        self.write(statements.into()).await.map(|_| ())
    }

    async fn use_answer(&self, state: &Hash, expires_at: Millis) -> Answer<bool> {
        self.changes(Statement::new(USE_ANSWER).with(&state[..]).with(expires_at)).await
    }

    async fn create_service_token(&self, token: &ServiceToken, hash: &Hash) -> Answer<()> {
        let create = Statement::new(CREATE_SERVICE_TOKEN)
            .with(token.id.as_str())
            .with(&hash[..])
            .with(token.name.as_str())
            .with(token.owner.as_str())
            .with(token.scopes.as_str())
            .with(token.created_at)
            .with(token.expires_at);
        self.write(vec![create]).await.map(|_| ())
    }

    async fn service_token(&self, hash: &Hash) -> Answer<Option<(ServiceToken, User)>> {
        let found = self.read(Statement::new(SERVICE_TOKEN).with(&hash[..])).await?;
        let Some(token) = one(&found, rows::service_token)? else { return Ok(None) };
        let owner = self.user(&token.owner).await?;
        Ok(owner.map(|owner| (token, owner)))
    }

    async fn service_tokens(&self, owner: Option<&UserId>, limit: usize) -> Answer<Vec<ServiceToken>> {
        let statement = match owner {
            None => Statement::new(SERVICE_TOKENS).with(limit as i64),
            Some(owner) => Statement::new(SERVICE_TOKENS_OF).with(limit as i64).with(owner.as_str()),
        };
        all(&self.read(statement).await?, rows::service_token)
    }

    async fn end_service_token(&self, id: &str, at: Millis) -> Answer<bool> {
        self.changes(Statement::new(END_SERVICE_TOKEN).with(id).with(at)).await
    }

    async fn see_service_token(&self, id: &str, at: Millis) -> Answer<()> {
        self.write(vec![Statement::new(SEE_SERVICE_TOKEN).with(id).with(at)]).await.map(|_| ())
    }

    async fn signing_keys(&self, at: Millis) -> Answer<Vec<SigningKey>> {
        all(&self.read(Statement::new(SIGNING_KEYS).with(at)).await?, rows::signing_key)
    }

    async fn add_signing_key(&self, key: &SigningKey) -> Answer<()> {
        let add = Statement::new(ADD_SIGNING_KEY)
            .with(key.kid.as_str())
            .with(&key.seed[..])
            .with(key.signs_from)
            .with(key.signs_until)
            .with(key.verifies_until);
        self.write(vec![add]).await.map(|_| ())
    }

    async fn revoked(&self, since: Millis) -> Answer<Revoked> {
        let users = self.read(Statement::new(DISABLED)).await?;
        let credentials = self.read(Statement::new(ENDED).with(since)).await?;
        let user = |row: &dyn Columns| Ok((UserId(row.text("id")?.into()), row.number("disabled_at")?));
        Ok(Revoked { users: all(&users, user)?, credentials: all(&credentials, id)? })
    }

    async fn sweep(&self, before: Millis) -> Answer<()> {
        self.write(SWEEP.map(|sql| Statement::new(sql).with(before)).into()).await.map(|_| ())
    }
}

/// What the calls above are shortened by.
#[async_trait]
trait Changes: Tables {
    /// Runs a statement that returns what it has changed; tells whether that is anything.
    async fn changes(&self, statement: Statement) -> Answer<bool> {
        let answers = self.write(vec![statement]).await?;
        Ok(answers.first().is_some_and(|rows| !rows.is_empty()))
    }
}

impl<T: Tables> Changes for T {}

fn user_row(sql: &'static str, user: &User) -> Statement {
    Statement::new(sql)
        .with(user.id.as_str())
        .with(user.issuer.as_str())
        .with(user.subject.as_str())
        .with(user.name.as_str())
        .with(user.email.as_deref())
        .with(user.created_at)
        .with(user.seen_at)
        .with(user.disabled_at)
        .with(user.admin)
        .with(user.may_create)
}

fn id(row: &dyn Columns) -> Result<String, sqlx::Error> {
    row.text("id")
}
