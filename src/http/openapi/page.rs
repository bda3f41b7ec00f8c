//! `/docs`: the document for people. Its three files are our own, so that nothing is loaded from elsewhere.

use actix_web::{HttpResponse, web};

use crate::http::problem::Problem;

/// What the page may do: load its own two files, and ask for the document.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /docs`
pub async fn page() -> HttpResponse {
    file("text/html; charset=utf-8", include_str!("page.html"))
}

/// `GET /docs/{name}`: what the page consists of.
pub async fn asset(name: web::Path<String>) -> Result<HttpResponse, Problem> {
    match name.as_str() {
        "page.js" => Ok(file("text/javascript; charset=utf-8", include_str!("page.js"))),
        "page.css" => Ok(file("text/css; charset=utf-8", include_str!("page.css"))),
        _ => Err(Problem::not_found("there is no such file")),
    }
}

fn file(media_type: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(media_type)
        .insert_header(("Cache-Control", "no-cache"))
        .insert_header(("Content-Security-Policy", POLICY))
        .body(text)
}
