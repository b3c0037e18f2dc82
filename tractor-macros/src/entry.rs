//! `#[main]` and `#[test]`: an `async fn` that runs as the root of a tree of actors.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ItemFn, Result, ReturnType, Type};

use crate::attributes::{EntryOptions, ends_in};

pub(crate) fn expand_main(options: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = parse(options, item.clone()).and_then(|(options, function)| {
        if let Some((timeout, _)) = &options.timeout {
            return Err(Error::new(
                timeout.span(),
                "`timeout` is an option of `test`",
            ));
        }
        if !function.sig.inputs.is_empty() {
            return Err(Error::new_spanned(
                &function.sig.inputs,
                "it takes no arguments",
            ));
        }
        Ok(main(&options, &function))
    });
    expanded.unwrap_or_else(|error| with_item(&error, &item))
}

pub(crate) fn expand_test(options: TokenStream, item: TokenStream) -> TokenStream {
    let expanded =
        parse(options, item.clone()).map(|(options, function)| test(&options, &function));
    expanded.unwrap_or_else(|error| with_item(&error, &item))
}

fn parse(options: TokenStream, item: TokenStream) -> Result<(EntryOptions, ItemFn)> {
    let options: EntryOptions = syn::parse2(options)?;
    let function: ItemFn = syn::parse2(item)?;
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        let message = "it has to be an `async fn`, because actors are awaited";
        return Err(Error::new(signature.fn_token.span, message));
    }
    if !signature.generics.params.is_empty() {
        let message = "nobody could tell it the types";
        return Err(Error::new_spanned(&signature.generics, message));
    }
    match &signature.output {
        ReturnType::Type(_, ty) if matches!(**ty, Type::ImplTrait(_)) => {
            Err(Error::new_spanned(ty, "write the type itself"))
        }
        _ => Ok((options, function)),
    }
}

fn main(options: &EntryOptions, function: &ItemFn) -> TokenStream {
    let root = &options.root;
    let built = built(options);
    let face = face(function);
    let body = body(function);
    quote! {
        #face {
            #root::__private::main(#built, async || #body)
        }
    }
}

fn test(options: &EntryOptions, function: &ItemFn) -> TokenStream {
    let root = &options.root;
    let name = &function.sig.ident;
    let timeout = match &options.timeout {
        Some((_, seconds)) => quote!(::core::option::Option::Some(#seconds)),
        None => quote!(::core::option::Option::None),
    };
    // With a second one the test would run twice, or its arguments would have no values.
    let is_test = function
        .attrs
        .iter()
        .any(|other| ends_in(other, &["test", "rstest"]));
    let test = (!is_test).then(|| quote!(#[::core::prelude::v1::test]));
    let built = built(options);
    // A failure is a panic with its report, which `should_panic` can expect too.
    let mut reported = function.clone();
    reported.sig.output = ReturnType::Default;
    let face = face(&reported);
    let body = body(function);
    quote! {
        #test
        #face {
            #root::__private::test(
                #root::__private::TestSpec {
                    name: ::core::concat!(::core::module_path!(), "::", ::core::stringify!(#name)),
                    timeout_secs: #timeout,
                    options: #built,
                },
                async move || #body,
            )
        }
    }
}

/// The options, as the user would build them.
fn built(options: &EntryOptions) -> TokenStream {
    let root = &options.root;
    let calls = options
        .builder
        .iter()
        .map(|(name, value)| quote!(.#name(#value)));
    quote!(#root::Options::default() #(#calls)*)
}

/// The function up to its body, no longer async.
fn face(function: &ItemFn) -> TokenStream {
    let ItemFn {
        attrs, vis, sig, ..
    } = function;
    let mut signature = sig.clone();
    signature.asyncness = None;
    quote!(#(#attrs)* #vis #signature)
}

/// The body, with its type, so that `?` knows what it converts into.
fn body(function: &ItemFn) -> TokenStream {
    let block = &function.block;
    match &function.sig.output {
        ReturnType::Default => quote!(-> () #block),
        output @ ReturnType::Type(..) => quote!(#output #block),
    }
}

/// The error, and the item as it was: whoever names it shall not be told that it does not exist.
fn with_item(error: &Error, item: &TokenStream) -> TokenStream {
    let error = error.to_compile_error();
    quote!(#error #item)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(expanded: TokenStream) -> String {
        let text = expanded.to_string();
        assert!(text.contains("compile_error"), "{text}");
        text
    }

    #[test]
    fn main_becomes_a_plain_function() {
        let options = quote!(debug_mode, name = "root", crate = facade);
        let expanded = expand_main(
            options,
            quote!(
                async fn main() -> facade::Result<()> {
                    Ok(())
                }
            ),
        );
        let expected = quote! {
            fn main() -> facade::Result<()> {
                facade::__private::main(
                    facade::Options::default().debug_mode(true).name("root"),
                    async || -> facade::Result<()> { Ok(()) }
                )
            }
        };
        assert_eq!(expanded.to_string(), expected.to_string());
    }

    #[test]
    fn a_test_keeps_its_attributes_and_is_a_test_once() {
        let count = |item| {
            let expanded = expand_test(quote!(timeout = 30), item);
            let file: syn::File = syn::parse2(expanded).unwrap();
            let syn::Item::Fn(function) = &file.items[0] else {
                panic!("a function")
            };
            assert!(function.sig.asyncness.is_none());
            let tests = function
                .attrs
                .iter()
                .filter(|other| ends_in(other, &["test"]))
                .count();
            (function.attrs.len(), tests)
        };
        assert_eq!(
            count(quote!(
                #[should_panic]
                async fn t() {}
            )),
            (2, 1)
        );
        assert_eq!(
            count(quote!(
                #[test]
                async fn t() {}
            )),
            (1, 1)
        );
        assert_eq!(
            count(quote!(
                #[rstest]
                #[case(1)]
                async fn t(#[case] n: u8) {}
            )),
            (2, 0)
        );
    }

    #[test]
    fn what_cannot_be_an_entry_is_refused() {
        let no_options = TokenStream::new;
        let refused = refusal(expand_main(
            no_options(),
            quote!(
                fn main() {}
            ),
        ));
        assert!(refused.contains("async fn"), "{refused}");
        refusal(expand_main(
            no_options(),
            quote!(
                async fn main(n: u8) {}
            ),
        ));
        refusal(expand_main(
            quote!(timeout = 3),
            quote!(
                async fn main() {}
            ),
        ));
        refusal(expand_test(
            no_options(),
            quote!(
                async fn t<T>() {}
            ),
        ));
        refusal(expand_test(
            no_options(),
            quote!(
                async fn t() -> impl Sized {}
            ),
        ));
    }
}
