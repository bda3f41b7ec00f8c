//! Which addresses may stand in what we write for others to open.

/// Returns `url` if following it can do no harm: it is `http`, `https` or `mailto`, or relative.
///
/// Everything else is refused, since schemes that run code (`javascript:`, `vbscript:`, `data:`) are many and browsers
/// read them through white space and control characters.
pub fn safe_link(url: &str) -> Option<&str> {
    let url = clean(url)?;
    match scheme(url) {
        None => Some(url),
        Some(scheme) => {
            ["http", "https", "mailto"].iter().any(|known| scheme.eq_ignore_ascii_case(known)).then_some(url)
        }
    }
}

/// Pictures that are only pictures: SVG may hold scripts, which run when it is opened by itself.
const IMAGE_TYPES: [&str; 6] = ["avif", "bmp", "gif", "jpeg", "png", "webp"];

/// Returns `url` if showing it as an image can do no harm: it is `http`, `https`, relative, or a picture as `data:`.
pub fn safe_image(url: &str) -> Option<&str> {
    let url = clean(url)?;
    match scheme(url) {
        None => Some(url),
        Some(scheme) if scheme.eq_ignore_ascii_case("data") => {
            let media_type = url.get("data:".len()..)?.split([';', ',']).next()?;
            let (kind, name) = media_type.split_once('/')?;
            let known = IMAGE_TYPES.iter().any(|known| known.eq_ignore_ascii_case(name));
            (known && kind.eq_ignore_ascii_case("image")).then_some(url)
        }
        Some(scheme) => {
            ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)).then_some(url)
        }
    }
}

/// Removes white space around an address; one with control characters in it, which browsers skip, is refused.
fn clean(url: &str) -> Option<&str> {
    let url = url.trim();
    let is_plain = !url.is_empty() && !url.chars().any(char::is_control);
    is_plain.then_some(url)
}

/// What stands before a colon that comes before any of `/?#`, whether or not it could be a scheme (RFC 3986 section 3.1).
fn scheme(url: &str) -> Option<&str> {
    let end = url.find([':', '/', '?', '#'])?;
    url[end..].starts_with(':').then(|| &url[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_pages_and_letterboxes_only() {
        for good in
            ["https://a.b/c?d=e:f#g", "HTTP://a", "mailto:a@b", "/d/other", "#here", "page", " http://a "]
        {
            assert_eq!(safe_link(good), Some(good.trim()), "{good}");
        }
        let bad = [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " \u{1}javascript:alert(1)",
            "java\nscript:alert(1)",
            "java\tscript:alert(1)",
            "vbscript:x",
            "data:text/html,<script>alert(1)</script>",
            "data:image/svg+xml,<svg onload=alert(1)>",
            "blob:http://a/b",
            "file:///etc/passwd",
            ":x",
            "",
            "  ",
        ];
        for bad in bad {
            assert_eq!(safe_link(bad), None, "{bad}");
        }
    }

    #[test]
    fn images_may_be_data_if_they_are_images() {
        for good in ["https://a/b.png", "/b.png", "data:image/png;base64,AAAA", "DATA:IMAGE/gif;base64,AA"] {
            assert_eq!(safe_image(good), Some(good), "{good}");
        }
        for bad in [
            "data:text/html,x",
            "data:image",
            "data:",
            "javascript:x",
            "mailto:a@b",
            "data:imagé/x",
            "data:image/svg+xml,<svg onload=alert(1)>",
            "data:image/png/x,",
            "data:text/html;image/png,x",
        ] {
            assert_eq!(safe_image(bad), None, "{bad}");
        }
    }
}
