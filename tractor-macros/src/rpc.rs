//! `#[rpc]`: splits a function into its public face, which makes a call, and its body, and
//! writes down for the linker how other actors start it.
//!
//! ```text
//! pub fn load(path: &str) -> Call<Table, LoadError> {
//!     async fn __body(path: &str) -> Result<Table, LoadError> { … }  // as the user wrote it
//!     fn __run(args: (String,)) -> impl Future<..> { … }             // the body, on owned args
//!     fn __finish(output: Result<..>) -> Result<Vec<u8>, Ending> { … }
//!     fn __start(bytes: &[u8]) -> Result<Body, DecodeError> { … }    // decode, then run, finish
//!     static __EXPORT: Export = Export { start: __start, .. };       // found by the linker
//!     call_async(&__EXPORT, (path.to_owned(),), __run, ..)
//! }
//! ```
//!
//! The body has another name than the face, so that a recursive function awaits the boxed call
//! and not its own future. A generic function has an export for each listed instance, and a
//! hidden type `__rpc_name` whose `Instance` implementations find it.

// The code that is written for one function.
mod exported;
// What is generic in it.
mod instances;

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{
    Error, ImplItem, ImplItemFn, Item, ItemFn, ItemImpl, Result, Signature, Type, Visibility,
    parse_quote,
};

use self::exported::Exported;
use crate::attributes::{RpcOptions, Split};
use crate::signature::dialog::{self, Kind};

/// `#[context]`: the same, for a function whose first argument is its context.
pub(crate) fn expand_context(options: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = syn::parse2::<RpcOptions>(options).and_then(|options| {
        match syn::parse2::<Item>(item.clone())? {
            Item::Fn(function) => {
                let (signature, types) = dialog::take_context(&function.sig)?;
                let kind = Kind::Context(Box::new(types));
                expand_function(options, function, signature, kind)
            }
            other => Err(Error::new_spanned(
                other,
                "`context` stands on an `async fn`",
            )),
        }
    });
    expanded.unwrap_or_else(|error| {
        let error = error.to_compile_error();
        quote!(#error #item)
    })
}

pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = syn::parse2::<RpcOptions>(options).and_then(|options| {
        match syn::parse2::<Item>(item.clone())? {
            Item::Fn(function) => {
                let signature = function.sig.clone();
                expand_function(options, function, signature, Kind::Call)
            }
            Item::Impl(block) => expand_impl(&options, block),
            other => Err(Error::new_spanned(
                other,
                "`rpc` stands on a function, or on an `impl` block with methods",
            )),
        }
    });
    // The item stays as it was: whoever names it shall not be told that it does not exist.
    expanded.unwrap_or_else(|error| {
        let error = error.to_compile_error();
        quote!(#error #item)
    })
}

/// `signature` is the function's, without what does not travel.
fn expand_function(
    options: RpcOptions,
    item: ItemFn,
    signature: Signature,
    kind: Kind,
) -> Result<TokenStream> {
    let mut body = item.sig;
    let exported = Exported::new(options, signature, None, kind)?;
    let Split {
        face,
        body: attributes,
    } = Split::new(item.attrs);
    let block = item.block;
    body.ident = format_ident!("__body");
    let body = quote!(#(#attributes)* #body #block);
    let marker = exported.marker(&item.vis);
    let face = exported.face(&face, &item.vis, &body);
    Ok(quote!(#marker #face))
}

fn expand_impl(options: &RpcOptions, mut block: ItemImpl) -> Result<TokenStream> {
    if let Some((_, path, _)) = &block.trait_ {
        let message = "a trait says what its methods return: export inherent methods that call it";
        return Err(Error::new_spanned(path, message));
    }
    if !block.generics.params.is_empty() {
        let message = "methods of a generic type cannot be exported: write a generic function \
                       with `#[rpc(instances(..))]`";
        return Err(Error::new_spanned(&block.generics, message));
    }
    let owner = (*block.self_ty).clone();
    let mut items = Vec::with_capacity(2 * block.items.len());
    let mut problems: Option<Error> = None;
    for item in std::mem::take(&mut block.items) {
        let ImplItem::Fn(method) = item else {
            items.push(item);
            continue;
        };
        match expand_method(options, method, &owner) {
            Ok(pair) => items.extend(pair),
            Err(error) => match &mut problems {
                Some(problems) => problems.combine(error),
                None => problems = Some(error),
            },
        }
    }
    block.items = items;
    problems.map_or_else(|| Ok(block.into_token_stream()), Err)
}

/// The face of a method, and its body under a hidden name: within the `impl` block, because it
/// may say `self`.
fn expand_method(
    options: &RpcOptions,
    mut method: ImplItemFn,
    owner: &Type,
) -> Result<[ImplItem; 2]> {
    let options = options.with_attributes(&mut method.attrs)?;
    let exported = Exported::new(options, method.sig.clone(), Some(owner), Kind::Call)?;
    let Split { face, body } = Split::new(method.attrs);
    let face = exported.face(&face, &method.vis, &TokenStream::new());
    method.attrs = body;
    method.attrs.push(parse_quote!(#[doc(hidden)]));
    method.vis = Visibility::Inherited;
    method.sig.ident = exported.hidden;
    Ok([ImplItem::Verbatim(face), ImplItem::Fn(method)])
}
