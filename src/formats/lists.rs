//! Lists nested by indent.

use super::lines::Line;

/// Returns how deep each item of a run lies, from 0.
///
/// An item lies one deeper than the nearest item above that is indented less, however much more it is indented: what
/// skips a level in the editor cannot skip one in HTML or Markdown.
pub fn depths(items: &[Line<'_>]) -> Vec<usize> {
    let mut open: Vec<u8> = Vec::new();
    let depth = |item: &Line<'_>| {
        let indent = item.indent();
        while open.last().is_some_and(|&deepest| deepest > indent) {
            open.pop();
        }
        if open.last() != Some(&indent) {
            open.push(indent);
        }
        open.len() - 1
    };
    items.iter().map(depth).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::generate::document;
    use crate::formats::lines::lines;

    #[test]
    fn no_level_is_skipped() {
        let item =
            |indent: u8| format!(r#"{{"insert":"\n","attributes":{{"list":"bullet","indent":{indent}}}}}"#);
        let cases: [(&[u8], &[usize]); 4] = [
            (&[0, 1, 2, 0], &[0, 1, 2, 0]),
            (&[3, 0, 3, 3], &[0, 0, 1, 1]),
            (&[0, 2, 1, 2], &[0, 1, 1, 2]),
            (&[0, 8, 8, 1], &[0, 1, 1, 1]),
        ];
        for (indents, expected) in cases {
            let json: Vec<String> = indents.iter().map(|&indent| item(indent)).collect();
            let document = document(&format!("[{}]", json.join(",")));
            assert_eq!(depths(&lines(&document)), expected, "{indents:?}");
        }
    }
}
