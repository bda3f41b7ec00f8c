//! Second factors of accounts.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::{Answer, State, accounts, read, required};
use crate::http::auth::Caller;
use crate::http::body::Members;

/// `POST /v1/auth/totp {"password"}`
pub async fn enrol(request: HttpRequest, payload: web::Payload, caller: Caller, state: State) -> Answer {
    let (user, _) = caller.require_sign_in()?;
    let body = read(&request, payload).await?;
    let password: String = required(&Members::read(&body)?, "password")?;
    let enrolment = accounts(&state)?.enrol_totp(user, &password).await?;
    Ok(HttpResponse::Ok().json(json!({ "secret": enrolment.secret, "address": enrolment.address })))
}

/// `POST /v1/auth/totp/confirm {"code"}`
pub async fn confirm(request: HttpRequest, payload: web::Payload, caller: Caller, state: State) -> Answer {
    let (user, _) = caller.require_sign_in()?;
    let body = read(&request, payload).await?;
    let code: String = required(&Members::read(&body)?, "code")?;
    let codes = accounts(&state)?.confirm_totp(user, &code).await?;
    Ok(HttpResponse::Ok().json(json!({ "recovery_codes": codes })))
}

/// `POST /v1/auth/totp/remove {"password", "code"?}`
pub async fn remove(request: HttpRequest, payload: web::Payload, caller: Caller, state: State) -> Answer {
    let (user, _) = caller.require_sign_in()?;
    let body = read(&request, payload).await?;
    let members = Members::read(&body)?;
    let password: String = required(&members, "password")?;
    let code = members.get::<String>("code")?.unwrap_or_default();
    accounts(&state)?.remove_totp(user, &password, &code).await?;
    Ok(HttpResponse::NoContent().finish())
}
