//! A document in the formats that people take away and bring along: plain text, Markdown, HTML.
//!
//! All of them know Quill's model of a rich text: formatting of letters is on the letters, and what a line is (a heading,
//! an item of a list, a line of code) is on the `\n` that ends it. What a format cannot say is left out, never guessed:
//! the delta is the document, these are views of it. The delta may hold anything that the protocol lets in, so a value
//! of the wrong kind counts as absent and nothing is taken for markup. What is read back is a document like any other.

mod allowed;
mod builder;
mod from_html;
mod from_markdown;
mod from_text;
mod html;
mod lines;
mod lists;
mod markdown;
mod sanitise;
mod text;
mod url;
mod work;

#[cfg(test)]
mod generate;

pub use allowed::{AllowedFormats, ListError, NotAllowed};
pub use from_html::{Tangled, from_html};
pub use from_markdown::from_markdown;
pub use from_text::from_text;
pub use html::to_html;
pub use markdown::to_markdown;
pub use sanitise::sanitised;
pub use text::to_text;
