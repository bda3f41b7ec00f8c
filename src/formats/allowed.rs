//! What a server lets documents be made of, beyond what the protocol asks of every delta.
//!
//! The protocol takes any attribute and any embed, since applications have their own. A server that knows which editor its
//! documents are for takes what that one has, and nothing else can come into a document: not through the socket, not by REST,
//! not by an import. What a page shows is then known, whoever has written it.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use super::url::{safe_image, safe_link};
use crate::ot::{Attributes, Delta, Embed, Insert, Op, Value};

/// What Quill and the pages of this server have.
const QUILL_ATTRIBUTES: [&str; 22] = [
    "align",
    "alt",
    "background",
    "blockquote",
    "bold",
    "code",
    "code-block",
    "color",
    "direction",
    "font",
    "header",
    "height",
    "indent",
    "italic",
    "link",
    "list",
    "script",
    "size",
    "strike",
    "table",
    "underline",
    "width",
];
const QUILL_EMBEDS: [&str; 3] = ["formula", "image", "video"];

/// The longest value of an attribute, in bytes: addresses are long.
const MOST_VALUE_BYTES: usize = 2_048;

/// See the module's documentation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AllowedFormats {
    /// Whatever is well formed.
    #[default]
    Any,
    /// What is listed, with plain values; addresses that can do no harm.
    Listed(Listed),
}

/// Names of attributes and embeds.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    attributes: BTreeSet<String>,
    embeds: BTreeSet<String>,
}

/// Why a list of formats cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error("reading {path}")]
    Unreadable {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} is no list of formats")]
    Malformed {
        path: String,
        #[source]
        source: Box<toml::de::Error>,
    },
}

/// What a delta has that is not allowed. The name is shortened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    #[error("this server does not take the attribute {0}")]
    Attribute(String),
    #[error("this server does not take such a value of the attribute {0}")]
    Value(String),
    #[error("this server does not take embeds of the type {0}")]
    Embed(String),
    #[error("this server does not take such a value of the embed {0}")]
    EmbedValue(String),
}

impl AllowedFormats {
    /// Reads a setting: `any`, `quill`, or the path of a file (TOML) with the lists `attributes` and `embeds`.
    ///
    /// # Errors
    /// The file is none.
    pub fn read(setting: &str) -> Result<Self, ListError> {
        match setting {
            "any" | "" => Ok(Self::Any),
            "quill" => Ok(Self::quill()),
            path => Self::read_file(Path::new(path)),
        }
    }

    /// What Quill has.
    pub fn quill() -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self::Listed(Listed { attributes: names(&QUILL_ATTRIBUTES), embeds: names(&QUILL_EMBEDS) })
    }

    fn read_file(path: &Path) -> Result<Self, ListError> {
        let shown = || path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ListError::Unreadable { path: shown(), source })?;
        let listed = toml::from_str(&text)
            .map_err(|source| ListError::Malformed { path: shown(), source: Box::new(source) })?;
        Ok(Self::Listed(listed))
    }

    /// Checks an operation or a document.
    ///
    /// # Errors
    /// The first thing in it that is not allowed.
    pub fn check(&self, delta: &Delta) -> Result<(), NotAllowed> {
        match self {
            Self::Any => Ok(()),
            Self::Listed(listed) => delta.ops().iter().try_for_each(|op| listed.check(op)),
        }
    }
}

impl Listed {
    fn check(&self, op: &Op) -> Result<(), NotAllowed> {
        match op {
            Op::Insert { insert, attributes } => {
                if let Insert::Embed(embed) = insert {
                    self.check_embed(embed)?;
                }
                self.check_attributes(attributes)
            }
            Op::Retain { attributes, .. } => self.check_attributes(attributes),
            Op::Delete(_) => Ok(()),
        }
    }

    fn check_attributes(&self, attributes: &Attributes) -> Result<(), NotAllowed> {
        // What is taken away may be anything: a document from before the list must not keep it.
        for (key, value) in attributes.iter().filter(|(_, value)| !value.is_null()) {
            if !self.attributes.contains(key) {
                return Err(NotAllowed::Attribute(shortened(key)));
            }
            if !is_plain(key, value) {
                return Err(NotAllowed::Value(shortened(key)));
            }
        }
        Ok(())
    }

    fn check_embed(&self, embed: &Embed) -> Result<(), NotAllowed> {
        let kind = embed.kind();
        if !self.embeds.contains(kind) {
            return Err(NotAllowed::Embed(shortened(kind)));
        }
        let fine = match kind {
            "image" => embed.value().as_str().is_some_and(|source| safe_image(source).is_some()),
            "video" => embed.value().as_str().is_some_and(|source| safe_link(source).is_some()),
            "formula" => embed.value().as_str().is_some(),
            // Of an application's own: what is in it is its affair.
            _ => true,
        };
        if fine { Ok(()) } else { Err(NotAllowed::EmbedValue(shortened(kind))) }
    }
}

/// Tells whether a value is one that pages may use as it stands: an address that can do no harm, a word that could not get out
/// of a style, a switch or a number.
fn is_plain(key: &str, value: &Value) -> bool {
    match value {
        Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) if text.len() > MOST_VALUE_BYTES => false,
        Value::String(text) => match key {
            "link" => safe_link(text).is_some(),
            "alt" => !text.chars().any(char::is_control),
            _ => {
                text.chars().all(|c| c.is_alphanumeric() || " #%()+,.-_'".contains(c))
                    && !text.contains("url(")
            }
        },
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

fn shortened(name: &str) -> String {
    format!("{:.40}", name.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ot::ParseLimits;

    fn check(formats: &AllowedFormats, json: &str) -> Result<(), NotAllowed> {
        formats.check(&Delta::parse(json, &ParseLimits::default()).expect("tests write valid deltas"))
    }

    #[test]
    fn what_quill_has_passes_and_nothing_else() {
        let quill = AllowedFormats::quill();
        for good in [
            r#"[{"insert":"a","attributes":{"bold":true,"color":"rgb(1, 2, 3)","link":"https://a/b?c"}}]"#,
            r##"[{"retain":1,"attributes":{"background":"#ff0","font":"Noto Sans","header":2,"list":"ordered"}}]"##,
            r#"[{"insert":{"image":"https://a/b.png"},"attributes":{"alt":"a \"b\" <c>","width":"50%"}}]"#,
            r#"[{"insert":{"image":"data:image/png;base64,AA"}},{"insert":{"formula":"a<b"}},{"delete":3}]"#,
            r#"[{"retain":1,"attributes":{"onclick":null}}]"#,
            r#"[{"insert":"a","attributes":{"link":"mailto:a@b"}}]"#,
        ] {
            assert_eq!(check(&quill, good), Ok(()), "{good}");
        }
        let attribute = |name: &str| NotAllowed::Attribute(name.into());
        let value = |name: &str| NotAllowed::Value(name.into());
        for (bad, why) in [
            (r#"[{"insert":"a","attributes":{"onclick":"x"}}]"#, attribute("onclick")),
            (r#"[{"insert":"a","attributes":{"style":"x"}}]"#, attribute("style")),
            (r#"[{"retain":1,"attributes":{"link":"javascript:alert(1)"}}]"#, value("link")),
            (r#"[{"retain":1,"attributes":{"link":"java\tscript:alert(1)"}}]"#, value("link")),
            (r#"[{"retain":1,"attributes":{"link":"data:text/html,x"}}]"#, value("link")),
            (r#"[{"retain":1,"attributes":{"bold":{"a":1}}}]"#, value("bold")),
            (r#"[{"retain":1,"attributes":{"color":"red;background:url(x)"}}]"#, value("color")),
            (r#"[{"retain":1,"attributes":{"background":"url(x)"}}]"#, value("background")),
            (r#"[{"retain":1,"attributes":{"size":"\"><script>"}}]"#, value("size")),
            (r#"[{"insert":{"poll":1}}]"#, NotAllowed::Embed("poll".into())),
            (r#"[{"insert":{"image":"javascript:x"}}]"#, NotAllowed::EmbedValue("image".into())),
            (r#"[{"insert":{"image":"data:image/svg+xml,<svg/>"}}]"#, NotAllowed::EmbedValue("image".into())),
            (r#"[{"insert":{"video":"javascript:x"}}]"#, NotAllowed::EmbedValue("video".into())),
            (r#"[{"insert":{"image":{"a":1}}}]"#, NotAllowed::EmbedValue("image".into())),
        ] {
            assert_eq!(check(&quill, bad), Err(why), "{bad}");
            assert_eq!(check(&AllowedFormats::Any, bad), Ok(()), "{bad}");
        }
        let long = format!(r#"[{{"insert":"a","attributes":{{"link":"https://a/{}"}}}}]"#, "x".repeat(2_048));
        assert_eq!(check(&quill, &long), Err(value("link")));
    }

    #[test]
    fn a_server_may_have_a_list_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let own = AllowedFormats::read(&write("formats.toml", "attributes = ['bold']\nembeds = ['poll']\n"))
            .unwrap();
        assert_eq!(check(&own, r#"[{"insert":{"poll":{"a":[1]}},"attributes":{"bold":true}}]"#), Ok(()));
        assert!(check(&own, r#"[{"insert":"a","attributes":{"italic":true}}]"#).is_err());
        assert!(check(&own, r#"[{"insert":{"image":"https://a"}}]"#).is_err());
        assert!(AllowedFormats::read(&write("wrong.toml", "attribute = []\n")).is_err());
        assert!(AllowedFormats::read("/nowhere/formats.toml").is_err());
        assert_eq!(AllowedFormats::read("any").unwrap(), AllowedFormats::Any);
        assert_eq!(AllowedFormats::read("quill").unwrap(), AllowedFormats::quill());
    }
}
