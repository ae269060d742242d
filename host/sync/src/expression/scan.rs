//! What the text of an expression shows that its compiled form does not.

use std::collections::BTreeSet;

use super::{filters, shape};

/// The names in `field('…')`. Also refuses what would make the cost or the inputs of an expression unknowable, and the
/// names of filters, tests and functions that do not exist: minijinja would say so for each record only.
pub(super) fn named_fields(source: &str) -> Result<BTreeSet<String>, String> {
    const STAR: &str =
        "`*` is not available, because it also repeats texts and lists; use `value|times(100)`";
    const FIELD: &str = "`field` takes one name in quotes, such as `field('customFields.plan')`";

    let tokens = tokens(source)?;
    if tokens.contains(&Token::Symbol('*')) {
        return Err(STAR.to_owned());
    }
    // Before anything is compiled, a filter's name included.
    shape::check(&tokens)?;
    let mut names = BTreeSet::new();
    for (index, token) in tokens.iter().enumerate() {
        let Token::Word(word) = *token else { continue };
        let missing = match role(&tokens, index) {
            Role::Filter if !filters::is_filter(word) => "filter",
            Role::Test if !filters::is_test(word) => "test",
            Role::Function if !filters::is_function(word) => "function",
            Role::Function | Role::Name if filters::is_function(word) => {
                let Some([_, Token::Text(name), Token::Symbol(')')]) = tokens.get(index + 1..index + 4)
                else {
                    return Err(FIELD.to_owned());
                };
                if name.contains('\\') {
                    return Err(FIELD.to_owned());
                }
                names.insert((*name).to_owned());
                continue;
            }
            _ => continue,
        };
        return Err(format!("there is no {missing} `{word}`"));
    }
    Ok(names)
}

/// The members by which an expression picks the elements of `list` that it counts, such as `tasks|where('done')|length`.
/// `None` when it does anything else: then it may look at every member.
pub(super) fn counted_by(source: &str, list: &str) -> Option<BTreeSet<String>> {
    const PICKING: [&str; 4] = ["list", "rejectattr", "selectattr", "where"];
    const COUNTING: [&str; 2] = ["count", "length"];

    let tokens = tokens(source).ok()?;
    let [Token::Word(first), picking @ .., Token::Symbol('|'), Token::Word(last)] = tokens.as_slice() else {
        return None;
    };
    if *first != list || !COUNTING.contains(last) {
        return None;
    }
    let mut names = BTreeSet::new();
    for (index, token) in picking.iter().enumerate() {
        match token {
            Token::Symbol('|' | '(' | ')' | ',') => {}
            // Values to compare with are taken for names as well: one name too many costs a look, one too few a change.
            Token::Text(text) if !text.contains('\\') => {
                names.insert(text.split('.').next().unwrap_or(text).to_owned());
            }
            Token::Symbol(_) | Token::Text(_) => return None,
            Token::Word(word) => {
                let is_filter = index.checked_sub(1).is_some_and(|at| picking[at] == Token::Symbol('|'));
                let is_constant = ["true", "false", "none"].contains(word) || word.parse::<u64>().is_ok();
                if !(is_constant || (is_filter && PICKING.contains(word))) {
                    return None;
                }
            }
        }
    }
    Some(names)
}

/// What a word stands for.
enum Role {
    Filter,
    Test,
    Attribute,
    Function,
    Name,
}

fn role(tokens: &[Token<'_>], index: usize) -> Role {
    /// Words after which a parenthesis groups.
    const KEYWORDS: [&str; 7] = ["and", "else", "if", "in", "is", "not", "or"];

    let before = |back: usize| index.checked_sub(back).and_then(|index| tokens.get(index));
    match (before(2), before(1), &tokens[index]) {
        (_, Some(Token::Symbol('|')), _) => Role::Filter,
        (_, Some(Token::Symbol('.')), _) => Role::Attribute,
        (_, Some(Token::Word("is")), Token::Word("not")) => Role::Name,
        (_, Some(Token::Word("is")), _) | (Some(Token::Word("is")), Some(Token::Word("not")), _) => {
            Role::Test
        }
        (_, _, Token::Word(word)) if KEYWORDS.contains(word) => Role::Name,
        _ if tokens.get(index + 1) == Some(&Token::Symbol('(')) => Role::Function,
        _ => Role::Name,
    }
}

#[derive(Debug, PartialEq)]
pub(super) enum Token<'s> {
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
