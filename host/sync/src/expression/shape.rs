//! How far an expression nests and chains. minijinja parses, compiles and drops it by recursion, some of it without a
//! limit of its own, and a stack that overflows ends the process.

use super::scan::Token;

/// Most brackets, `not`, `-` and `else` within each other. A bracket takes some 8 KiB of stack while it is parsed.
const NESTED: usize = 32;
/// Most operators, filters, members and brackets upon one value.
const CHAINED: usize = 100;
/// Most `~` in an expression: each copies what was joined so far.
const JOINED: usize = 32;
/// Most lists or tables around a `~`: whenever a text is printed within a list, its backslashes double.
const JOINED_WITHIN: usize = 2;
/// Most slices in an expression: they are lazy, and each is gone through again.
const SLICES: usize = 8;

/// Refuses what nests or chains too far.
pub(super) fn check(tokens: &[Token<'_>]) -> Result<(), String> {
    let mut shape = Shape { open: vec![Level::default()], nested: 0, joined: 0, slices: 0 };
    for (index, token) in tokens.iter().enumerate() {
        let (two_before, before) = (index.checked_sub(2), index.checked_sub(1));
        shape.take(token, before.map(|at| &tokens[at]), two_before.map(|at| &tokens[at]))?;
    }
    // What was not closed is a syntax error, for minijinja to name.
    while shape.open.len() > 1 {
        shape.close()?;
    }
    shape.top().chain().map(drop)
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    /// The expression itself, or arguments.
    #[default]
    Plain,
    /// A group, or a tuple if there is a `,` in it.
    Group,
    /// A subscript, or a slice if there is a `:` in it.
    Subscript,
    /// A slice whose first `:` was seen.
    Slice,
    /// A list, table or tuple.
    Holds,
}

/// What is between two brackets, or between the expression's ends.
#[derive(Debug, Default)]
struct Level {
    kind: Kind,
    /// Open `else`, `not` and `-`, in this order of strength.
    otherwise: usize,
    nots: usize,
    minus: usize,
    /// Operators of the current element, and the longest chain within it.
    operators: usize,
    inner: usize,
    /// Longest chain of the elements so far.
    longest: usize,
    /// Lists and tables between here and the innermost `~`; `None` without one.
    joined_within: Option<usize>,
}

impl Level {
    fn nested(&self) -> usize {
        self.otherwise + self.nots + self.minus
    }

    fn chain(&self) -> Result<usize, String> {
        let chain = self.longest.max(self.operators + self.inner);
        if chain > CHAINED {
            return Err(format!(
                "it puts more than {CHAINED} operators, filters and members upon one value; at most {CHAINED} are allowed"
            ));
        }
        Ok(chain)
    }

    fn next_element(&mut self) -> Result<(), String> {
        self.longest = self.chain()?;
        (self.operators, self.inner) = (0, 0);
        (self.otherwise, self.nots, self.minus) = (0, 0, 0);
        Ok(())
    }
}

struct Shape {
    open: Vec<Level>,
    /// Nesting of the levels below the top one, their brackets included.
    nested: usize,
    joined: usize,
    slices: usize,
}

impl Shape {
    fn top(&mut self) -> &mut Level {
        self.open.last_mut().expect("the outermost level is never closed")
    }

    fn take(
        &mut self,
        token: &Token<'_>,
        before: Option<&Token<'_>>,
        two_before: Option<&Token<'_>>,
    ) -> Result<(), String> {
        let follows_value = follows_value(before);
        match token {
            Token::Symbol(bracket @ ('(' | '[' | '{')) => {
                let kind = match (bracket, follows_value) {
                    ('(', true) => Kind::Plain,
                    ('(', false) => Kind::Group,
                    ('[', true) => Kind::Subscript,
                    _ => Kind::Holds,
                };
                // The arguments of a filter or test are part of it.
                let is_part = *bracket == '('
                    && matches!(before, Some(Token::Word(_)))
                    && matches!(two_before, Some(Token::Symbol('|') | Token::Word("is" | "not")));
                self.top().operators += usize::from(!is_part);
                self.open(kind)?;
            }
            Token::Symbol(')' | ']' | '}') => {
                if self.open.len() > 1 {
                    self.close()?;
                }
            }
            Token::Symbol(',') => {
                let top = self.top();
                top.next_element()?;
                if top.kind == Kind::Group {
                    top.kind = Kind::Holds;
                }
            }
            Token::Symbol(':') => {
                let top = self.top();
                top.next_element()?;
                if top.kind == Kind::Subscript {
                    top.kind = Kind::Slice;
                    self.slices += 1;
                }
            }
            Token::Symbol('-') if !follows_value => self.top().minus += 1,
            Token::Word("not") => {
                let top = self.top();
                top.nots += 1;
                top.operators += 1;
            }
            Token::Word(word @ ("and" | "or" | "if" | "else")) => {
                let top = self.top();
                (top.nots, top.minus) = (0, 0);
                top.otherwise += usize::from(*word == "else");
                top.operators += 1;
            }
            Token::Symbol('~') => {
                self.operator();
                self.joined += 1;
                let top = self.top();
                top.joined_within = top.joined_within.max(Some(0));
            }
            Token::Symbol('.' | '|') => self.top().operators += 1,
            // The second half of `==`, `<=` and the like, or of `//`.
            Token::Symbol('=') if matches!(before, Some(Token::Symbol('=' | '<' | '>' | '!'))) => {}
            Token::Symbol('/') if before == Some(&Token::Symbol('/')) => {}
            Token::Word("in" | "is") | Token::Symbol(_) => self.operator(),
            Token::Word(_) | Token::Text(_) => {}
        }
        self.limits()
    }

    fn operator(&mut self) {
        let top = self.top();
        top.minus = 0;
        top.operators += 1;
    }

    fn open(&mut self, kind: Kind) -> Result<(), String> {
        self.nested += 1 + self.top().nested();
        self.open.push(Level { kind, ..Level::default() });
        self.limits()
    }

    fn close(&mut self) -> Result<(), String> {
        let closed = self.open.pop().expect("more than the outermost level is open");
        let chain = closed.chain()?;
        let joined_within =
            closed.joined_within.map(|within| within + usize::from(closed.kind == Kind::Holds));
        if joined_within > Some(JOINED_WITHIN) {
            return Err(format!("a `~` stands within more than {JOINED_WITHIN} lists or tables"));
        }
        let top = self.top();
        top.joined_within = top.joined_within.max(joined_within);
        top.inner = top.inner.max(chain);
        let nested = top.nested();
        self.nested -= 1 + nested;
        Ok(())
    }

    fn limits(&mut self) -> Result<(), String> {
        if self.nested + self.top().nested() > NESTED {
            return Err(format!(
                "it nests more than {NESTED} brackets, `not`, `-` and `else` within each other; at most {NESTED} are allowed"
            ));
        }
        if self.joined > JOINED {
            return Err(format!(
                "it has more than {JOINED} `~`; `[a, b]|join(' ')` joins any number of texts"
            ));
        }
        if self.slices > SLICES {
            return Err(format!(
                "it has more than {SLICES} slices such as `[1:]`; at most {SLICES} are allowed"
            ));
        }
        Ok(())
    }
}

/// Whether what comes next continues a value: `-` subtracts then, and `[` is a subscript.
fn follows_value(before: Option<&Token<'_>>) -> bool {
    const KEYWORDS: [&str; 7] = ["and", "else", "if", "in", "is", "not", "or"];
    match before {
        None => false,
        Some(Token::Text(_)) => true,
        Some(Token::Word(word)) => !KEYWORDS.contains(word),
        Some(Token::Symbol(symbol)) => matches!(symbol, ')' | ']' | '}'),
    }
}
