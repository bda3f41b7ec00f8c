//! What people bring along, put into a document.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::access::Action;
use crate::actors::error::ErrorCode;
use crate::actors::service::Placing;
use crate::actors::session::frames::refuse_format;
use crate::formats::{AllowedFormats, Tangled, from_html, from_markdown, from_text};
use crate::http::access::permitted;
use crate::http::address::Client;
use crate::http::auth::Caller;
use crate::http::body;
use crate::http::conditions::Repeatable;
use crate::http::documents::initial_content;
use crate::http::openapi::{DeltaView, IdempotencyKey, MadeVersion};
use crate::http::problem::Problem;
use crate::http::rates;
use crate::http::state::HttpState;
use crate::ids::DocumentId;
use crate::ot::Delta;

/// How a body is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Delta,
    Text,
    Markdown,
    Html,
}

impl Source {
    /// Reads the `Content-Type`, without which nothing is read: text might be any of them.
    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let header = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = header.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        let known = [
            ("application/json", Self::Delta),
            ("text/plain", Self::Text),
            ("text/markdown", Self::Markdown),
            ("text/html", Self::Html),
        ];
        let found = known.into_iter().find(|(name, _)| media_type.eq_ignore_ascii_case(name));
        found.map(|(_, source)| source).ok_or_else(|| {
            let names = known.map(|(name, _)| name).join(", ");
            Problem::unsupported_media_type(format!("the Content-Type of an import is one of {names}"))
        })
    }

    /// Reads a body as a document that this server allows; linear in its size.
    fn read(self, body: &[u8], ops: usize, formats: &AllowedFormats) -> Result<Delta, Problem> {
        let text = std::str::from_utf8(body)
            .map_err(|error| Problem::bad_request(format!("the body is not UTF-8: {error}")))?;
        let content = match self {
            Self::Delta => return Ok(initial_content(text, ops, formats)?.unwrap_or_default()),
            Self::Text => from_text(text),
            Self::Markdown => from_markdown(text).map_err(tangled)?,
            Self::Html => from_html(text).map_err(tangled)?,
        };
        formats.check(&content).map_err(|why| refuse_format(&why))?;
        Ok(content)
    }
}

fn tangled(error: Tangled) -> Problem {
    Problem::bad_request(error.to_string())
}

/// What becomes of what is there.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    #[default]
    Replace,
    Append,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ImportParameters {
    #[serde(default)]
    #[param(inline)]
    mode: Mode,
}

/// `POST /v1/docs/{id}/import?mode=`: a delta, text, Markdown or HTML, by one operation.
#[utoipa::path(
    post, path = "/v1/docs/{id}/import", tag = "content", summary = "Put a file's content into a document",
    params(ImportParameters, IdempotencyKey),
    request_body(content(
        (DeltaView = "application/json"), (String = "text/plain"), (String = "text/markdown"), (String = "text/html"),
    )),
    responses((status = 200, description = "It is durable", body = MadeVersion))
)]
pub async fn import(
    request: HttpRequest,
    payload: web::Payload,
    doc: web::Path<DocumentId>,
    parameters: web::Query<ImportParameters>,
    caller: Caller,
    client: Client,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    permitted(&state, &caller, &doc, Action::Edit).await?;
    rates::take_operation(state.limiter(), &caller, client)?;
    let source = Source::of(&request)?;
    let repeatable = Repeatable::read(&request, &caller, state.sessions.clock.now())?;
    let limits = &state.sessions.limits;
    let largest =
        usize::try_from(limits.document_bytes).unwrap_or(usize::MAX).saturating_add(limits.frame_bytes);
    let body = body::read(&request, payload, largest).await?;
    let sessions = state.sessions.clone();
    let read = web::block(move || {
        let repeat = repeatable.map(|repeatable| repeatable.with(&body));
        source.read(&body, sessions.limits.ops, &sessions.formats).map(|content| (content, repeat))
    });
    let (content, repeat) =
        read.await.map_err(|_| Problem::new(ErrorCode::Unavailable, "the server is stopping"))??;
    // Reading the body may have taken a minute.
    permitted(&state, &caller, &doc, Action::Edit).await?;
    let placing = match parameters.mode {
        Mode::Replace => Placing::Replace,
        Mode::Append => Placing::Append,
    };
    let version = state.documents.import(&doc, content, placing, &caller.author(), repeat.as_ref()).await?;
    Ok(HttpResponse::Ok().json(json!({ "version": version })))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_content_type_says_how_a_body_is_read() {
        let of = |value: &str| {
            Source::of(&TestRequest::post().insert_header((CONTENT_TYPE, value)).to_http_request()).ok()
        };
        assert_eq!(of("text/markdown; charset=utf-8"), Some(Source::Markdown));
        assert_eq!(of("Text/HTML"), Some(Source::Html));
        assert_eq!(of("application/octet-stream"), None);
        assert!(Source::of(&TestRequest::post().to_http_request()).is_err());
    }

    #[test]
    fn a_body_becomes_a_document() {
        let read = |source: Source, body: &[u8]| {
            source.read(body, 10, &AllowedFormats::Any).map(|delta| delta.to_json())
        };
        assert_eq!(read(Source::Delta, b"[{\"insert\":\"a\"}]").unwrap(), r#"[{"insert":"a"}]"#);
        assert_eq!(read(Source::Text, b"# a").unwrap(), r##"[{"insert":"# a\n"}]"##);
        assert_eq!(
            read(Source::Markdown, b"# a").unwrap(),
            r#"[{"insert":"a"},{"insert":"\n","attributes":{"header":1}}]"#
        );
        assert!(read(Source::Delta, b"[{\"retain\":1}]").is_err());
        assert!(read(Source::Text, b"\xff").is_err());
    }
}
