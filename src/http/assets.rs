//! The pages: built by `web/`, embedded into the binary, so that the server is one file.
//!
//! A debug build reads them from `web/dist` instead, so that they can be built anew under a running server.

use std::borrow::Cow;

use actix_web::http::header::{
    ACCEPT_ENCODING, AcceptEncoding, ContentEncoding, ETAG, Encoding, EntityTag, Header, VARY,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::http::content::has_already;
use crate::http::problem::Problem;

/// What the pages consist of. The path is relative to the manifest, whatever folder the program runs in.
#[derive(RustEmbed)]
#[folder = "web/dist"]
struct Files;

/// What pages may load and do: everything is their own, nothing inline runs.
///
/// WebAssembly is allowed for the hash by which a replica notices that it has diverged; it gives no way to run text as
/// script. Style attributes are allowed, without which text that is pasted from other programs loses its formatting;
/// images may come from anywhere, as documents hold their addresses.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; style-src-attr 'unsafe-inline'; \
    font-src 'self'; img-src 'self' data: blob: http: https:; connect-src 'self'; manifest-src 'self'; \
    worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Names under `/assets` have the hash of their content in them.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Everything else is asked for every time, and mostly not sent again.
const ASK_AGAIN: &str = "no-cache";

/// Shown when the pages have not been built.
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>quire</title>\
    <h1>The pages are not built</h1><p>The server runs, and its API answers under <code>/v1</code>. \
    <code>make run</code> builds the pages and starts it with them.</p></html>";

/// `GET /`, `GET /d/{id}`, `GET /sign-in`, `GET /reset`, `GET /account`, `GET /admin`: one page, which looks at its address itself.
pub async fn page(request: HttpRequest) -> HttpResponse {
    match serve(&request, "index.html", ASK_AGAIN) {
        Some(response) => response,
        None => HttpResponse::ServiceUnavailable().content_type("text/html; charset=utf-8").body(NOT_BUILT),
    }
}

/// `GET /assets/{name}`
pub async fn asset(request: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    // In a debug build names are paths on the disk.
    let plain = !name.contains(['/', '\\']);
    let found = plain.then(|| serve(&request, &format!("assets/{name}"), FOR_EVER));
    found.flatten().ok_or_else(|| {
        Problem::not_found("there is no such file; a page of another version may have asked for it")
    })
}

fn serve(request: &HttpRequest, path: &str, caching: &'static str) -> Option<HttpResponse> {
    let plain = Files::get(path)?;
    let (file, encoding) = smallest(request, path).unwrap_or((plain.clone(), Encoding::identity()));
    let hash = file.metadata.sha256_hash();
    let tag = EntityTag::new_strong(hex::encode(&hash[..16]));
    let held = has_already(request, &tag);
    let mut response = if held { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((ETAG, tag.to_string()))
        .insert_header(("Cache-Control", caching))
        .insert_header((VARY, ACCEPT_ENCODING.as_str()))
        .insert_header(("Content-Security-Policy", PAGE_POLICY));
    if held {
        return Some(response.finish());
    }
    response.content_type(media_type(plain.metadata.mimetype()).into_owned());
    Some(body(response, file, encoding))
}

fn body(mut response: HttpResponseBuilder, file: EmbeddedFile, encoding: Encoding) -> HttpResponse {
    match encoding {
        Encoding::Known(ContentEncoding::Brotli) => response.insert_header(("Content-Encoding", "br")),
        Encoding::Known(ContentEncoding::Gzip) => response.insert_header(("Content-Encoding", "gzip")),
        _ => &mut response,
    };
    match file.data {
        Cow::Borrowed(embedded) => response.body(embedded),
        Cow::Owned(read) => response.body(read),
    }
}

/// Finds the compressed file beside `path` that the browser prefers, if the build has made one.
fn smallest(request: &HttpRequest, path: &str) -> Option<(EmbeddedFile, Encoding)> {
    let accepted = AcceptEncoding::parse(request).ok()?;
    let made: Vec<(EmbeddedFile, Encoding)> = [("br", Encoding::brotli()), ("gz", Encoding::gzip())]
        .into_iter()
        .filter_map(|(ending, encoding)| Some((Files::get(&format!("{path}.{ending}"))?, encoding)))
        .collect();
    let chosen = accepted.negotiate(made.iter().map(|(_, encoding)| encoding))?;
    made.into_iter().find(|(_, encoding)| *encoding == chosen)
}

/// Completes a media type: text is UTF-8.
fn media_type(guessed: &str) -> Cow<'_, str> {
    if guessed.starts_with("text/") { format!("{guessed}; charset=utf-8").into() } else { guessed.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_utf_8() {
        assert_eq!(media_type("text/javascript"), "text/javascript; charset=utf-8");
        assert_eq!(media_type("font/woff2"), "font/woff2");
    }

    #[actix_web::test]
    async fn what_is_not_there_is_not_found_and_nothing_outside_is_served() {
        let request = actix_web::test::TestRequest::get().to_http_request();
        for name in ["none.js", "../index.html", "../../package.json", "/etc/passwd"] {
            assert!(asset(request.clone(), web::Path::from(name.to_owned())).await.is_err(), "{name}");
        }
    }
}
