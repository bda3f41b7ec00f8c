//! Reading deltas from clients: the form of each part is checked by itself, then the whole is put into normal form.
//!
//! What is checked, and why, is section 1 of the protocol. Positions are not: they need the document
//! ([`Document::check`](super::Document::check)).

use super::MAX_LENGTH;
use super::delta::Delta;
use super::error::DeltaError;
use super::op::Op;
use super::parts::{Kind, read_parts};

/// Most attributes on a part that comes from a client.
pub(super) const ATTRIBUTES: usize = 100;

/// How much a client may send at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseLimits {
    /// Most parts of a delta, counted as sent.
    pub ops: usize,
}

impl Default for ParseLimits {
    fn default() -> ParseLimits {
        ParseLimits { ops: 10_000 }
    }
}

impl Delta {
    /// Reads a delta as a client sends it: an array of parts, or an object whose one key `ops` is that. The result is in
    /// normal form and without a trailing plain retain.
    ///
    /// # Errors
    /// What section 1 of the protocol refuses, but for positions. The text is left at the first flaw.
    pub fn parse(json: &str, limits: &ParseLimits) -> Result<Delta, DeltaError> {
        let mut delta = read_delta(json, limits.ops, ATTRIBUTES, Delta::push)?;
        delta.chop();
        Ok(delta)
    }

    /// Reads a delta that was checked when it came in: from the log, say. Transforming and composing may have grown it
    /// over the limits of [`Delta::parse`], so there are none on the number of parts and attributes.
    ///
    /// # Errors
    /// As [`Delta::parse`].
    pub fn parse_stored(json: &str) -> Result<Delta, DeltaError> {
        let mut delta = read_delta(json, usize::MAX, usize::MAX, Delta::push)?;
        delta.chop();
        Ok(delta)
    }
}

/// Reads a delta, adding each part by `push`.
pub(crate) fn read_delta(
    json: &str,
    ops: usize,
    attributes: usize,
    push: impl Fn(&mut Delta, Op),
) -> Result<Delta, DeltaError> {
    let mut delta = Delta::new();
    let mut span = 0;
    read_parts(json, ops, attributes, |part| {
        if let Kind::Retain(len) | Kind::Delete(len) = part.kind {
            // Each is at most 2^53, and so is the sum before it: no overflow.
            span += len;
            if span > MAX_LENGTH {
                return Err(DeltaError::LengthOverflow);
            }
        }
        push(&mut delta, part.into_op());
        Ok(())
    })?;
    Ok(delta)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ot::error::Flaw;

    fn parse(json: &str) -> Result<Delta, DeltaError> {
        Delta::parse(json, &ParseLimits::default())
    }

    /// The flaw in `json`, which has one part.
    fn flaw(json: &str) -> Flaw {
        match parse(json) {
            Err(DeltaError::Part { part: 0, flaw }) => flaw,
            other => panic!("{json}: {other:?}"),
        }
    }

    fn with_attributes(attributes: &str) -> String {
        format!(r#"[{{"retain":1,"attributes":{attributes}}}]"#)
    }

    #[test]
    fn nesting_is_bounded_where_it_begins() {
        let nested =
            |levels| with_attributes(&format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels)));
        assert!(parse(&nested(16)).is_ok());
        assert_eq!(flaw(&nested(17)), Flaw::TooDeep { limit: 16 });
        let arrays =
            |levels| with_attributes(&format!(r#"{{"a":{}{}}}"#, "[".repeat(levels), "]".repeat(levels)));
        assert!(parse(&arrays(15)).is_ok());
        assert_eq!(flaw(&arrays(16)), Flaw::TooDeep { limit: 16 });
        assert_eq!(
            flaw(&format!(r#"[{{"insert":{{"a":{}"#, "[".repeat(1_000_000))),
            Flaw::TooDeep { limit: 16 }
        );
    }

    #[test]
    fn keys_are_bounded_in_number_and_length() {
        let keys = |count| {
            let keys: Vec<_> = (0..count).map(|i| format!(r#""k{i}":1"#)).collect();
            with_attributes(&format!("{{{}}}", keys.join(",")))
        };
        assert!(parse(&keys(100)).is_ok());
        assert_eq!(flaw(&keys(101)), Flaw::TooManyAttributes { limit: 100 });
        assert!(Delta::parse_stored(&keys(101)).is_ok());

        // The limit is in bytes, and holds for nested keys too.
        let key = |len| with_attributes(&format!(r#"{{"a":{{"{}":1}}}}"#, "é".repeat(len)));
        assert!(parse(&key(128)).is_ok());
        assert_eq!(flaw(&key(129)), Flaw::LongKey { limit: 256 });
    }

    #[test]
    fn a_key_is_known_again_behind_escapes() {
        let twice = r#"{"bold":true,"b\u006fld":false}"#;
        assert_eq!(flaw(&with_attributes(twice)), Flaw::DuplicateKey("bold".into()));
        assert_eq!(
            flaw(&with_attributes(&format!(r#"{{"a":[{twice}]}}"#))),
            Flaw::DuplicateKey("bold".into())
        );
        assert_eq!(
            flaw(&with_attributes(r#"{"a":{"__pr\u006fto__":1}}"#)),
            Flaw::PrototypeKey("__proto__".into())
        );
        assert_eq!(flaw(r#"[{"insert":"a","ins\u0065rt":"a"}]"#), Flaw::DuplicateKey("insert".into()));
    }

    #[test]
    fn numbers_that_a_float_does_not_hold_are_refused() {
        let number = |text: &str| parse(&with_attributes(&format!(r#"{{"n":[{text}]}}"#)));
        for fine in [
            "0",
            "-0",
            "1.50",
            "1e3",
            "9007199254740992",
            "-9007199254740994",
            "1e300",
            "18446744073709551616",
        ] {
            assert!(number(fine).is_ok(), "{fine}");
        }
        for inexact in ["9007199254740993", "-9007199254740993", "18446744073709552000"] {
            assert!(
                matches!(number(inexact), Err(DeltaError::Part { flaw: Flaw::InexactNumber(_), .. })),
                "{inexact}"
            );
        }
        for huge in ["1e400", "-1e400", &"1".repeat(1_000_000), &"9".repeat(309)] {
            let flaw = number(huge).unwrap_err();
            assert_eq!(flaw, DeltaError::Part { part: 0, flaw: Flaw::HugeNumber });
        }
        for malformed in ["01", "+1", "1.", ".5", "1e", "-", "0x10", "NaN"] {
            assert!(
                matches!(number(malformed), Err(DeltaError::Part { flaw: Flaw::NotJson { .. }, .. })),
                "{malformed}"
            );
        }
    }

    #[test]
    fn numbers_are_written_so_that_they_are_read_back() {
        for text in [
            "18446744073709551616",
            "1e23",
            "1.2345678901234568e20",
            "5e-324",
            "0.1",
            "1.7976931348623157e308",
        ] {
            let delta = parse(&with_attributes(&format!(r#"{{"n":{text}}}"#))).unwrap();
            assert_eq!(parse(&delta.to_json()), Ok(delta));
        }
    }

    #[test]
    fn lengths_are_whole_and_exact() {
        let retained = |length: &str| parse(&format!(r#"[{{"retain":{length}}},{{"delete":1}}]"#));
        assert_eq!(retained("3.0").unwrap().base_length(), 4);
        assert_eq!(retained("2e1").unwrap().base_length(), 21);
        assert_eq!(retained("-0").unwrap().base_length(), 1);
        assert_eq!(retained("9007199254740990").unwrap().base_length(), MAX_LENGTH);
        assert_eq!(retained("9007199254740991"), Err(DeltaError::LengthOverflow));
        for bad in ["9007199254740992", "-1", "1.5", "1e308", "1e400", "\"3\"", "true", "null", "[1]"] {
            assert_eq!(
                retained(bad),
                Err(DeltaError::Part { part: 0, flaw: Flaw::BadLength("retain") }),
                "{bad}"
            );
        }
    }

    #[test]
    fn strings_are_text() {
        let inserted = |string: &str| parse(&format!(r#"[{{"insert":"{string}"}}]"#));
        assert_eq!(inserted(r"\ud83d\uDE00\/\t").unwrap().to_json(), r#"[{"insert":"😀/\t"}]"#);
        for lone in
            [r"\ud83d", r"\ude00", r"\ude00\ud83d", r"\ud83dx", r"\ud83d\u0041", r"\ud83d\ud83d\ude00"]
        {
            assert_eq!(
                inserted(lone),
                Err(DeltaError::Part { part: 0, flaw: Flaw::LoneSurrogate }),
                "{lone}"
            );
        }
        assert_eq!(inserted(r"a\u0000"), Err(DeltaError::Part { part: 0, flaw: Flaw::Nul }));
        for malformed in [r"\x", r"\u12", r"\u12g4", "\n", "\u{0}"] {
            assert!(matches!(inserted(malformed), Err(DeltaError::Part { flaw: Flaw::NotJson { .. }, .. })));
        }
    }

    #[test]
    fn a_text_cut_short_anywhere_is_refused() {
        let json = r#" {"ops" : [{"insert":"a\ud83d\ude00é","attributes":{"a":[1.5e-3,null,true,{"b":false}]}},{"delete":1}]} "#;
        assert!(parse(json).is_ok());
        for (end, _) in json.trim_end().char_indices() {
            assert!(parse(&json[..end]).is_err(), "{end}");
        }
        assert!(parse(&format!("{json}]")).is_err());
    }

    #[test]
    fn messages_say_which_part_is_wrong_and_why() {
        let message = |json: &str| parse(json).unwrap_err().to_string();
        assert_eq!(
            message(r#"[{"retain":1},{"delete":-1}]"#),
            "part 1: delete must be a whole number from 0 to 9007199254740991"
        );
        assert_eq!(
            message(r#"[{"insert":"a","retain":1}]"#),
            "part 0: more than one of insert, retain and delete"
        );
        assert_eq!(message(r#"[{"replace":1}]"#), "part 0: unknown key \"replace\"");
    }
}
