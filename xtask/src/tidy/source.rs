//! A Rust file as lines and tokens.
//!
//! Tokens come from the Rust lexer, so a rule never mistakes a comment or a string for code.
//! Among the tokens literals are an empty text: only a rule that asks for them looks into them.

use anyhow::{Context, Result};
use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// One Rust file of the workspace.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    tokens: Vec<Token>,
    /// Without those that are documentation.
    literals: Vec<Token>,
}

#[derive(Debug)]
struct Token {
    text: String,
    line: usize,
}

/// The attribute that starts an inline test module, when `mod` follows it.
const TEST_MODULE: [&str; 8] = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Result<Self> {
        let stream: TokenStream = text
            .parse()
            .map_err(|error: proc_macro2::LexError| anyhow::anyhow!("{error}"))
            .with_context(|| format!("{path} cannot be read as Rust"))?;
        let (mut tokens, mut literals) = (Vec::new(), Vec::new());
        flatten(stream, &mut tokens, &mut literals);
        Ok(Self {
            path: path.to_owned(),
            text: text.to_owned(),
            tokens,
            literals,
        })
    }

    /// The lines before the inline test module, or all of them.
    pub(crate) fn code_lines(&self) -> usize {
        let all = self.text.lines().count();
        self.find(&TEST_MODULE).first().map_or(all, |line| line - 1)
    }

    /// The lines on which this sequence of tokens begins; `::` is one token.
    pub(crate) fn find(&self, sequence: &[&str]) -> Vec<usize> {
        self.tokens
            .windows(sequence.len())
            .filter(|window| {
                window
                    .iter()
                    .zip(sequence)
                    .all(|(token, text)| token.text == *text)
            })
            .map(|window| window[0].line)
            .collect()
    }

    /// Every token with its line: names among them, and literals as an empty text.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = (usize, &str)> {
        self.tokens.iter().map(|token| (token.line, &*token.text))
    }

    /// Every literal as it is written, with its line; comments are none.
    pub(crate) fn literals(&self) -> impl Iterator<Item = (usize, &str)> {
        self.literals.iter().map(|token| (token.line, &*token.text))
    }

    /// The lines on which one of these standard modules is named in a path or a `use`.
    pub(crate) fn find_modules<'a>(&self, names: &[&'a str]) -> Vec<(usize, &'a str)> {
        let is_path = |index: usize| self.tokens.get(index).is_some_and(|near| near.text == "::");
        let mut found = Vec::new();
        let mut in_use = false;
        for (index, token) in self.tokens.iter().enumerate() {
            match token.text.as_str() {
                "use" => in_use = true,
                ";" => in_use = false,
                text if in_use || is_path(index + 1) || (index > 0 && is_path(index - 1)) => {
                    let names = names.iter().filter(|name| **name == text);
                    found.extend(names.map(|name| (token.line, *name)));
                }
                _ => {}
            }
        }
        found
    }
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>, literals: &mut Vec<Token>) {
    let mut joined_colon = false;
    for tree in stream {
        let line = tree.span().start().line;
        let mut push = |text: &str, line| {
            tokens.push(Token {
                text: text.to_owned(),
                line,
            })
        };
        let after_colon = std::mem::take(&mut joined_colon);
        match tree {
            TokenTree::Ident(ident) => push(&ident.to_string(), line),
            TokenTree::Literal(literal) => {
                push("", line);
                literals.push(Token {
                    text: literal.to_string(),
                    line,
                });
            }
            TokenTree::Punct(punct) if after_colon && punct.as_char() == ':' => push("::", line),
            TokenTree::Punct(punct) if punct.as_char() == ':' => match punct.spacing() {
                Spacing::Joint => joined_colon = true,
                Spacing::Alone => push(":", line),
            },
            TokenTree::Punct(punct) => push(&punct.as_char().to_string(), line),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                push(open, line);
                let end = group.span_close().end().line;
                let before = literals.len();
                flatten(group.stream(), tokens, literals);
                if is_documentation(group.stream()) {
                    literals.truncate(before);
                }
                tokens.push(Token {
                    text: close.to_owned(),
                    line: end,
                });
            }
        }
    }
}

/// Whether this is what a comment of documentation is to the lexer: `doc = "..."`.
fn is_documentation(attribute: TokenStream) -> bool {
    let mut trees = attribute.into_iter();
    matches!(trees.next(), Some(TokenTree::Ident(name)) if name == "doc")
        && matches!(trees.next(), Some(TokenTree::Punct(punct)) if punct.as_char() == '=')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("a.rs", text).unwrap()
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        let source =
            source("//! unsafe\n// unsafe\nconst A: &str = \"unsafe\";\nunsafe fn f() {}\n");
        assert_eq!(source.find(&["unsafe"]), [4]);
    }

    #[test]
    fn literals_are_found_as_they_are_written_but_not_in_comments() {
        let source = source("//! \"a\"\n/// \"b\"\nfn f() { g(b\"c\", [1]); } // \"d\"\n");
        let found: Vec<_> = source.literals().collect();
        assert_eq!(found, [(3, "b\"c\""), (3, "1")]);
    }

    #[test]
    fn paths_are_found_across_groups() {
        let source = source("fn f() {\n  g(std::fs::read);\n}\n");
        assert_eq!(source.find(&["std", "::", "fs"]), [2]);
    }

    #[test]
    fn modules_are_found_in_nested_uses_but_not_as_plain_names() {
        let source = source("use std::{io, fs};\nfn f(fs: u8) -> u8 { fs + 1 }\n");
        assert_eq!(source.find_modules(&["fs"]), [(1, "fs")]);
    }

    #[test]
    fn code_lines_stop_at_the_inline_test_module() {
        assert_eq!(
            source("fn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n").code_lines(),
            2
        );
        assert_eq!(
            source("fn a() {}\n#[cfg(test)]\nfn b() {}\n").code_lines(),
            3
        );
    }
}
