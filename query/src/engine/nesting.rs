//! How deep a statement is nested, told from its tokens before anything recurses over it.
//!
//! Parser, planner and optimiser walk a statement by recursion, and so does whoever drops it. A
//! chain like `1 + 1 + 1` is one level deeper with each operator, so a statement of a megabyte
//! would use up the stack, which ends the process and not just the query. The parser limits
//! brackets only.
//!
//! The depth found here is at least half of the true one, and mostly the same: what is not known to
//! be an operand counts as an operator. Lists are flat, so a comma begins anew.

use std::mem;

use datafusion::config::Dialect;
use datafusion::sql::sqlparser::dialect::dialect_from_str;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::Error;

/// The deepest statement that is answered: far more than people write, and on the stack of a
/// thread (2 MiB) it leaves 4 KiB for each level.
const NESTING_MAX: usize = 500;

/// The parts that a name may have: catalog, schema, table and column.
const NAME_DOTS_MAX: usize = 3;

/// Refuses a statement that is nested too deep.
///
/// # Errors
///
/// [`Error::Parameter`] with the limit.
pub(super) fn check(sql: &str, dialect: &Dialect) -> Result<(), Error> {
    // What has no tokens is refused by the parser, with the place.
    let Some(dialect) = dialect_from_str(dialect) else {
        return Ok(());
    };
    let Ok(tokens) = Tokenizer::new(dialect.as_ref(), sql).tokenize() else {
        return Ok(());
    };
    let depth = depth_of(&tokens);
    if depth <= NESTING_MAX {
        return Ok(());
    }
    let reason = format!(
        "the statement nests {depth} operators, and at most {NESTING_MAX} may stand one inside \
         the other: use IN (...) for a choice of values, or several queries"
    );
    Err(Error::Parameter { reason })
}

fn depth_of(tokens: &[Token]) -> usize {
    let mut outer: Vec<Level> = Vec::new();
    let mut level = Level::default();
    for token in tokens {
        match token {
            Token::Whitespace(_) => {}
            Token::LParen | Token::LBracket | Token::LBrace => {
                level.open(token);
                outer.push(mem::take(&mut level));
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                // One that closes nothing is for the parser to refuse.
                if let Some(around) = outer.pop() {
                    level = around.closed(level);
                }
            }
            token => level.add(token),
        }
    }
    while let Some(around) = outer.pop() {
        level = around.closed(level);
    }
    level.depth()
}

/// What was found between two brackets so far.
#[derive(Debug, Default)]
struct Level {
    /// Set operations, joins and named queries: each stands on all before it, whatever lists
    /// stand between them.
    relations: usize,
    /// Operators of the item that is read.
    operators: usize,
    /// The deepest bracket in the item that is read.
    deepest: usize,
    /// The depth of the deepest item that is complete.
    items: usize,
    /// True once the term that is read has a comparison: `a = 1 OR b = 2` is no deeper than
    /// `a OR b` by more than one, but `a = b = c` is.
    compared: bool,
    /// True where a comma joins.
    in_from: bool,
    /// Dots of the name that is read.
    dots: usize,
    /// True after a dot.
    after_dot: bool,
    /// True after `AS`, where a bracket holds a query that has a name.
    named: bool,
}

impl Level {
    fn open(&mut self, bracket: &Token) {
        match bracket {
            Token::LParen if self.named => self.relations += 1,
            Token::LParen => {}
            // An element of what stands before it.
            _ => self.operators += 1,
        }
        self.named = false;
    }

    /// This level after the bracket that it was left for.
    fn closed(mut self, inner: Self) -> Self {
        self.deepest = self.deepest.max(inner.depth());
        self
    }

    fn depth(mut self) -> usize {
        self.end_item();
        1 + self.relations + self.items
    }

    fn end_item(&mut self) {
        self.items = self.items.max(self.operators + self.deepest);
        (self.operators, self.deepest, self.compared) = (0, 0, false);
    }

    fn add(&mut self, token: &Token) {
        // A word goes on with the name before it if a dot stands between them.
        if *token != Token::Period && !(self.after_dot && matches!(token, Token::Word(_))) {
            self.dots = 0;
        }
        self.after_dot = *token == Token::Period;
        match token {
            Token::Word(word) => self.word(word.keyword),
            Token::Comma => {
                self.relations += usize::from(self.in_from);
                self.end_item();
            }
            Token::Period => {
                self.dots += 1;
                self.operators += usize::from(self.dots > NAME_DOTS_MAX);
            }
            Token::Eq
            | Token::DoubleEq
            | Token::Neq
            | Token::Lt
            | Token::LtEq
            | Token::Gt
            | Token::GtEq => self.compare(),
            operand if is_operand(operand) => {}
            _operator => self.operators += 1,
        }
    }

    fn compare(&mut self) {
        self.operators += usize::from(self.compared);
        self.compared = true;
    }

    fn word(&mut self, keyword: Keyword) {
        match keyword {
            Keyword::AND | Keyword::OR | Keyword::XOR => {
                self.operators += 1;
                self.compared = false;
            }
            Keyword::IS
            | Keyword::NOTNULL
            | Keyword::IN
            | Keyword::BETWEEN
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::RLIKE
            | Keyword::REGEXP
            | Keyword::MATCH
            | Keyword::SIMILAR
            | Keyword::MEMBER
            | Keyword::OVERLAPS => self.compare(),
            Keyword::AT | Keyword::COLLATE | Keyword::DIV | Keyword::OPERATOR => {
                self.operators += 1;
            }
            Keyword::UNION
            | Keyword::INTERSECT
            | Keyword::EXCEPT
            | Keyword::MINUS
            | Keyword::JOIN
            | Keyword::STRAIGHT_JOIN
            | Keyword::APPLY
            | Keyword::PIVOT
            | Keyword::UNPIVOT
            | Keyword::MATCH_RECOGNIZE
            | Keyword::EXPLAIN => self.relations += 1,
            Keyword::FROM => self.in_from = true,
            Keyword::SELECT => self.in_from = false,
            _ => {}
        }
        let goes_on = matches!(keyword, Keyword::NOT | Keyword::MATERIALIZED);
        self.named = keyword == Keyword::AS || (self.named && goes_on);
    }
}

/// Tokens that add no depth. Forms of text that are not named here count as operators, which is of
/// no matter: nobody uses hundreds of them in one item.
const fn is_operand(token: &Token) -> bool {
    matches!(
        token,
        Token::EOF
            | Token::SemiColon
            | Token::Number(..)
            | Token::Char(_)
            | Token::Placeholder(_)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::DollarQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str, expect: usize) {
        let dialect = dialect_from_str("generic").expect("is known");
        let tokens = Tokenizer::new(dialect.as_ref(), sql).tokenize().expect("has tokens");
        assert_eq!(depth_of(&tokens), expect, "{sql}");
    }

    #[test]
    fn a_chain_is_as_deep_as_it_has_operators() {
        check("SELECT 1", 1);
        check("SELECT 1 + 1 + 1", 3);
        check("SELECT 1 + (2 * 3 + 4) + 5", 6);
        check("SELECT x IS NULL IS NULL IS NULL", 3);
        check("SELECT x::INT::INT", 3);
        check("SELECT x[1][1]", 4);
        check("SELECT 1 UNION SELECT 2 UNION SELECT 3", 3);
        check("EXPLAIN EXPLAIN SELECT 1", 3);
    }

    #[test]
    fn comparisons_are_told_from_chains_of_them() {
        check("SELECT a = 1 OR a = 2 OR a = 3", 3);
        check("SELECT a = b = c", 2);
        check("SELECT a LIKE 'x' AND b IN (1) AND c > 1", 4);
    }

    #[test]
    fn lists_are_flat_but_joins_are_not() {
        check("SELECT 1 + 1, 2 + 2, 3 + 3", 2);
        check("SELECT x IN (1, 2, 3, 4, 5)", 2);
        check("SELECT 1 FROM a, b, c", 3);
        check("SELECT 1 FROM a JOIN b ON true JOIN c ON true", 3);
        check("WITH a AS (SELECT 1), b AS (SELECT x FROM a) SELECT x FROM b", 4);
    }

    #[test]
    fn names_text_and_comments_do_not_count() {
        check("SELECT \"a + b + c\", 'a + b' /* + + */ -- + +", 1);
        check("SELECT public.iox.cpu.host, cpu.x FROM iox.cpu WHERE cpu.up AND cpu.x", 2);
        check("SELECT (point).a.b.c.d.e", 4);
    }

    #[test]
    fn brackets_that_do_not_match_are_counted_too() {
        check("((((", 5);
        check("))))", 1);
    }
}
