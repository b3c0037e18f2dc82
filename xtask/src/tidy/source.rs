//! A Rust file as lines and tokens.
//!
//! Tokens come from the Rust lexer, so a rule never mistakes a comment or a string for code.
//! Literals are kept as an empty text: no rule looks into them.

use anyhow::{Context, Result};
use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// One Rust file of the workspace.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    tokens: Vec<Token>,
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
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        Ok(Self {
            path: path.to_owned(),
            text: text.to_owned(),
            tokens,
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

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
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
            TokenTree::Literal(_) => push("", line),
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
                flatten(group.stream(), tokens);
                tokens.push(Token {
                    text: close.to_owned(),
                    line: end,
                });
            }
        }
    }
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
