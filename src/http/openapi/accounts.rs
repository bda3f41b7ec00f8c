//! Bodies of the calls about accounts, and about what is kept of people.
#![allow(dead_code, reason = "nothing is ever made of these")]

use utoipa::ToSchema;

use crate::ids::Millis;

/// Who wants an account.
#[derive(ToSchema)]
pub struct RegisterBody {
    email: String,
    password: String,
    name: Option<String>,
}

/// Who signs in.
#[derive(ToSchema)]
pub struct LoginBody {
    email: String,
    password: String,
    /// Of the second factor, or a recovery code.
    totp: Option<String>,
    /// Whether the refresh token goes into a cookie instead of the body.
    cookie: Option<bool>,
}

/// Of which sign-in.
#[derive(ToSchema)]
pub struct RefreshBody {
    /// The cookie's, if it is absent.
    refresh_token: Option<String>,
}

/// A password and the one that takes its place.
#[derive(ToSchema)]
pub struct PasswordsBody {
    old: String,
    new: String,
}

/// Whose password was forgotten.
#[derive(ToSchema)]
pub struct EmailBody {
    email: String,
}

/// What the letter says, and the password from now on.
#[derive(ToSchema)]
pub struct NewPasswordBody {
    token: String,
    password: String,
}

/// The password, once more.
#[derive(ToSchema)]
pub struct PasswordBody {
    password: String,
}

/// What the app shows.
#[derive(ToSchema)]
pub struct CodeBody {
    code: String,
}

/// The password, and a code if there is a second factor.
#[derive(ToSchema)]
pub struct RemoveTotpBody {
    password: String,
    code: Option<String>,
}

/// What the app is to keep.
#[derive(ToSchema)]
pub struct EnrolmentView {
    secret: String,
    /// `otpauth://…`, for a QR code.
    address: String,
}

/// Codes that count once each.
#[derive(ToSchema)]
pub struct RecoveryCodesView {
    recovery_codes: Vec<String>,
}

/// The sign-ins of a user.
#[derive(ToSchema)]
pub struct SignInsView {
    sessions: Vec<SignInRow>,
}

/// A sign-in as its user sees it.
#[derive(ToSchema)]
#[schema(as = SignInView)]
pub struct SignInRow {
    id: String,
    /// As the browser or program calls itself.
    user_agent: String,
    created_at: Millis,
    /// When its token was last exchanged.
    used_at: Millis,
    expires_at: Millis,
    /// Whether it is the one that asks.
    current: bool,
}

/// What was erased.
#[derive(ToSchema)]
pub struct ErasedView {
    rows: u64,
    /// Documents that are gone.
    purged: u64,
    /// Whether names are still in logs, until the server starts again.
    pending: bool,
}

/// Providers whose accounts are taken.
#[derive(ToSchema)]
pub struct ProvidersView {
    providers: Vec<ProviderView>,
}

/// A provider.
#[derive(ToSchema)]
pub struct ProviderView {
    name: String,
    label: String,
}

/// How somebody wants to be called.
#[derive(ToSchema)]
pub struct RenameBody {
    #[schema(max_length = 64)]
    name: String,
}

/// Who has signed in proves once more who they are.
#[derive(ToSchema)]
pub struct EraseBody {
    password: Option<String>,
    totp: Option<String>,
}
