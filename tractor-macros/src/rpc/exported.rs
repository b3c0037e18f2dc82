//! The code that is written for one exported function: its face, its helpers, its exports.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Result, Signature, Type, Visibility};

use super::instances::Instances;
use crate::attributes::RpcOptions;
use crate::signature::dialog::{self, Kind};
use crate::signature::{self, Argument, Output};
use crate::text::compact;

/// A function that is exported, with all that the written code says about it.
pub(super) struct Exported<'a> {
    /// `::tractor`.
    root: TokenStream,
    /// `::tractor::__private`.
    private: TokenStream,
    /// As the user wrote it, without a context.
    signature: Signature,
    kind: Kind,
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
        kind: Kind,
    ) -> Result<Self> {
        let root = options.root.to_token_stream();
        let private = quote!(#root::__private);
        let hidden = format_ident!("__rpc_{}", signature.ident);
        signature::check_kind(&signature)?;
        let arguments = signature::arguments(&signature, owner);
        let (kind, output) = match (kind, dialog::stream_output(&signature)) {
            (Kind::Call, Some(output)) => (Kind::Stream, Ok(output)),
            (kind, _) => (
                kind,
                signature::output(&signature, owner, options.value, &private),
            ),
        };
        let (arguments, output) = both(arguments, output)?;
        if let Kind::Stream = kind {
            dialog::check_stream_arguments(&arguments)?;
        }
        let listed = options.instances;
        let instances = Instances::new(&signature, listed, &hidden, owner.is_some(), &private)?;
        let spawn = options.spawn;
        Ok(Self {
            root,
            private,
            signature,
            kind,
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
        let Self { root, output, .. } = self;
        let ident = &self.signature.ident;
        let (declared, _, bounds) = self.instances.face.split_for_impl();
        let inputs = self.arguments.iter().map(|argument| &argument.public);
        let ok = &output.ok;
        let err = output.err.as_ref().map(|err| quote!(, #err));
        let (call_name, said) = match &self.kind {
            Kind::Call => (quote!(Call), None),
            Kind::Stream => (quote!(StreamCall), None),
            Kind::Context(types) => {
                let [started, incoming, outgoing] = types.all();
                let said = quote!(#started, #incoming, #outgoing,);
                (quote!(ContextCall), Some(said))
            }
        };
        // Whatever the compiler has to say of the types, it says of the user's return type.
        let span = output.ty.span();
        let call_type = spanned(quote!(#root::#call_name), span);
        let call_type = quote_spanned!(span=> #call_type<#said #ok #err>);
        let helpers = self.helpers();
        let exports = self.exports();
        let args = self
            .arguments
            .iter()
            .map(|Argument { name, by_ref, .. }| match by_ref {
                true => quote!(::std::borrow::ToOwned::to_owned(#name)),
                false => quote!(#name),
            });
        let export = self.export();
        let otherwise = self.otherwise();
        let args = quote!((#(#args,)*));
        let call = self.call(&export, &args);
        quote! {
            #(#attributes)*
            #[allow(clippy::type_complexity, reason = "what is added to the user's type counts too")]
            #vis fn #ident #declared (#(#inputs),*) -> #call_type #bounds {
                #otherwise
                #body
                #helpers
                #exports
                #call
            }
        }
    }

    /// Makes what the face returns.
    fn call(&self, export: &TokenStream, args: &TokenStream) -> TokenStream {
        let Self {
            private, output, ..
        } = self;
        let turbofish = self.instances.turbofish();
        let (wire, ok) = (self.wire(), &output.ok);
        let wire = quote!(<#private::Ability<#wire>>::CODEC);
        let ok = quote!(<#private::Ability<#ok>>::CODEC);
        let is_async = self.signature.asyncness.is_some();
        match &self.kind {
            Kind::Call if is_async => {
                quote!(#private::call_async(#export, #args, __run #turbofish, (#wire, #ok)))
            }
            Kind::Call => {
                quote!(#private::call_plain(#export, #args, __run #turbofish, (#wire, #ok)))
            }
            Kind::Context(_) => quote!(#private::call_context(#export, #args, (#wire, #ok))),
            Kind::Stream => quote!(#private::call_stream(#export, #args, __run #turbofish, #wire)),
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
        let said = match &self.kind {
            Kind::Context(types) => types
                .all()
                .map(|ty| (ty.to_token_stream(), ty.span()))
                .to_vec(),
            Kind::Call | Kind::Stream => Vec::new(),
        };
        let travels = types
            .zip(spans)
            .chain(said)
            .chain([(output.ok.to_token_stream(), output.ok.span())]);
        let travels = travels.map(|(ty, span)| quote_spanned!(span=> #private::travels::<#ty>();));
        let run = self.run();
        let finish = match self.kind {
            Kind::Stream => None,
            Kind::Call | Kind::Context(_) => Some(self.finish()),
        };
        let is_async = self.signature.asyncness.is_some();
        let codec = quote!(<#private::Ability<#wire>>::CODEC);
        let body = match self.kind {
            Kind::Call if is_async => {
                quote!(start_async(bytes, #codec, __run #turbofish, __finish #turbofish))
            }
            Kind::Call => quote!(start_plain(bytes, #codec, __run #turbofish, __finish #turbofish)),
            Kind::Context(_) => {
                quote!(start_context((bytes, seat), #codec, __run #turbofish, __finish #turbofish))
            }
            Kind::Stream => quote!(start_stream((bytes, seat), #codec, __run #turbofish)),
        };
        let seat = self.has_dialog().then(|| quote!(seat: #private::Seat<'_>));
        let otherwise = self.otherwise();
        quote! {
            #run
            #finish
            fn __start #declared (
                bytes: &[::core::primitive::u8],
                #seat
            ) -> ::core::result::Result<#private::Body, #private::DecodeError> #bounds {
                #otherwise
                #(#travels)*
                #private::#body
            }
        }
    }

    fn has_dialog(&self) -> bool {
        !matches!(self.kind, Kind::Call)
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
        let context = match &self.kind {
            Kind::Context(types) => {
                let written = &types.written;
                Some((quote!(, ctx: #written), quote!(ctx,)))
            }
            Kind::Call | Kind::Stream => None,
        };
        let (parameter, context) = context.unzip();
        let call = quote!(#body(#context #(#args),*));
        let future = quote!(impl ::core::future::Future<Output = #ty> + ::core::marker::Send);
        let (returns, call) = match (&self.kind, self.signature.asyncness) {
            (_, Some(_)) => (future, quote!(async move { #call.await })),
            (Kind::Stream, None) => (future, quote!(async move { #call })),
            (_, None) => (ty.to_token_stream(), call),
        };
        quote! {
            fn __run #declared ((#(#names,)*): #wire #parameter) -> #returns #bounds {
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
        let context = match &self.kind {
            Kind::Context(types) => Some(types.written.to_token_stream()),
            Kind::Call | Kind::Stream => None,
        };
        let signature = &self.signature;
        let signature = compact(quote!(#signature #context));
        let line = quote_spanned!(ident.span()=> ::core::line!());
        let start = match self.has_dialog() {
            true => quote!(Dialog),
            false => quote!(Call),
        };
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
                start: #private::Start::#start(__start #turbofish),
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
