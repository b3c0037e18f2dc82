//! The options that stand in the macros' parentheses, and which of a function's attributes stay
//! with its public face.

use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Ident, Meta, Path, Result, Token, Type, parenthesized, parse_quote};

/// The options of `#[rpc(..)]`.
#[derive(Clone)]
pub(crate) struct RpcOptions {
    /// The crate that the written code names.
    pub(crate) root: Path,
    pub(crate) spawn: bool,
    /// The return type is no `Result`, whatever its name.
    pub(crate) value: bool,
    pub(crate) instances: Vec<Type>,
}

impl Default for RpcOptions {
    fn default() -> Self {
        Self {
            root: parse_quote!(::tractor),
            spawn: false,
            value: false,
            instances: Vec::new(),
        }
    }
}

impl RpcOptions {
    /// The options of an `impl` block, with those that one of its functions has of its own.
    pub(crate) fn with_attributes(&self, attributes: &mut Vec<Attribute>) -> Result<Self> {
        let mut options = self.clone();
        let (own, others) = std::mem::take(attributes)
            .into_iter()
            .partition::<Vec<_>, _>(|attribute| ends_in(attribute, &["rpc"]));
        *attributes = others;
        for own in own {
            if !matches!(own.meta, Meta::Path(_)) {
                own.parse_args_with(|input: ParseStream<'_>| options.add(input))?;
            }
        }
        Ok(options)
    }

    fn add(&mut self, input: ParseStream<'_>) -> Result<()> {
        while !input.is_empty() {
            let key = input.call(Ident::parse_any)?;
            match key.to_string().as_str() {
                "spawn" => self.spawn = true,
                "value" => self.value = true,
                "crate" => self.root = crate_path(input)?,
                "instances" => {
                    let list;
                    parenthesized!(list in input);
                    let types = Punctuated::<Type, Token![,]>::parse_terminated(&list)?;
                    self.instances.extend(types);
                }
                _ => {
                    let message = "the options of `rpc` and `context` are `spawn`, `value`, \
                                   `instances(..)` and `crate = path`";
                    return Err(syn::Error::new(key.span(), message));
                }
            }
            comma(input)?;
        }
        Ok(())
    }
}

impl Parse for RpcOptions {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Self::default();
        options.add(input)?;
        Ok(options)
    }
}

/// The options of `#[main(..)]` and `#[test(..)]`.
pub(crate) struct EntryOptions {
    /// The crate that the written code names.
    pub(crate) root: Path,
    pub(crate) timeout: Option<(Ident, Expr)>,
    /// Calls of the options' builder, in the order of the source.
    pub(crate) builder: Vec<(Ident, Expr)>,
}

impl Parse for EntryOptions {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let root = parse_quote!(::tractor);
        let mut options = Self {
            root,
            timeout: None,
            builder: Vec::new(),
        };
        while !input.is_empty() {
            let key = input.call(Ident::parse_any)?;
            if key == "crate" {
                options.root = crate_path(input)?;
            } else {
                let value = match input.parse::<Option<Token![=]>>()? {
                    Some(_) => input.parse()?,
                    None => parse_quote!(true),
                };
                if key == "timeout" {
                    options.timeout = Some((key, value));
                } else {
                    options.builder.push((key, value));
                }
            }
            comma(input)?;
        }
        Ok(options)
    }
}

/// Where a function's attributes go when it is split into its public face and its body.
pub(crate) struct Split {
    pub(crate) face: Vec<Attribute>,
    pub(crate) body: Vec<Attribute>,
}

impl Split {
    /// Documentation and the like belong to the face, lint levels to both, and everything else,
    /// such as `#[tracing::instrument]`, to the body.
    pub(crate) fn new(attributes: Vec<Attribute>) -> Self {
        let mut split = Self {
            face: Vec::new(),
            body: Vec::new(),
        };
        for attribute in attributes {
            let is = |names: &[&str]| ends_in(&attribute, names);
            if is(&["doc", "deprecated", "must_use", "cfg", "cfg_attr"]) {
                split.face.push(attribute);
            } else if is(&["allow", "warn", "deny", "forbid"]) {
                split.face.push(attribute.clone());
                split.body.push(attribute);
            } else {
                split.body.push(attribute);
            }
        }
        split
    }
}

/// Whether an attribute's path ends in one of these names.
pub(crate) fn ends_in(attribute: &Attribute, names: &[&str]) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|last| names.iter().any(|name| last.ident == name))
}

fn crate_path(input: ParseStream<'_>) -> Result<Path> {
    input.parse::<Token![=]>()?;
    input.call(Path::parse_mod_style)
}

fn comma(input: ParseStream<'_>) -> Result<()> {
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;

    use super::*;

    #[test]
    fn options_are_read_in_any_order() {
        let options: RpcOptions = parse_quote!(
            spawn,
            crate = crate::inner,
            instances(u64, Vec<String>),
            value
        );
        assert!(options.spawn && options.value);
        assert_eq!(options.root.to_token_stream().to_string(), "crate :: inner");
        assert_eq!(options.instances.len(), 2);

        let options: EntryOptions = parse_quote!(debug_mode, timeout = 30, name = "root",);
        assert!(options.timeout.is_some());
        let names: Vec<_> = options
            .builder
            .iter()
            .map(|(name, _)| name.to_string())
            .collect();
        assert_eq!(names, ["debug_mode", "name"]);
    }

    #[test]
    fn an_unknown_option_is_an_error_that_lists_the_known_ones() {
        let error = syn::parse_str::<RpcOptions>("inline").err().unwrap();
        assert!(error.to_string().contains("`spawn`"), "{error}");
    }

    #[test]
    fn a_function_of_a_block_adds_its_own_options() {
        let block = RpcOptions::default();
        let mut attributes = vec![
            parse_quote!(#[tractor::rpc(spawn)]),
            parse_quote!(#[inline]),
        ];
        let own = block.with_attributes(&mut attributes).unwrap();
        assert!(own.spawn && !own.value);
        assert_eq!(attributes.len(), 1);
    }

    #[test]
    fn attributes_go_to_the_face_the_body_or_both() {
        let split = Split::new(vec![
            parse_quote!(#[doc = "x"]),
            parse_quote!(#[allow(dead_code)]),
            parse_quote!(#[tracing::instrument]),
        ]);
        assert_eq!((split.face.len(), split.body.len()), (2, 2));
    }
}
