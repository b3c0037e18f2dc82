//! What a function must look like to be called from another process, and its parts by role.

// Contexts, and functions that return streams.
pub(crate) mod dialog;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Error, FnArg, GenericArgument, GenericParam, Lifetime, Pat, PathArguments, Result, ReturnType,
    Signature, Type, TypeImplTrait, TypeReference, parse_quote,
};

/// One argument, the receiver included.
pub(crate) struct Argument {
    /// Its name in the public signature; a pattern has none, and gets one.
    pub(crate) name: Ident,
    /// As it stands in the public signature.
    pub(crate) public: TokenStream,
    /// The type that is passed by value, or behind the reference.
    pub(crate) ty: Type,
    pub(crate) by_ref: bool,
}

/// What the function returns.
pub(crate) struct Output {
    /// As written; `()` if nothing is.
    pub(crate) ty: Type,
    /// What a call gives.
    pub(crate) ok: Type,
    /// How it fails, if it returns a `Result`.
    pub(crate) err: Option<Type>,
}

/// Takes the arguments apart; `owner` is what `Self` means.
pub(crate) fn arguments(signature: &Signature, owner: Option<&Type>) -> Result<Vec<Argument>> {
    let mut problems = Problems::default();
    let mut arguments: Vec<Argument> = Vec::new();
    for (index, input) in signature.inputs.iter().enumerate() {
        let argument = match input {
            FnArg::Receiver(receiver) => match (owner, &receiver.reference) {
                (Some(owner), _) if receiver.colon_token.is_none() => {
                    if receiver.reference.is_some() && receiver.mutability.is_some() {
                        problems.add(receiver, MUTABLE);
                    }
                    let by_ref = receiver
                        .reference
                        .as_ref()
                        .map(|(and, lifetime)| quote!(#and #lifetime));
                    let self_token = receiver.self_token;
                    Argument {
                        name: Ident::new("self", self_token.span),
                        public: quote!(#by_ref #self_token),
                        ty: owner.clone(),
                        by_ref: by_ref.is_some(),
                    }
                }
                (Some(_), _) => {
                    problems.add(receiver, "a receiver is `self` or `&self`");
                    continue;
                }
                (None, _) => {
                    problems.add(
                        receiver,
                        "for methods, the attribute stands on the `impl` block",
                    );
                    continue;
                }
            },
            FnArg::Typed(typed) => {
                let name = argument_name(&typed.pat, index, signature);
                let written = bare(&typed.ty);
                let (inner, by_ref) = match written {
                    Type::Reference(TypeReference {
                        mutability: Some(_),
                        ..
                    }) => {
                        problems.add(written, MUTABLE);
                        continue;
                    }
                    Type::Reference(reference) => {
                        problems.add_static(reference.lifetime.as_ref());
                        (bare(&reference.elem), true)
                    }
                    owned => (owned, false),
                };
                problems.inside(inner, Place::Argument);
                Argument {
                    public: quote!(#name: #written),
                    name,
                    ty: without_self(inner, owner),
                    by_ref,
                }
            }
        };
        arguments.push(argument);
    }
    if arguments.len() > ARGUMENTS_MAX {
        problems.add(
            &signature.inputs,
            "a call has at most 16 arguments: put some into a struct",
        );
    }
    problems.into_result(arguments)
}

/// Takes the return type apart; `is_value` says that it is no `Result` whatever its name.
pub(crate) fn output(
    signature: &Signature,
    owner: Option<&Type>,
    is_value: bool,
    private: &TokenStream,
) -> Result<Output> {
    let ReturnType::Type(_, written) = &signature.output else {
        let unit: Type = parse_quote!(());
        return Ok(Output {
            ty: unit.clone(),
            ok: unit,
            err: None,
        });
    };
    let written = bare(written);
    let named = if is_value {
        Named::Value
    } else {
        named(written)
    };
    let mut problems = Problems::default();
    match written {
        Type::Never(_) => problems.add(
            written,
            "a call that never returns has no result to send: return a `Result`, or `()`",
        ),
        Type::ImplTrait(opaque) => problems.add(opaque, OPAQUE),
        _ => problems.inside(written, Place::Result),
    }
    problems.into_result(())?;

    let ty = without_self(written, owner);
    let (ok, err) = match named {
        Named::Value => (ty.clone(), None),
        Named::Result(ok, err) => (without_self(ok, owner), Some(without_self(err, owner))),
        Named::Alias => {
            let span = ty.span();
            let part = |tokens| {
                Type::Verbatim(quote_spanned!(span=> <#ty as #private::IsResult>::#tokens))
            };
            (part(quote!(Ok)), Some(part(quote!(Err))))
        }
    };
    Ok(Output { ty, ok, err })
}

/// The kinds of functions that cannot be exported at all.
pub(crate) fn check_kind(signature: &Signature) -> Result<()> {
    let mut problems = Problems::default();
    if let Some(token) = &signature.constness {
        problems.add(token, "a call makes a future: it cannot be `const`");
    }
    if let Some(token) = &signature.unsafety {
        problems.add(
            token,
            "another actor cannot promise what an `unsafe fn` asks for",
        );
    }
    if let Some(abi) = &signature.abi {
        problems.add(
            abi,
            "an exported function has Rust's own calling convention",
        );
    }
    if let Some(variadic) = &signature.variadic {
        problems.add(
            variadic,
            "an exported function has a fixed number of arguments",
        );
    }
    for parameter in &signature.generics.params {
        if let GenericParam::Const(parameter) = parameter {
            problems.add(
                parameter,
                "an exported function cannot have `const` parameters",
            );
        }
    }
    problems.into_result(())
}

/// What a return type's name says of it.
enum Named<'a> {
    /// It is a plain value.
    Value,
    /// It is `Result<T, E>`, so that documentation can show `Call<T, E>`.
    Result(&'a Type, &'a Type),
    /// It is called `…Result`: the compiler knows what is in it.
    Alias,
}

fn named(ty: &Type) -> Named<'_> {
    let Type::Path(path) = ty else {
        return Named::Value;
    };
    let Some(last) = path.path.segments.last() else {
        return Named::Value;
    };
    if !last.ident.to_string().ends_with("Result") {
        return Named::Value;
    }
    if let PathArguments::AngleBracketed(list) = &last.arguments {
        let mut list = list.args.iter();
        if let (true, Some(GenericArgument::Type(ok)), Some(GenericArgument::Type(err)), None) = (
            last.ident == "Result",
            list.next(),
            list.next(),
            list.next(),
        ) {
            return Named::Result(ok, err);
        }
    }
    Named::Alias
}

/// A type without the invisible groups that `macro_rules` puts around it, and without
/// parentheses.
fn bare(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            _ => return ty,
        };
    }
}

fn argument_name(pattern: &Pat, index: usize, signature: &Signature) -> Ident {
    if let Pat::Ident(named) = pattern {
        return named.ident.clone();
    }
    let is_taken = |name: &Ident| {
        signature.inputs.iter().any(|input| {
            matches!(input, FnArg::Typed(typed)
                if matches!(&*typed.pat, Pat::Ident(other) if other.ident == *name))
        })
    };
    let mut name = format_ident!("arg{}", index + 1, span = Span::call_site());
    while is_taken(&name) {
        name = format_ident!("{name}_");
    }
    name
}

/// The type with `owner` in place of `Self`, for items that stand outside of the `impl` block.
fn without_self(ty: &Type, owner: Option<&Type>) -> Type {
    let mut ty = ty.clone();
    if let Some(owner) = owner {
        ReplaceSelf { owner }.visit_type_mut(&mut ty);
    }
    ty
}

struct ReplaceSelf<'a> {
    owner: &'a Type,
}

impl VisitMut for ReplaceSelf<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        visit_mut::visit_type_mut(self, ty);
        let Type::Path(path) = ty else {
            return;
        };
        let owner = self.owner;
        if path.qself.is_none() && path.path.is_ident("Self") {
            *ty = owner.clone();
        } else if path.qself.is_none() && path.path.segments.first().is_some_and(is_self) {
            let rest = path.path.segments.iter().skip(1);
            *ty = parse_quote!(<#owner> #(::#rest)*);
        }
    }
}

fn is_self(segment: &syn::PathSegment) -> bool {
    segment.ident == "Self"
}

/// Where a type stands, which decides what it may hold and how the refusal is worded.
#[derive(Clone, Copy)]
enum Place {
    Argument,
    Result,
}

/// Everything that is wrong with a signature, so that the user sees it at once.
#[derive(Default)]
struct Problems(Option<Error>);

impl Problems {
    fn add(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.push(Error::new_spanned(tokens, message));
    }

    fn add_at(&mut self, span: Span, message: &str) {
        self.push(Error::new(span, message));
    }

    fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// A reference to something that lives for ever cannot be made from what arrived.
    fn add_static(&mut self, lifetime: Option<&Lifetime>) {
        if let Some(lifetime) = lifetime.filter(|lifetime| lifetime.ident == "static") {
            self.add(
                lifetime,
                "an argument in another process does not live for ever: drop `'static`",
            );
        }
    }

    /// Looks for what cannot cross a process border within a type.
    fn inside(&mut self, ty: &Type, place: Place) {
        let mut ty = ty.clone();
        Inside {
            problems: self,
            place,
        }
        .visit_type_mut(&mut ty);
    }

    fn into_result<T>(self, value: T) -> Result<T> {
        self.0.map_or(Ok(value), Err)
    }
}

struct Inside<'a> {
    problems: &'a mut Problems,
    place: Place,
}

impl VisitMut for Inside<'_> {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        match self.place {
            Place::Argument => self.problems.add(
                reference,
                "a reference inside of an argument cannot travel: own the value (`Option<String>` \
                 for `Option<&str>`)",
            ),
            Place::Result => self.problems.add(
                reference,
                "a result comes from another process, where nothing of it is borrowed: own the \
                 value (`String` for `&str`)",
            ),
        }
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident != "static" {
            self.problems.add(
                lifetime,
                "a borrowed value cannot travel: own it, or use `'static`",
            );
        }
    }

    fn visit_type_impl_trait_mut(&mut self, opaque: &mut TypeImplTrait) {
        let message = match self.place {
            Place::Argument => {
                "an argument has to have a type that can be named: make it a type parameter and \
                 list its types in `#[rpc(instances(..))]`"
            }
            Place::Result => OPAQUE,
        };
        self.problems.add(opaque, message);
    }

    // What functions take and give is no part of a value.
    fn visit_type_bare_fn_mut(&mut self, _: &mut syn::TypeBareFn) {}
    fn visit_parenthesized_generic_arguments_mut(
        &mut self,
        _: &mut syn::ParenthesizedGenericArguments,
    ) {
    }
}

const OPAQUE: &str = "a result has to have a type that can be named: write the type itself, or \
                      `impl Stream<Item = ..>` for a stream of items";
const MUTABLE: &str = "a `&mut` argument would change a copy in another process: take the value \
                       and return it";

/// As many as serde has tuples for.
const ARGUMENTS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::compact;

    fn problems(text: &str) -> Vec<String> {
        let signature: Signature = syn::parse_str(text).unwrap();
        let private = quote!(p);
        let found = [
            check_kind(&signature),
            arguments(&signature, None).map(drop),
            output(&signature, None, false, &private).map(drop),
        ];
        let errors = found.into_iter().filter_map(Result::err).flatten();
        errors.map(|error| error.to_string()).collect()
    }

    #[test]
    fn what_cannot_travel_is_refused_with_its_reason() {
        let cases = [
            ("fn f(x: &mut u8)", "`&mut` argument"),
            ("fn f(x: impl Fn())", "instances"),
            ("fn f(x: Option<&str>)", "inside of an argument"),
            ("fn f(x: &[&str])", "inside of an argument"),
            ("fn f(x: &'static str)", "for ever"),
            ("fn f(x: Cow<'a, str>)", "borrowed"),
            ("fn f(self)", "`impl` block"),
            ("fn f() -> &str", "own the value"),
            ("fn f() -> Result<Option<&str>, E>", "own the value"),
            ("fn f() -> Result<u8, &'static str>", "own the value"),
            ("fn f() -> impl Display", "named"),
            ("fn f() -> Vec<impl Display>", "named"),
            ("fn f() -> !", "never returns"),
            ("const fn f()", "const"),
            ("unsafe fn f()", "unsafe"),
            ("extern \"C\" fn f()", "calling convention"),
            ("fn f<const N: usize>()", "const"),
        ];
        for (text, expected) in cases {
            let found = problems(text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].contains(expected), "{text}: {found:?}");
        }
    }

    #[test]
    fn all_problems_are_told_at_once() {
        assert_eq!(
            problems("fn f(x: &mut u8, y: Option<&str>, z: &mut u8) -> &str").len(),
            4
        );
        let many: Vec<_> = (0..17).map(|n| format!("a{n}: u8")).collect();
        assert_eq!(problems(&format!("fn f({})", many.join(", "))).len(), 1);
    }

    #[test]
    fn what_can_travel_is_let_through() {
        for text in [
            "fn f(x: &str, y: &[u8], z: Cow<'static, str>) -> Result<u8, E>",
            "async fn f((a, b): (u8, u8), mut n: u32, _: u8)",
            "fn f<'a>(x: &'a str) -> io::Result<()>",
        ] {
            assert_eq!(problems(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn results_are_known_by_name() {
        let shown = |text: &str| {
            let signature: Signature = syn::parse_str(&format!("fn f() -> {text}")).unwrap();
            let output = output(&signature, None, false, &quote!(p)).unwrap();
            let err = output.err.map(|err| compact(quote!(#err)));
            (compact(output.ok.into_token_stream()), err)
        };
        assert_eq!(shown("Result<u8, E>"), ("u8".into(), Some("E".into())));
        assert_eq!(shown("Answer"), ("Answer".into(), None));
        let (ok, err) = shown("io::Result<u8>");
        assert!(ok.contains("p::IsResult") && err.is_some(), "{ok}");
        assert!(shown("MyResult").1.is_some());
    }

    #[test]
    fn patterns_get_names_that_are_free() {
        let signature: Signature =
            syn::parse_str("fn f((a, b): (u8, u8), mut arg1: u8, _: u8)").unwrap();
        let arguments = arguments(&signature, None).unwrap();
        let names: Vec<_> = arguments
            .iter()
            .map(|argument| argument.name.to_string())
            .collect();
        assert_eq!(names, ["arg1_", "arg1", "arg3"]);
    }

    #[test]
    fn self_means_the_owner() {
        let owner: Type = parse_quote!(Counter);
        let signature: Signature =
            syn::parse_str("fn f(&self, other: Option<Self>) -> Result<Self, Self::Err>").unwrap();
        let arguments = arguments(&signature, Some(&owner)).unwrap();
        assert!(arguments[0].by_ref);
        assert_eq!(
            compact(arguments[1].ty.to_token_stream()),
            "Option<Counter>"
        );
        let output = output(&signature, Some(&owner), false, &quote!(p)).unwrap();
        let err = output.err.unwrap();
        assert_eq!(compact(quote!(#err)), "<Counter>::Err");
    }
}
