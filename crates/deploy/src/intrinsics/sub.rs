//! The text of `Fn::Sub` (and of state machine substitutions) in pieces.

/// A piece of a `Fn::Sub` text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Text that stays; `${!x}` stands here as `${x}`.
    Text(&'t str),
    /// The text `${x}` written as `${!x}`: only the inner part, without the mark.
    Literal(&'t str),
    /// The name within `${…}`, without blanks around it.
    Variable(&'t str),
}

/// Cuts `text` at `${…}`. Errors: a `${` that is not closed.
pub fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if start > 0 {
            pieces.push(Piece::Text(&rest[..start]));
        }
        let inner = &rest[start + 2..];
        let Some(end) = inner.find('}') else {
            return Err(format!("'{}' has no closing brace", &rest[start..]));
        };
        pieces.push(match inner[..end].strip_prefix('!') {
            Some(literal) => Piece::Literal(literal),
            None => Piece::Variable(inner[..end].trim()),
        });
        rest = &inner[end + 1..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::{Piece, pieces};

    #[test]
    fn cuts_at_variables_and_keeps_escapes() {
        let cut = pieces("a${X}b${!Y}${ Z.Arn }").expect("well-formed");
        let expected = [
            Piece::Text("a"),
            Piece::Variable("X"),
            Piece::Text("b"),
            Piece::Literal("Y"),
            Piece::Variable("Z.Arn"),
        ];
        assert_eq!(cut, expected);
        assert!(pieces("x${y").is_err());
        assert_eq!(pieces("plain $ {x}"), Ok(vec![Piece::Text("plain $ {x}")]));
    }
}
