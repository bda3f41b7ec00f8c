//! What is in a document, now or at a version.

use actix_web::http::header::{ETAG, EntityTag, Header, IF_NONE_MATCH, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::access::Action;
use crate::actors::error::ErrorCode;
use crate::actors::service::Reading;
use crate::formats::{sanitised, to_html, to_markdown, to_text};
use crate::http::access::{Permitted, permitted};
use crate::http::address::Client;
use crate::http::auth::Caller;
use crate::http::openapi::ContentView;
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ids::{DocumentId, HistoryId, Version};
use crate::ot::Document;

/// What a page with a document's HTML may do when it is opened by itself: show text and images.
const HTML_POLICY: &str = "sandbox; default-src 'none'; img-src 'self' data: http: https:; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// Which content, and how it is written.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ContentParameters {
    /// The durable head, if it is absent.
    #[param(value_type = Option<u64>)]
    version: Option<Version>,
    #[serde(default)]
    #[param(inline)]
    format: Format,
}

/// How content is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Delta,
    Text,
    Markdown,
    Html,
}

impl Format {
    fn media_type(self) -> &'static str {
        match self {
            Self::Delta => "application/json",
            Self::Text => "text/plain; charset=utf-8",
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
        }
    }

    /// Writes content; linear in its size.
    fn write(self, version: Version, content: &Document) -> Vec<u8> {
        match self {
            Self::Delta => {
                let mut json = format!("{{\"version\":{version},\"content\":").into_bytes();
                content.write_json(&mut json);
                json.push(b'}');
                json
            }
            Self::Text => to_text(&content.to_delta()).into_bytes(),
            Self::Markdown => to_markdown(&content.to_delta()).into_bytes(),
            Self::Html => sanitised(&to_html(&content.to_delta())).into_bytes(),
        }
    }
}

/// `GET /v1/docs/{id}/content?version=&format=`
#[utoipa::path(
    get, path = "/v1/docs/{id}/content", tag = "content", summary = "Read the content, now or at a version",
    params(ContentParameters),
    responses(
        (status = 200, description = "The content", headers(("ETag" = String, description = "History and version")), content(
            (ContentView = "application/json"), (String = "text/plain"), (String = "text/markdown"), (String = "text/html"),
        )),
        (status = 304, description = "The reader has it"),
    )
)]
pub async fn read(
    request: HttpRequest,
    doc: web::Path<DocumentId>,
    parameters: web::Query<ContentParameters>,
    caller: Caller,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let ContentParameters { version, format } = parameters.into_inner();
    answer(&request, &state, &caller, &doc, version, format).await
}

/// Answers with content, or that the reader has it already.
pub async fn at_version(
    request: &HttpRequest,
    state: &HttpState,
    caller: &Caller,
    doc: &DocumentId,
    version: Version,
) -> Result<HttpResponse, Problem> {
    answer(request, state, caller, doc, Some(version), Format::Delta).await
}

async fn answer(
    request: &HttpRequest,
    state: &HttpState,
    caller: &Caller,
    doc: &DocumentId,
    version: Option<Version>,
    format: Format,
) -> Result<HttpResponse, Problem> {
    let Permitted { row, live, .. } = permitted(state, caller, doc, Action::Read).await?;
    let head = live.as_ref().map_or(row.version, |live| live.version.max(row.version));
    let asked = version.unwrap_or(head);
    if asked <= head && has_already(request, &tag(row.history, asked)) {
        return Ok(tagged(HttpResponse::NotModified(), &tag(row.history, asked)).finish());
    }
    let Reading { history, version, content, .. } =
        state.documents.content(&row, live.as_ref(), version).await?;
    // A large document takes long to write, and sockets live on this thread.
    let written = web::block(move || format.write(version, &content)).await;
    let written = written.map_err(|_| Problem::new(ErrorCode::Unavailable, "the server is stopping"))?;
    let mut response = tagged(HttpResponse::Ok(), &tag(history, version));
    response.content_type(format.media_type());
    if format == Format::Html {
        response.insert_header(("Content-Security-Policy", HTML_POLICY));
    }
    Ok(response.body(state.body_for(Client::of(request), written)?))
}

/// The entity tag of content: a version of a history never changes.
fn tag(history: HistoryId, version: Version) -> EntityTag {
    EntityTag::new_strong(format!("{history}-{version}"))
}

/// Content may be kept, but is asked for every time: it ends with the document, or with the permission to read it.
fn tagged(mut response: HttpResponseBuilder, tag: &EntityTag) -> HttpResponseBuilder {
    response.insert_header((ETAG, tag.to_string())).insert_header(("Cache-Control", "private, no-cache"));
    response
}

/// Tells whether the reader holds what has this tag (RFC 9110 section 13.1.2, by weak comparison).
pub fn has_already(request: &HttpRequest, tag: &EntityTag) -> bool {
    if !request.headers().contains_key(IF_NONE_MATCH) {
        return false;
    }
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(held)) => held.iter().any(|held| held.weak_eq(tag)),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_reader_has_what_it_names() {
        let tag = EntityTag::new_strong("h-1".to_owned());
        let has = |held: &str| {
            has_already(&TestRequest::get().insert_header((IF_NONE_MATCH, held)).to_http_request(), &tag)
        };
        for held in ["\"h-1\"", "W/\"h-1\"", "\"a\", \"h-1\"", "*"] {
            assert!(has(held), "{held}");
        }
        for other in ["\"h-2\"", "h-1", ""] {
            assert!(!has(other), "{other}");
        }
        assert!(!has_already(&TestRequest::get().to_http_request(), &tag));
    }

    #[test]
    fn content_is_written_in_each_format() {
        let content =
            Document::from_json(r#"[{"insert":"a"},{"insert":"\n","attributes":{"header":1}}]"#).unwrap();
        let written = |format: Format| String::from_utf8(format.write(7, &content)).unwrap();
        assert_eq!(
            written(Format::Delta),
            r#"{"version":7,"content":[{"insert":"a"},{"insert":"\n","attributes":{"header":1}}]}"#
        );
        assert_eq!(written(Format::Text), "a\n");
        assert_eq!(written(Format::Markdown), "# a\n");
        assert_eq!(written(Format::Html), "<h1>a</h1>\n");
    }
}
