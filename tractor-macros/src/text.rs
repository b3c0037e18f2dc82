//! Tokens as one would write them, for the signature that an export carries.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// The tokens as text, spaced as rustfmt would: `async fn load(path: &str) -> Vec<u8>`.
pub(crate) fn compact(tokens: TokenStream) -> String {
    let mut text = String::new();
    write(tokens, &mut text);
    text
}

fn write(tokens: TokenStream, text: &mut String) {
    let mut operator = String::new();
    for token in tokens {
        match token {
            TokenTree::Punct(punct) => {
                operator.push(punct.as_char());
                let is_whole = match operator.as_str() {
                    "-" | "'" => false,
                    ":" | "=" | "." => punct.spacing() == Spacing::Alone,
                    _ => true,
                };
                if !is_whole {
                    continue;
                }
                match operator.as_str() {
                    "->" | "=>" | "=" | "+" => {
                        text.truncate(text.trim_end().len());
                        text.extend([" ", &operator, " "]);
                    }
                    "," | ";" | ":" => text.extend([&operator, " "]),
                    _ => text.push_str(&operator),
                }
                operator.clear();
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                write(group.stream(), text);
                text.truncate(text.trim_end_matches([' ', ',']).len());
                text.push_str(close);
            }
            word => {
                if text.ends_with(|c: char| c.is_alphanumeric() || "_>)]".contains(c)) {
                    text.push(' ');
                }
                // A lifetime's apostrophe waits for its name.
                text.push_str(&std::mem::take(&mut operator));
                text.push_str(&word.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_read_as_written() {
        let texts = [
            "async fn load(path: &str, sheet: Option<u8>) -> io::Result<Table>",
            "fn f()",
            "fn f(self, a: &[u8], (x, y): (u8, u8)) -> (u8, String)",
            "fn largest<T: Ord + Clone>(items: Vec<T>) -> Option<T> where T: Debug",
            "fn g<T: Iterator<Item = u8>>(mut x: [T; 3]) -> Box<dyn Error + Send>",
        ];
        for text in texts {
            assert_eq!(compact(text.parse().unwrap()), text);
        }
    }
}
