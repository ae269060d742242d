//! Texts with expressions between `{{` and `}}`.

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'t> {
    /// As it is.
    Literal(&'t str),
    /// An expression, without its braces.
    Expression(&'t str),
}

/// The pieces of a text.
///
/// # Errors
/// Says what is wrong: braces that are not closed, or nothing between them.
pub fn parts(text: &str) -> Result<Vec<Part<'_>>, &'static str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, after) = after.split_once("}}").ok_or("`{{` without `}}`")?;
        if inside.trim().is_empty() {
            return Err("nothing stands between `{{` and `}}`");
        }
        if !before.is_empty() {
            parts.push(Part::Literal(before));
        }
        parts.push(Part::Expression(inside.trim()));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_falls_into_its_pieces() {
        assert_eq!(parts("plain"), Ok(vec![Part::Literal("plain")]));
        assert_eq!(
            parts("Hi {{ name }}, {{x}}"),
            Ok(vec![
                Part::Literal("Hi "),
                Part::Expression("name"),
                Part::Literal(", "),
                Part::Expression("x"),
            ])
        );
        assert_eq!(parts(""), Ok(vec![]));
        assert!(parts("{{ name").is_err() && parts("{{ }}").is_err());
    }
}
