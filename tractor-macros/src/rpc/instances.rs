//! The type parameters of an exported function, and the types that it is exported for.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Error, GenericParam, Generics, Result, Signature, Type, TypeParam, TypeParamBound,
    WherePredicate, parse_quote,
};

/// What is generic in an exported function; a plain one has no instances.
pub(super) struct Instances {
    /// The function's own generics, each type of which travels.
    pub(super) face: Generics,
    /// The same without the lifetimes: what is on the wire borrows nothing.
    pub(super) helpers: Generics,
    /// The types that are listed, one for each export.
    pub(super) listed: Vec<Type>,
}

impl Instances {
    pub(super) fn new(
        signature: &Signature,
        listed: Vec<Type>,
        hidden: &Ident,
        is_method: bool,
        private: &TokenStream,
    ) -> Result<Self> {
        check(signature, &listed, is_method)?;
        let mut face = signature.generics.clone();
        if !listed.is_empty() {
            add_bound(&mut face, &parse_quote!(#private::Travel));
            let types = parameters(&face);
            let bound = parse_quote!(#hidden: #private::Instance<#types>);
            face.make_where_clause().predicates.push(bound);
        }
        let helpers = without_lifetimes(&face);
        Ok(Self {
            face,
            helpers,
            listed,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// The function's own type parameter, or a tuple of several.
    pub(super) fn parameters(&self) -> TokenStream {
        parameters(&self.face)
    }

    /// The parameters as arguments of a helper: `::<T>`.
    pub(super) fn turbofish(&self) -> Option<TokenStream> {
        let types = self.face.type_params().map(|parameter| &parameter.ident);
        (!self.is_empty()).then(|| quote!(::<#(#types),*>))
    }

    /// The types of one listed instance as arguments of a helper: `::<u64>`.
    pub(super) fn turbofish_of(&self, instance: &Type) -> TokenStream {
        match instance {
            Type::Tuple(list) if self.face.type_params().count() > 1 => {
                let types = &list.elems;
                quote!(::<#types>)
            }
            single => quote!(::<#single>),
        }
    }
}

/// A generic function lists its instances, and only such a one.
fn check(signature: &Signature, listed: &[Type], is_method: bool) -> Result<()> {
    let generics = &signature.generics;
    let count = generics.type_params().count();
    if count == 0 {
        let superfluous = listed.first();
        let message = "only a generic function has instances";
        return superfluous.map_or(Ok(()), |first| Err(Error::new_spanned(first, message)));
    }
    if is_method {
        let message = "a generic method cannot be exported: write a generic function";
        return Err(Error::new_spanned(generics, message));
    }
    if listed.is_empty() {
        let message = "a generic function is exported for listed types only: \
                       `#[rpc(instances(u64, String))]`";
        return Err(Error::new_spanned(generics, message));
    }
    let fits = |ty: &&Type| matches!(ty, Type::Tuple(list) if list.elems.len() == count);
    match listed.iter().find(|ty| count > 1 && !fits(ty)) {
        None => Ok(()),
        Some(odd) => {
            let message = format!("an instance is a tuple of {count} types, one per parameter");
            Err(Error::new_spanned(odd, message))
        }
    }
}

/// Binds each type parameter where the user bound it: two places for one are bad style.
fn add_bound(generics: &mut Generics, bound: &TypeParamBound) {
    let Generics {
        params,
        where_clause,
        ..
    } = generics;
    for parameter in params {
        let GenericParam::Type(parameter) = parameter else {
            continue;
        };
        let predicates = where_clause
            .iter_mut()
            .flat_map(|clause| &mut clause.predicates);
        let mut own = predicates.filter_map(|predicate| match predicate {
            WherePredicate::Type(own) => Some(own),
            _ => None,
        });
        let is_bound =
            |ty: &Type| matches!(ty, Type::Path(path) if path.path.is_ident(&parameter.ident));
        match own.find(|own| is_bound(&own.bounded_ty)) {
            Some(own) => own.bounds.push(bound.clone()),
            None => parameter.bounds.push(bound.clone()),
        }
    }
}

fn parameters(generics: &Generics) -> TokenStream {
    let types: Vec<_> = generics
        .type_params()
        .map(|parameter| &parameter.ident)
        .collect();
    match &types[..] {
        [single] => quote!(#single),
        types => quote!((#(#types),*)),
    }
}

/// The type parameters and their bounds, without those that name one of the lifetimes.
fn without_lifetimes(generics: &Generics) -> Generics {
    let lifetimes: Vec<_> = generics
        .lifetimes()
        .map(|defined| &defined.lifetime.ident)
        .collect();
    let borrows = |tokens: TokenStream| names_one(tokens, &lifetimes);
    let mut kept = Generics::default();
    for parameter in generics.type_params() {
        let bounds = parameter
            .bounds
            .iter()
            .filter(|bound| !borrows(bound.to_token_stream()));
        let bounds = bounds.cloned().collect();
        kept.params.push(GenericParam::Type(TypeParam {
            bounds,
            ..parameter.clone()
        }));
    }
    if let Some(clause) = &generics.where_clause {
        let predicates = clause.predicates.iter();
        let predicates = predicates.filter(|predicate| !borrows(predicate.to_token_stream()));
        kept.make_where_clause()
            .predicates
            .extend(predicates.cloned());
    }
    kept
}

fn names_one(tokens: TokenStream, lifetimes: &[&Ident]) -> bool {
    let mut after_apostrophe = false;
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => names_one(group.stream(), lifetimes),
        TokenTree::Ident(ident) => {
            std::mem::take(&mut after_apostrophe) && lifetimes.contains(&&ident)
        }
        TokenTree::Punct(punct) => {
            after_apostrophe = punct.as_char() == '\'';
            false
        }
        TokenTree::Literal(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use quote::format_ident;

    use super::*;
    use crate::text::compact;

    fn instances(signature: &str, listed: &[&str], is_method: bool) -> Result<Instances> {
        let signature = syn::parse_str(signature).unwrap();
        let listed = listed
            .iter()
            .map(|ty| syn::parse_str(ty).unwrap())
            .collect();
        Instances::new(
            &signature,
            listed,
            &format_ident!("__rpc_f"),
            is_method,
            &quote!(p),
        )
    }

    #[test]
    fn helpers_keep_what_does_not_borrow() {
        let text = "fn f<'a, T: Ord + 'a, U>(x: &'a T) where U: Debug + 'static, 'a: 'a";
        let instances = instances(text, &["(u8, u8)"], false).unwrap();
        assert_eq!(
            compact(instances.helpers.to_token_stream()),
            "<T: Ord + p::Travel, U>"
        );
        assert_eq!(
            compact(instances.helpers.where_clause.to_token_stream()),
            "where U: Debug + 'static + p::Travel, __rpc_f: p::Instance<(T, U)>"
        );
    }

    #[test]
    fn the_list_fits_the_parameters() {
        let refused = |signature, listed: &[&str], is_method| {
            instances(signature, listed, is_method)
                .err()
                .unwrap()
                .to_string()
        };
        assert!(refused("fn f<T>()", &[], false).contains("listed types only"));
        assert!(refused("fn f()", &["u8"], false).contains("only a generic"));
        assert!(refused("fn f<T, U>()", &["(u8, u8)", "u8"], false).contains("tuple of 2"));
        assert!(refused("fn f<T>()", &["u8"], true).contains("method"));
        assert!(
            instances("fn f<'a>(x: &'a str)", &[], true)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn an_instance_names_its_types() {
        let of = |signature, listed: &str| {
            let instances = instances(signature, &[listed], false).unwrap();
            compact(instances.turbofish_of(&instances.listed[0]))
        };
        assert_eq!(of("fn f<T>()", "(u8, u8)"), "::<(u8, u8)>");
        assert_eq!(of("fn f<T, U>()", "(u8, u8)"), "::<u8, u8>");
    }
}
