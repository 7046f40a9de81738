//! Parsing under limits: neither size nor nesting of a file may hurt the one who reads it.

use ruff_python_ast::ModModule;
use ruff_python_ast::token::TokenKind;
use ruff_python_parser::{Mode, ParseOptions, lexer, parse_unchecked};
use ruff_text_size::TextSize;

/// Larger files are not read.
const BYTES: usize = 1024 * 1024;
/// Smaller files cannot nest deeper than the readers' stack bears, whatever they hold.
const HARMLESS_BYTES: usize = 16 * 1024;
/// How deep the tree of one statement may be; brackets, operators and attributes all deepen it.
const EXPRESSION_DEPTH: u32 = 400;
/// How deep blocks may be nested (Python itself stops at 100).
const BLOCK_DEPTH: u32 = 60;

/// Why a file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unread {
    #[error("the file is over 1 MiB and was not read")]
    TooLarge,
    #[error("the file is not UTF-8 text and was not read")]
    NotText,
    #[error("the file nests too deeply and was not read")]
    TooDeep,
}

/// A parsed file; what could not be parsed is left out, and `error` says where the first of it is.
pub(crate) struct Parsed {
    pub(crate) module: ModModule,
    pub(crate) error: Option<(TextSize, String)>,
}

/// Parses a file that is within the limits. Call it, and drop what it gives, where the stack is deep.
pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed, Unread> {
    if bytes.len() > BYTES {
        return Err(Unread::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Unread::NotText)?;
    if bytes.len() > HARMLESS_BYTES && too_deep(text) {
        return Err(Unread::TooDeep);
    }
    let parsed = parse_unchecked(text, ParseOptions::from(Mode::Module));
    let error = parsed.errors().first().map(|error| (error.location.start(), error.error.to_string()));
    parsed
        .try_into_module()
        .map(|parsed| Parsed { module: parsed.into_syntax(), error })
        .ok_or(Unread::NotText)
}

/// The line of an offset, from 1.
pub(crate) fn line_at(bytes: &[u8], offset: TextSize) -> usize {
    let end = offset.to_usize().min(bytes.len());
    1 + bytes[..end].iter().filter(|byte| **byte == b'\n').count()
}

/// Bounds the depth of the tree from its tokens alone, since building and dropping it recurse.
fn too_deep(text: &str) -> bool {
    let mut lexer = lexer::lex(text, Mode::Module);
    let mut open: Vec<u32> = vec![0];
    let mut total = 0;
    let mut blocks: u32 = 0;
    loop {
        match lexer.next_token() {
            TokenKind::EndOfFile => return false,
            TokenKind::Indent => blocks += 1,
            TokenKind::Dedent => blocks = blocks.saturating_sub(1),
            TokenKind::Newline | TokenKind::Semi => {
                open.clear();
                open.push(0);
                total = 0;
            }
            TokenKind::Lpar
            | TokenKind::Lsqb
            | TokenKind::Lbrace
            | TokenKind::FStringStart
            | TokenKind::TStringStart => {
                open.push(1);
                total += 1;
            }
            TokenKind::Rpar
            | TokenKind::Rsqb
            | TokenKind::Rbrace
            | TokenKind::FStringEnd
            | TokenKind::TStringEnd
                if open.len() > 1 =>
            {
                // What is in brackets is one operand now: `f()()` still deepens by one each time.
                total -= open.pop().unwrap_or(0);
                deepen(&mut open, &mut total);
            }
            TokenKind::Comma => total -= open.last_mut().map_or(0, std::mem::take),
            kind if kind.is_operator() || kind.is_keyword() => deepen(&mut open, &mut total),
            _ => {}
        }
        if total > EXPRESSION_DEPTH || blocks > BLOCK_DEPTH {
            return true;
        }
    }
}

fn deepen(open: &mut [u32], total: &mut u32) {
    if let Some(last) = open.last_mut() {
        *last += 1;
        *total += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deep(text: &str) -> bool {
        let text = format!("{text}{}", "# padding\n".repeat(HARMLESS_BYTES / 8));
        matches!(parse(text.as_bytes()), Err(Unread::TooDeep))
    }

    #[test]
    fn nesting_of_any_kind_is_refused_before_it_is_parsed() {
        for (open, close) in
            [("(", ")"), ("[", "]"), ("f(", ")"), ("{1:", "}"), ("-", ""), ("lambda:", ""), ("not ", "")]
        {
            assert!(deep(&format!("x = {}1{}\n", open.repeat(10_000), close.repeat(10_000))), "{open}");
        }
        for chain in ["+1", ".a", "()", "[0]", " if a else 1", "**1"] {
            assert!(deep(&format!("x = a{}\n", chain.repeat(10_000))), "{chain}");
        }
        let blocks: String = (0..200).map(|depth| format!("{}if x:\n", " ".repeat(depth))).collect();
        assert!(deep(&blocks));
    }

    #[test]
    fn long_but_flat_files_are_read() {
        let list = format!("x = [{}]\n", "(1, {'a': b.c(2)}),\n".repeat(5_000));
        assert!(parse(list.as_bytes()).is_ok());
        let statements = "x = a.b(c)[1] + 2\n".repeat(5_000);
        assert!(parse(statements.as_bytes()).is_ok());
    }

    #[test]
    fn size_and_encoding_are_checked() {
        assert_eq!(parse(&vec![b'\n'; BYTES + 1]).err(), Some(Unread::TooLarge));
        assert_eq!(parse(b"x = '\xff'").err(), Some(Unread::NotText));
    }

    #[test]
    fn a_syntax_error_is_placed() {
        let parsed = parse(b"a = 1\nb = = 2\n").unwrap();
        let (offset, _) = parsed.error.unwrap();
        assert_eq!(line_at(b"a = 1\nb = = 2\n", offset), 2);
    }
}
