//! Text in pictures: how wide it is, where it breaks, and how it is written in XML.

use std::fmt::Write as _;

/// How wide `text` is at a font size of 1, about. Fonts differ; the estimate is on the wide side, so that text fits.
pub(crate) fn width(text: &str) -> f64 {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> f64 {
    match c {
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}' => 0.0,
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' | '(' | ')' | '[' | ']'
        | '`' => 0.36,
        'f' | 't' | 'r' | '-' | '/' | '\\' | '"' => 0.44,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '—' | '…' => 0.98,
        'A'..='Z' | '&' | '#' | '<' | '>' | '=' | '+' | '~' => 0.74,
        // East Asian scripts, and pictures.
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{1f000}'..='\u{3fffd}' => 1.05,
        _ => 0.64,
    }
}

/// Breaks `text` into at most `lines_max` lines no wider than `width_max` at a font size of 1: at blanks; a word that is
/// too long for a line after punctuation or between `aB`, else anywhere. What does not fit is cut, with an ellipsis.
pub(crate) fn wrap(text: &str, width_max: f64, lines_max: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        let blank = if line.is_empty() { "" } else { " " };
        if width(line) + width(blank) + width(word) <= width_max {
            line.push_str(blank);
            line.push_str(word);
        } else {
            add_long(&mut lines, word, width_max);
        }
        // The rest of a long text need not be looked at.
        if lines.len() > lines_max {
            break;
        }
    }
    if lines.len() > lines_max {
        lines.truncate(lines_max);
        cut(&mut lines, width_max);
    }
    lines
}

/// Adds a word that does not fit behind the last line: on a new line, and on further ones where it is too long for that.
fn add_long(lines: &mut Vec<String>, word: &str, width_max: f64) {
    if lines.last().is_some_and(|line| !line.is_empty()) {
        lines.push(String::new());
    }
    for piece in pieces(word) {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && width(line) + width(piece) > width_max {
            lines.push(String::new());
        }
        for c in piece.chars() {
            let line = lines.last_mut().expect("there is always a line");
            if !line.is_empty() && char_width(c) > 0.0 && width(line) + char_width(c) > width_max {
                lines.push(c.into());
            } else {
                line.push(c);
            }
        }
    }
}

/// Ends the last line with an ellipsis that still fits.
fn cut(lines: &mut [String], width_max: f64) {
    if let Some(last) = lines.last_mut() {
        while width(last) + char_width('…') > width_max && last.pop().is_some() {}
        last.push('…');
    }
}

/// Cuts `word` behind punctuation that joins words, and between `aB`.
fn pieces(word: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut before = ' ';
    for (at, c) in word.char_indices() {
        let joins = matches!(before, '-' | '_' | '/' | ':' | ',' | ';' | '.') && c.is_alphanumeric();
        if (joins || before.is_lowercase() && c.is_uppercase()) && at > start {
            pieces.push(&word[start..at]);
            start = at;
        }
        before = c;
    }
    pieces.push(&word[start..]);
    pieces
}

/// `text` as XML character data or attribute value. Characters that XML does not have become `U+FFFD`.
pub(crate) fn escape_xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(' '),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out
}

/// A length or coordinate with at most one decimal, so that pictures are short and stable.
pub(crate) fn number(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    let mut out = String::new();
    // `-0` would be a different text for the same place.
    let _ = write!(out, "{}", if rounded == 0.0 { 0.0 } else { rounded });
    out
}

#[cfg(test)]
mod tests {
    use super::{escape_xml, number, width, wrap};

    #[test]
    fn wraps_where_words_end() {
        let cases: &[(&str, f64, usize, &[&str])] = &[
            ("Loop Completed?", 20.0, 3, &["Loop Completed?"]),
            ("Read Next Message from DynamoDB", 10.0, 3, &["Read Next", "Message from", "DynamoDB"]),
            ("GetFinalJobStatus", 6.0, 3, &["GetFinal", "JobStatus"]),
            ("a_very_long_name_indeed", 7.0, 2, &["a_very_", "long_name…"]),
            ("xxxxxxxxxxxxxxxxxxxx", 5.0, 2, &["xxxxxxx", "xxxxxx…"]),
            ("", 5.0, 2, &[""]),
            ("   ", 5.0, 2, &[""]),
            ("one two three", 2.0, 1, &["o…"]),
        ];
        for (text, width_max, lines, expected) in cases {
            assert_eq!(&wrap(text, *width_max, *lines), expected, "{text:?}");
        }
    }

    #[test]
    fn no_line_is_too_wide_and_nothing_is_lost() {
        let alphabet: Vec<char> = "aM .-_é漢🦀\u{301}\"<&".chars().collect();
        let mut seed = 7_u64;
        for _ in 0..2_000 {
            let mut text = String::new();
            for _ in 0..seed % 40 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                text.push(alphabet[(seed >> 33) as usize % alphabet.len()]);
            }
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let lines = wrap(&text, 6.0, 100);
            assert!(lines.iter().all(|line| width(line) <= 6.0), "{text:?}: {lines:?}");
            let without_blanks = |text: &str| text.replace(' ', "");
            assert_eq!(without_blanks(&lines.concat()), without_blanks(&text));
            assert!(wrap(&text, 6.0, 2).len() <= 2);
        }
    }

    #[test]
    fn escapes_what_xml_reserves() {
        assert_eq!(escape_xml("a<b>&\"c\"'\u{1}\n"), "a&lt;b&gt;&amp;&quot;c&quot;&#39;\u{fffd} ");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([number(1.0), number(-0.04), number(2.25), number(10.06)], ["1", "0", "2.3", "10.1"]);
    }
}
