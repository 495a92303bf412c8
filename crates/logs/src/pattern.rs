//! `filterPattern` of FilterLogEvents: terms that must all occur. Other patterns are refused, not misread.

use stepwell_aws::Fault;

use crate::fault;

/// The terms of a pattern; none matches everything.
pub(crate) struct Pattern(Vec<String>);

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Pattern, Fault> {
        let (mut terms, mut rest) = (Vec::new(), text.trim());
        while let Some(first) = rest.chars().next() {
            if matches!(first, '{' | '[' | '?' | '-' | '%') {
                return Err(fault::invalid(
                    "Stepwell's FilterLogEvents knows only terms and quoted phrases in filterPattern",
                ));
            }
            let (term, after) = match rest.strip_prefix('"') {
                Some(quoted) => {
                    quoted.split_once('"').ok_or_else(|| fault::invalid("Invalid filter pattern"))?
                }
                None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
            };
            terms.push(term.to_owned());
            rest = after.trim_start();
        }
        Ok(Pattern(terms))
    }

    pub(crate) fn matches(&self, message: &str) -> bool {
        self.0.iter().all(|term| message.contains(term.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_terms_must_occur() {
        for (pattern, message, expected) in [
            ("", "anything", true),
            ("ERROR", "an ERROR occurred", true),
            ("ERROR", "an error occurred", false),
            ("a  b", "b and a", true),
            ("a c", "b and a", false),
            (r#""and a" b"#, "b and a", true),
            (r#""a and""#, "b and a", false),
        ] {
            assert_eq!(Pattern::parse(pattern).map(|p| p.matches(message)).ok(), Some(expected), "{pattern}");
        }
        for unknown in ["{ $.a = 1 }", "?a ?b", "-a", "[x]", "%a%", r#""open"#] {
            assert!(Pattern::parse(unknown).is_err(), "{unknown}");
        }
    }
}
