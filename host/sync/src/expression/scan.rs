//! What the text of an expression shows that its compiled form does not.

use std::collections::BTreeSet;

use super::filters;

/// The names in `field('…')`. Also refuses what would make the cost or the inputs of an expression unknowable, and the
/// names of filters, tests and functions that do not exist: minijinja would say so for each record only.
pub(super) fn named_fields(source: &str) -> Result<BTreeSet<String>, String> {
    let tokens = tokens(source)?;
    let at = |index: usize| tokens.get(index);
    let mut names = BTreeSet::new();
    for (index, token) in tokens.iter().enumerate() {
        let before = |back: usize| index.checked_sub(back).and_then(at);
        match token {
            Token::Symbol('*') => {
                let text = "`*` is not available, because it also repeats texts and lists; use `value|times(100)`";
                return Err(text.to_owned());
            }
            Token::Word(name) if before(1) == Some(&Token::Symbol('|')) => {
                if !filters::is_filter(name) {
                    return Err(format!("there is no filter `{name}`"));
                }
            }
            Token::Word(name) if before(1) == Some(&Token::Word("is")) && *name != "not"
                || before(1) == Some(&Token::Word("not")) && before(2) == Some(&Token::Word("is")) =>
            {
                if !filters::is_test(name) {
                    return Err(format!("there is no test `{name}`"));
                }
            }
            Token::Word(_) if before(1) == Some(&Token::Symbol('.')) => {}
            Token::Word("field") => match tokens.get(index + 1..index + 4) {
                Some([Token::Symbol('('), Token::Text(name), Token::Symbol(')')]) if !name.contains('\\') => {
                    names.insert((*name).to_owned());
                }
                _ => return Err("`field` takes one name in quotes, such as `field('customFields.plan')`".to_owned()),
            },
            Token::Word(name) if at(index + 1) == Some(&Token::Symbol('(')) && !KEYWORDS.contains(name) => {
                return Err(format!("there is no function `{name}`"));
            }
            _ => {}
        }
    }
    Ok(names)
}

/// Words after which a parenthesis groups.
const KEYWORDS: [&str; 7] = ["and", "else", "if", "in", "is", "not", "or"];

#[derive(Debug, PartialEq)]
enum Token<'s> {
    /// A name or number.
    Word(&'s str),
    /// What stands between quotes, its escapes as they are.
    Text(&'s str),
    /// Anything else, blanks excepted.
    Symbol(char),
}

fn tokens(source: &str) -> Result<Vec<Token<'_>>, &'static str> {
    let mut tokens = Vec::new();
    let mut rest = source.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' => {
                let length = text_length(&rest[1..], first).ok_or("a text lacks its closing quote")?;
                tokens.push(Token::Text(&rest[1..=length]));
                length + 2
            }
            '_' | 'a'..='z' | 'A'..='Z' | '0'..='9' => {
                let end = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
                tokens.push(Token::Word(&rest[..end]));
                end
            }
            other => {
                tokens.push(Token::Symbol(other));
                other.len_utf8()
            }
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// Length of a text up to its closing quote.
fn text_length(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(index),
            _ => {}
        }
    }
    None
}
