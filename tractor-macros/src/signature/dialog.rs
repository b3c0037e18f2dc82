//! Functions that say more to their caller than an answer: contexts, and those that return streams.

use syn::spanned::Spanned;
use syn::{
    Error, FnArg, GenericArgument, PathArguments, Result, ReturnType, Signature, Type,
    TypeParamBound,
};

use super::{Argument, Output, Problems, bare};

/// What a function says to its caller.
pub(crate) enum Kind {
    /// An answer.
    Call,
    /// A first value, a stream each way, and an answer.
    Context(Box<ContextTypes>),
    /// Items.
    Stream,
}

/// The types of a context.
pub(crate) struct ContextTypes {
    /// `Context<Started, In, Out>`, as written.
    pub(crate) written: Type,
    pub(crate) started: Type,
    pub(crate) incoming: Type,
    pub(crate) outgoing: Type,
}

impl ContextTypes {
    /// Those that travel.
    pub(crate) fn all(&self) -> [&Type; 3] {
        [&self.started, &self.incoming, &self.outgoing]
    }
}

/// Takes the context out of a signature, whose first argument it is.
pub(crate) fn take_context(signature: &Signature) -> Result<(Signature, ContextTypes)> {
    const MESSAGE: &str = "the first argument of a context is `ctx: Context<Started, In, Out>`";
    if signature.asyncness.is_none() {
        let message = "a context is an `async fn`";
        return Err(Error::new_spanned(signature.fn_token, message));
    }
    let mut rest = signature.clone();
    let mut inputs = signature.inputs.iter();
    let Some(FnArg::Typed(first)) = inputs.next() else {
        return Err(Error::new_spanned(&signature.ident, MESSAGE));
    };
    rest.inputs = inputs.cloned().collect();
    let written = bare(&first.ty);
    let types = match written {
        Type::Path(path) => path.path.segments.last().map(|last| &last.arguments),
        _ => None,
    };
    let Some(PathArguments::AngleBracketed(list)) = types else {
        return Err(Error::new_spanned(written, MESSAGE));
    };
    let types: Vec<_> = list
        .args
        .iter()
        .filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(bare(ty).clone()),
            _ => None,
        })
        .collect();
    let [started, incoming, outgoing] = types
        .try_into()
        .map_err(|_| Error::new_spanned(written, MESSAGE))?;
    let types = ContextTypes {
        written: written.clone(),
        started,
        incoming,
        outgoing,
    };
    Ok((rest, types))
}

/// What a function gives that returns `impl Stream<Item = T>`; `None` if it does not.
pub(crate) fn stream_output(signature: &Signature) -> Option<Output> {
    let ReturnType::Type(_, written) = &signature.output else {
        return None;
    };
    let ty = bare(written);
    let Type::ImplTrait(opaque) = ty else {
        return None;
    };
    let item = opaque.bounds.iter().find_map(item_of_stream)?;
    Some(Output {
        ty: ty.clone(),
        ok: item.clone(),
        err: None,
    })
}

fn item_of_stream(bound: &TypeParamBound) -> Option<&Type> {
    let TypeParamBound::Trait(bound) = bound else {
        return None;
    };
    let last = bound.path.segments.last()?;
    let PathArguments::AngleBracketed(list) = &last.arguments else {
        return None;
    };
    if last.ident != "Stream" {
        return None;
    }
    list.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(assoc) if assoc.ident == "Item" => Some(&assoc.ty),
        _ => None,
    })
}

/// Refuses arguments by reference, which end before the stream does.
pub(crate) fn check_stream_arguments(arguments: &[Argument]) -> Result<()> {
    let mut problems = Problems::default();
    for argument in arguments.iter().filter(|argument| argument.by_ref) {
        problems.add_at(
            argument.ty.span(),
            "the stream is there longer than what an argument borrows: own the value",
        );
    }
    problems.into_result(())
}
