//! The code that is written for one exported function: its face, its helpers, its exports.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Result, Signature, Type, Visibility};

use super::instances::Instances;
use crate::attributes::RpcOptions;
use crate::signature::{self, Argument, Output};
use crate::text::compact;

/// A function that is exported, with all that the written code says about it.
pub(super) struct Exported<'a> {
    /// `::tractor`.
    root: TokenStream,
    /// `::tractor::__private`.
    private: TokenStream,
    /// As the user wrote it.
    pub(super) signature: Signature,
    /// The type whose method it is.
    owner: Option<&'a Type>,
    /// A name beside the user's that nobody would write: of a method's body, or of the type that
    /// stands for a generic function.
    pub(super) hidden: Ident,
    spawn: bool,
    arguments: Vec<Argument>,
    output: Output,
    instances: Instances,
}

impl<'a> Exported<'a> {
    pub(super) fn new(
        options: RpcOptions,
        signature: Signature,
        owner: Option<&'a Type>,
    ) -> Result<Self> {
        let root = options.root.to_token_stream();
        let private = quote!(#root::__private);
        let hidden = format_ident!("__rpc_{}", signature.ident);
        signature::check_kind(&signature)?;
        let arguments = signature::arguments(&signature, owner);
        let output = signature::output(&signature, owner, options.value, &private);
        let (arguments, output) = both(arguments, output)?;
        let listed = options.instances;
        let instances = Instances::new(&signature, listed, &hidden, owner.is_some(), &private)?;
        let spawn = options.spawn;
        Ok(Self {
            root,
            private,
            signature,
            owner,
            hidden,
            spawn,
            arguments,
            output,
            instances,
        })
    }

    /// The type that stands for the instances of a generic function.
    pub(super) fn marker(&self, vis: &Visibility) -> Option<TokenStream> {
        let hidden = &self.hidden;
        (!self.instances.is_empty()).then(|| {
            quote! {
                #[doc(hidden)]
                #[allow(non_camel_case_types, reason = "it is named after the function")]
                #vis enum #hidden {}
            }
        })
    }

    /// The function that takes the original's place.
    pub(super) fn face(
        &self,
        attributes: &[Attribute],
        vis: &Visibility,
        body: &TokenStream,
    ) -> TokenStream {
        let Self {
            root,
            private,
            output,
            ..
        } = self;
        let ident = &self.signature.ident;
        let (declared, _, bounds) = self.instances.face.split_for_impl();
        let inputs = self.arguments.iter().map(|argument| &argument.public);
        let ok = &output.ok;
        let err = output.err.as_ref().map(|err| quote!(, #err));
        // Whatever the compiler has to say of the types, it says of the user's return type.
        let span = output.ty.span();
        let call_type = spanned(quote!(#root::Call), span);
        let call_type = quote_spanned!(span=> #call_type<#ok #err>);
        let helpers = self.helpers();
        let exports = self.exports();
        let call = self.call();
        let wire = self.wire();
        let args = self
            .arguments
            .iter()
            .map(|Argument { name, by_ref, .. }| match by_ref {
                true => quote!(::std::borrow::ToOwned::to_owned(#name)),
                false => quote!(#name),
            });
        let export = self.export();
        let turbofish = self.instances.turbofish();
        let otherwise = self.otherwise();
        quote! {
            #(#attributes)*
            #[allow(clippy::type_complexity, reason = "what is added to the user's type counts too")]
            #vis fn #ident #declared (#(#inputs),*) -> #call_type #bounds {
                #otherwise
                #body
                #helpers
                #exports
                #private::#call(
                    #export,
                    (#(#args,)*),
                    __run #turbofish,
                    (<#private::Ability<#wire>>::CODEC, <#private::Ability<#ok>>::CODEC),
                )
            }
        }
    }

    /// What stands between the wire and the body.
    fn helpers(&self) -> TokenStream {
        let Self {
            private, output, ..
        } = self;
        let (declared, _, bounds) = self.instances.helpers.split_for_impl();
        let turbofish = self.instances.turbofish();
        let wire = self.wire();
        let types = self
            .arguments
            .iter()
            .map(|argument| self.wire_type(argument));
        let spans = self.arguments.iter().map(|argument| argument.ty.span());
        let travels = types
            .zip(spans)
            .chain([(output.ok.to_token_stream(), output.ok.span())]);
        let travels = travels.map(|(ty, span)| quote_spanned!(span=> #private::travels::<#ty>();));
        let start = match self.signature.asyncness {
            Some(_) => quote!(start_async),
            None => quote!(start_plain),
        };
        let run = self.run();
        let finish = self.finish();
        let otherwise = self.otherwise();
        quote! {
            #run
            #finish
            fn __start #declared (
                bytes: &[::core::primitive::u8],
            ) -> ::core::result::Result<#private::Body, #private::DecodeError> #bounds {
                #otherwise
                #(#travels)*
                #private::#start(
                    bytes,
                    <#private::Ability<#wire>>::CODEC,
                    __run #turbofish,
                    __finish #turbofish,
                )
            }
        }
    }

    /// The body, on arguments that are owned.
    fn run(&self) -> TokenStream {
        let (declared, _, bounds) = self.instances.helpers.split_for_impl();
        let wire = self.wire();
        let ty = &self.output.ty;
        let body = match self.owner {
            Some(owner) => {
                let hidden = &self.hidden;
                quote!(<#owner>::#hidden)
            }
            None => quote!(__body),
        };
        let names: Vec<_> = (0..self.arguments.len())
            .map(|n| format_ident!("arg{n}"))
            .collect();
        let args =
            self.arguments.iter().zip(&names).map(
                |(Argument { ty, by_ref, .. }, name)| match by_ref {
                    true => quote!(::core::borrow::Borrow::<#ty>::borrow(&#name)),
                    false => quote!(#name),
                },
            );
        let call = quote!(#body(#(#args),*));
        let (returns, call) = match self.signature.asyncness {
            Some(_) => (
                quote!(impl ::core::future::Future<Output = #ty> + ::core::marker::Send),
                quote!(async move { #call.await }),
            ),
            None => (ty.to_token_stream(), call),
        };
        quote! {
            fn __run #declared ((#(#names,)*): #wire) -> #returns #bounds {
                #call
            }
        }
    }

    /// What becomes of the function's output, and the decoder of its error.
    fn finish(&self) -> TokenStream {
        let Self {
            private,
            output: Output { ty, ok, err },
            ..
        } = self;
        let (declared, _, bounds) = self.instances.helpers.split_for_impl();
        let returned = |value| quote!(#private::returned(#value, <#private::Ability<#ok>>::CODEC));
        let export = self.export();
        let otherwise = self.otherwise();
        let at_type = |tokens| spanned(tokens, ty.span());
        let into_result = at_type(quote!(#private::IsResult::into_result));
        let failed = at_type(quote!(#private::failed));
        let decode_error = at_type(quote!(#private::decode_error));
        let (finish, decode_error) = match err {
            None => (returned(quote!(&output)), None),
            Some(err) => {
                let returned = returned(quote!(&value));
                let finish = quote! {
                    match #into_result(output) {
                        ::core::result::Result::Ok(value) => #returned,
                        ::core::result::Result::Err(error) => {
                            let fault = #private::Fault {
                                codec: <#private::Ability<#err>>::CODEC,
                                error: <#private::Ability<#err>>::ERROR,
                                boxed: <#private::Ability<#err>>::BOXED,
                            };
                            ::core::result::Result::Err(#failed(error, #export, &fault))
                        }
                    }
                };
                let decode_error = quote! {
                    fn __decode_error #declared (
                        bytes: &[::core::primitive::u8],
                    ) -> ::core::option::Option<#private::BoxedError> #bounds {
                        #otherwise
                        #decode_error(bytes, <#private::Ability<#err>>::CODEC)
                    }
                };
                (finish, Some(decode_error))
            }
        };
        quote! {
            fn __finish #declared (
                output: #ty,
            ) -> ::core::result::Result<::std::vec::Vec<::core::primitive::u8>, #private::Ending>
            #bounds {
                #otherwise
                #finish
            }
            #decode_error
        }
    }

    /// The statics that the linker collects: one, or one for each instance.
    fn exports(&self) -> TokenStream {
        let Self {
            private,
            hidden,
            instances,
            ..
        } = self;
        if instances.is_empty() {
            return self.export_static(&TokenStream::new());
        }
        let instance = |listed| {
            let export = self.export_static(&instances.turbofish_of(listed));
            quote! {
                #[allow(non_local_definitions, reason = "it names the helpers of the function")]
                impl #private::Instance<#listed> for #hidden {
                    fn export() -> &'static #private::Export {
                        #export
                        &__EXPORT
                    }
                }
            }
        };
        instances.listed.iter().map(instance).collect()
    }

    fn export_static(&self, turbofish: &TokenStream) -> TokenStream {
        let Self { private, spawn, .. } = self;
        let ident = &self.signature.ident;
        let owner = self.owner.map(|owner| quote!(#owner::));
        let name = compact(quote!(#owner #ident #turbofish));
        let signature = compact(self.signature.to_token_stream());
        let line = quote_spanned!(ident.span()=> ::core::line!());
        let decode_error = match self.output.err {
            Some(_) => quote!(::core::option::Option::Some(__decode_error #turbofish)),
            None => quote!(::core::option::Option::None),
        };
        quote! {
            #[#private::linkme::distributed_slice(#private::EXPORTS)]
            #[linkme(crate = #private::linkme)]
            static __EXPORT: #private::Export = #private::Export {
                name: #name,
                module: ::core::module_path!(),
                signature: #signature,
                file: ::core::file!(),
                line: #line,
                start: __start #turbofish,
                decode_error: #decode_error,
                spawn: #spawn,
            };
        }
    }

    /// How the function finds its own export.
    fn export(&self) -> TokenStream {
        let Self {
            private,
            hidden,
            instances,
            ..
        } = self;
        if instances.is_empty() {
            return quote!(&__EXPORT);
        }
        let types = instances.parameters();
        quote!(<#hidden as #private::Instance<#types>>::export())
    }

    /// Lets `Ability` name what a type lacks.
    fn otherwise(&self) -> TokenStream {
        let private = &self.private;
        quote! {
            #[allow(unused_imports, reason = "no type lacks anything, usually")]
            use #private::Otherwise as _;
        }
    }

    fn call(&self) -> TokenStream {
        match self.signature.asyncness {
            Some(_) => quote!(call_async),
            None => quote!(call_plain),
        }
    }

    /// The tuple of the owned arguments.
    fn wire(&self) -> TokenStream {
        let types = self
            .arguments
            .iter()
            .map(|argument| self.wire_type(argument));
        quote!((#(#types,)*))
    }

    fn wire_type(&self, argument: &Argument) -> TokenStream {
        let private = &self.private;
        let ty = &argument.ty;
        match argument.by_ref {
            true => quote!(#private::Owned<#ty>),
            false => quote!(#ty),
        }
    }
}

fn both<A, B>(one: Result<A>, other: Result<B>) -> Result<(A, B)> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(mut error), Err(other)) => {
            error.combine(other);
            Err(error)
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// The tokens as if they stood at another place in the source.
fn spanned(tokens: TokenStream, span: Span) -> TokenStream {
    let spanned = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    tokens.into_iter().map(spanned).collect()
}
