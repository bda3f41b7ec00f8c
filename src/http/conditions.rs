//! Requests that are only meant for what their caller has seen (RFC 9110 section 13.1.1), and those that are only meant once.

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_TYPE, EntityTag, Header, IF_MATCH, IfMatch};
use sha2::{Digest as _, Sha256};

use crate::actors::error::{ErrorCode, Refusal};
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::ids::{Millis, UserId};
use crate::storage::annotations::Repeat;

/// The longest key of a request, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// Tells whether `If-Match` is there and names this tag; one that is there and does not refuses the request. `*` is no more than
/// that there is something at all.
///
/// # Errors
/// 412, or `bad_request` for a header that cannot be read.
pub fn if_match(request: &HttpRequest, tag: &str, what: &str) -> Result<bool, Problem> {
    if !request.headers().contains_key(IF_MATCH) {
        return Ok(false);
    }
    let named = IfMatch::parse(request)
        .map_err(|error| Problem::bad_request(format!("If-Match cannot be read: {error}")))?;
    let current = EntityTag::new_strong(tag.to_owned());
    match named {
        IfMatch::Any => Ok(false),
        IfMatch::Items(tags) if tags.iter().any(|tag| tag.strong_eq(&current)) => Ok(true),
        IfMatch::Items(_) => Err(changed(what)),
    }
}

/// What was to be changed under a condition, and was changed by somebody else meanwhile, is a condition that has failed.
pub fn refused(refusal: Refusal, has_condition: bool) -> Problem {
    if has_condition && refusal.code == ErrorCode::Conflict {
        return Problem::precondition_failed(refusal.message);
    }
    refusal.into()
}

/// A request that may be sent again, whose body is still to be read.
pub struct Repeatable {
    user: UserId,
    key: String,
    at: Millis,
    /// Has the call.
    digest: Sha256,
}

impl Repeatable {
    /// Reads `Idempotency-Key`, by which a request that is sent again is known. Where there is none the request is done as often as it
    /// comes.
    ///
    /// # Errors
    /// `bad_request` for what can be no key, and for more than one.
    pub fn read(request: &HttpRequest, caller: &Caller, at: Millis) -> Result<Option<Self>, Problem> {
        let Some(key) = idempotency_key(request)? else { return Ok(None) };
        let kind = request.headers().get(CONTENT_TYPE).map_or(&[][..], |kind| kind.as_bytes());
        let mut digest = Sha256::new();
        for part in [request.uri().to_string().as_bytes(), kind] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        Ok(Some(Self { user: caller.author(), key, at, digest }))
    }

    /// Adds the body; linear in its length.
    pub fn with(self, body: &[u8]) -> Repeat {
        let Self { user, key, at, digest } = self;
        Repeat { user, key, digest: digest.chain_update(body).finalize().into(), at }
    }
}

/// Reads a key: any text of 1 to 255 visible characters of ASCII.
fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let mut keys = request.headers().get_all("idempotency-key");
    let Some(key) = keys.next() else { return Ok(None) };
    let text = key.to_str().ok().filter(|_| keys.next().is_none()).map(str::trim);
    let text = text.filter(|text| (1..=MAX_KEY_BYTES).contains(&text.len()));
    text.map(|text| Some(text.to_owned())).ok_or_else(|| {
        Problem::bad_request(format!("Idempotency-Key is one text of 1 to {MAX_KEY_BYTES} bytes of ASCII"))
    })
}

fn changed(what: &str) -> Problem {
    Problem::precondition_failed(format!("{what} was changed since: read it again"))
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_condition_is_met_by_the_same_tag_alone() {
        let check = |value: &str| {
            let request = TestRequest::patch().insert_header((IF_MATCH, value)).to_http_request();
            if_match(&request, "a-1", "it").map_err(|problem| problem.status_code().as_u16())
        };
        assert_eq!(check("\"a-1\""), Ok(true));
        assert_eq!(check("\"a-0\", \"a-1\""), Ok(true));
        assert_eq!(check("*"), Ok(false));
        assert_eq!(check("\"a-2\""), Err(412));
        assert_eq!(check("W/\"a-1\""), Err(412), "weak tags never match here");
        assert!(!if_match(&TestRequest::patch().to_http_request(), "a-1", "it").unwrap());
    }
}
