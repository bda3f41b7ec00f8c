//! `quire import`: a file, as a new document of a running server.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde_json::value::RawValue;

use super::rest::{NewDocument, ServerOptions};
use crate::formats::{from_html, from_markdown, from_text};
use crate::ids::DocumentId;
use crate::ot::{Delta, Document};

/// What `quire import` is told.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  quire import notes.txt
  quire import notes.md --title Notes                   Markdown and HTML come in with their formatting
  quire import notes.md --format text                   … or as the text that they are
  quire export welcome | quire import - --format delta  a copy of a document

Prints the new document's id and address.

Exit code: 0 if the document was made; 1 if not, with the reason.")]
pub struct ImportOptions {
    /// The file; `-` reads standard input.
    file: PathBuf,

    #[command(flatten)]
    server: ServerOptions,

    /// How to read the file [default: delta for .json, markdown for .md, html for .html, text otherwise].
    #[arg(long, value_enum)]
    format: Option<Source>,

    /// Title of the new document [default: the file's name].
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,

    /// Id of the new document, which must be free [default: the server makes one].
    #[arg(long, value_name = "ID")]
    id: Option<DocumentId>,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Source {
    /// Plain text in UTF-8: it stays as it is written.
    Text,
    /// CommonMark.
    Markdown,
    Html,
    /// A delta of inserts as JSON, or what `quire export` writes.
    Delta,
}

/// Makes the document.
///
/// # Errors
/// The file cannot be read or is not of that format, or the server refuses.
pub fn run(options: &ImportOptions) -> anyhow::Result<()> {
    let file = read(&options.file).with_context(|| format!("reading {}", options.file.display()))?;
    let content = match options.format.unwrap_or_else(|| source_of(&options.file)) {
        Source::Text => from_text(&file),
        Source::Markdown => from_markdown(&file).context("reading the Markdown")?,
        Source::Html => from_html(&file).context("reading the HTML")?,
        Source::Delta => read_delta(&file).context("reading the delta")?,
    };
    let content = RawValue::from_string(content.to_json())?;
    let name = options.file.file_stem().map(|name| name.to_string_lossy());
    let name = name.as_deref().filter(|name| *name != "-");
    let rest = options.server.rest();
    let created = rest.create(&NewDocument {
        id: options.id.as_ref().map(DocumentId::as_str),
        title: options.title.as_deref().or(name),
        content: Some(&content),
    })?;
    writeln!(std::io::stdout(), "{} {}", created.id, rest.page(&created.id))?;
    Ok(())
}

fn read(path: &Path) -> std::io::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path)
}

fn source_of(path: &Path) -> Source {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => Source::Delta,
        Some("md" | "markdown") => Source::Markdown,
        Some("html" | "htm") => Source::Html,
        _ => Source::Text,
    }
}

/// Reads a delta, or the `content` of what the server answers for one.
fn read_delta(json: &str) -> anyhow::Result<Delta> {
    // A delta may itself be an object, `{"ops": […]}`: only one with `content` is an export. A map, since a struct would
    // be read from an array too.
    let fields: HashMap<String, &RawValue> = serde_json::from_str(json).unwrap_or_default();
    let json = fields.get("content").map_or(json, |content| content.get());
    // Not as an edit is read: a retain at the end of that goes unnoticed.
    Ok(Document::from_json(json)?.to_delta())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_is_read_bare_or_as_it_was_exported() {
        let bare = r#"[{"insert":"a"}]"#;
        for json in [bare, r#"{"ops":[{"insert":"a"}]}"#, r#"{"version":3,"content":[{"insert":"a"}]}"#] {
            assert_eq!(read_delta(json).unwrap().to_json(), bare, "{json}");
        }
        for bad in [r#"[{"retain":1}]"#, "[{}]", "text"] {
            assert!(read_delta(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_name_of_a_file_says_what_it_holds() {
        assert_eq!(source_of(Path::new("a/b.json")), Source::Delta);
        assert_eq!(source_of(Path::new("notes.md")), Source::Markdown);
        assert_eq!(source_of(Path::new("page.html")), Source::Html);
        assert_eq!(source_of(Path::new("-")), Source::Text);
    }
}
