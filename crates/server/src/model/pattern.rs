//! The regular expressions of AWS models, in Java's dialect, on an engine without look-around.

use regex::Regex;

/// A pattern that a whole value must match.
#[derive(Debug)]
pub(super) struct Pattern {
    /// The text as AWS prints it.
    pub(super) text: String,
    /// All must match.
    parts: Vec<Regex>,
}

impl Pattern {
    /// Compiles `text`. A leading look-ahead `^(?=A)B` becomes the two conditions "begins with A" and "is B"; any
    /// other look-around is an error, which the test of the checked-in table would show.
    pub(super) fn new(text: &str) -> Result<Pattern, String> {
        let compile = |part: String| Regex::new(&part).map_err(|e| format!("pattern {text}: {e}"));
        let mut parts = Vec::new();
        let mut rest = text;
        if let Some((ahead, after)) = text.strip_prefix("^(?=").and_then(split_group) {
            parts.push(compile(format!("^(?:{ahead})"))?);
            rest = after;
        }
        parts.push(compile(format!("^(?:{rest})$"))?);
        Ok(Pattern { text: text.to_owned(), parts })
    }

    pub(super) fn matches(&self, value: &str) -> bool {
        self.parts.iter().all(|part| part.is_match(value))
    }
}

/// Splits `A)B` at the bracket that closes the group `A` stands in.
fn split_group(text: &str) -> Option<(&str, &str)> {
    let (mut depth, mut in_class, mut escaped) = (1u32, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class => {
                depth -= 1;
                if depth == 0 {
                    return Some((&text[..at], &text[at + 1..]));
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn patterns_match_whole_values() {
        let cases = [
            (r"^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$", "live", true),
            (r"^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$", "1a", true),
            (r"^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$", "123", false),
            (r"^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$", "a b", false),
            (r"[!-~]+", "token", true),
            (r"[!-~]+", "a token", false),
            (r"\p{ASCII}*", "", true),
            (r"\p{ASCII}*", "Root=1-2;a\n", true),
            (r"\p{ASCII}*", "ä", false),
            (r"a|b", "ab", false),
        ];
        for (pattern, value, expected) in cases {
            assert_eq!(
                Pattern::new(pattern).expect(pattern).matches(value),
                expected,
                "{pattern} on {value:?}"
            );
        }
    }

    #[test]
    fn other_look_around_is_refused() {
        assert!(Pattern::new("a(?=b)").is_err());
    }
}
