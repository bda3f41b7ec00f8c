//! Second factors of accounts.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::{Answer, State, accounts, read};
use crate::http::auth::Caller;
use crate::http::body::Members;
use crate::http::openapi::{CodeBody, EnrolmentView, PasswordBody, RecoveryCodesView, RemoveTotpBody};

/// `POST /v1/auth/totp {"password"}`
#[utoipa::path(
    post, path = "/v1/auth/totp", tag = "accounts", summary = "Begin with a second factor",
    request_body = PasswordBody,
    responses((status = 200, description = "What the app is to keep", body = EnrolmentView))
)]
pub async fn enrol(request: HttpRequest, payload: web::Payload, caller: Caller, state: State) -> Answer {
    let (user, _) = caller.require_sign_in()?;
    let body = read(&request, payload).await?;
    let password: String = Members::read(&body)?.required("password")?;
    let enrolment = accounts(&state)?.enrol_totp(user, &password).await?;
    Ok(HttpResponse::Ok().json(json!({ "secret": enrolment.secret, "address": enrolment.address })))
}

/// `POST /v1/auth/totp/confirm {"code"}`
#[utoipa::path(
    post, path = "/v1/auth/totp/confirm", tag = "accounts", summary = "Show that the app has the second factor",
    request_body = CodeBody,
    responses((
        status = 200, description = "It is asked for from now on; the codes are for when the app is lost",
        body = RecoveryCodesView
    ))
)]
pub async fn confirm(request: HttpRequest, payload: web::Payload, caller: Caller, state: State) -> Answer {
    let (user, _) = caller.require_sign_in()?;
    let body = read(&request, payload).await?;
    let code: String = Members::read(&body)?.required("code")?;
    let codes = accounts(&state)?.confirm_totp(user, &code).await?;
    Ok(HttpResponse::Ok().json(json!({ "recovery_codes": codes })))
}

/// `POST /v1/auth/totp/remove {"password", "code"?}`
#[utoipa::path(
    post, path = "/v1/auth/totp/remove", tag = "accounts", summary = "Do without a second factor",
    request_body = RemoveTotpBody,
    responses((status = 204, description = "Done"))
)]
pub async fn remove(request: HttpRequest, payload: web::Payload, caller: Caller, state: State) -> Answer {
    let (user, _) = caller.require_sign_in()?;
    let body = read(&request, payload).await?;
    let members = Members::read(&body)?;
    let password: String = members.required("password")?;
    let code = members.get::<String>("code")?.unwrap_or_default();
    accounts(&state)?.remove_totp(user, &password, &code).await?;
    Ok(HttpResponse::NoContent().finish())
}
