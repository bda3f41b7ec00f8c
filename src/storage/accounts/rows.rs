//! Rows as values.

use super::tables::Columns;
use super::{Credentials, ServiceToken, SignIn, SigningKey, Totp, User};
use crate::ids::UserId;

type Read<T> = Result<T, sqlx::Error>;

pub(super) fn user(row: &dyn Columns) -> Read<User> {
    Ok(User {
        id: UserId(row.text("id")?.into()),
        issuer: row.text("issuer")?,
        subject: row.text("subject")?,
        name: row.text("name")?,
        email: row.maybe_text("email")?,
        created_at: row.number("created_at")?,
        seen_at: row.number("seen_at")?,
        disabled_at: row.maybe_number("disabled_at")?,
        admin: row.flag("admin")?,
        may_create: row.flag("may_create")?,
    })
}

pub(super) fn credentials(row: &dyn Columns) -> Read<Credentials> {
    let (since, step) = (row.maybe_number("totp_since")?, row.number("totp_step")?);
    let totp = row.maybe_bytes("totp_secret")?.map(|secret| Totp { secret, since, step });
    Ok(Credentials { password: row.text("password")?, changed_at: row.number("changed_at")?, totp })
}

pub(super) fn sign_in(row: &dyn Columns) -> Read<SignIn> {
    Ok(SignIn {
        id: row.text("id")?,
        user: UserId(row.text("user_id")?.into()),
        user_agent: row.text("user_agent")?,
        created_at: row.number("created_at")?,
        used_at: row.number("used_at")?,
        expires_at: row.number("expires_at")?,
    })
}

pub(super) fn service_token(row: &dyn Columns) -> Read<ServiceToken> {
    Ok(ServiceToken {
        id: row.text("id")?,
        name: row.text("name")?,
        owner: UserId(row.text("owner")?.into()),
        scopes: row.text("scopes")?,
        created_at: row.number("created_at")?,
        expires_at: row.maybe_number("expires_at")?,
        used_at: row.maybe_number("used_at")?,
        ended_at: row.maybe_number("ended_at")?,
    })
}

pub(super) fn signing_key(row: &dyn Columns) -> Read<SigningKey> {
    let seed = row.bytes("seed")?.try_into();
    Ok(SigningKey {
        kid: row.text("kid")?,
        seed: seed.map_err(|_| sqlx::Error::Decode("a signing key has 32 bytes".into()))?,
        signs_from: row.number("signs_from")?,
        signs_until: row.number("signs_until")?,
        verifies_until: row.number("verifies_until")?,
    })
}
