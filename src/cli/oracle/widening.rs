//! Element types that differ between the gradients before clipping and those after it.
//!
//! Where the input is narrower (BF16 gradients, F32 after), the clipper may well have read it widened: Megatron copies or
//! accumulates 16-bit gradients into F32 `main_grad` and clips those, apex' master gradients are the same. Widening is
//! exact, so the widened input is the true one; but a file does not say so, and it has to be declared. Where the output
//! is narrower it was rounded once more than any convention says, and there is no one right answer.

use crate::oracle::{Data, Format, Tensor};
use std::collections::HashMap;

/// Brings the input to the output's types where that is declared and exact; says in words what was done.
///
/// # Errors
/// If types differ and that is not declared, or cannot be right.
pub(super) fn agree(before: &mut [Tensor], after: &[Tensor], widen: bool) -> Result<String, String> {
    let types: HashMap<&str, Format> = after
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor.data.format()))
        .collect();
    let mut widened: Vec<(Format, Format)> = Vec::new();
    let (mut count, mut more) = (0, String::new());
    let differ = |tensor: &Tensor| {
        types
            .get(tensor.name.as_str())
            .is_some_and(|to| *to != tensor.data.format())
    };
    if let others @ 2.. = before.iter().filter(|tensor| differ(tensor)).count() {
        more = format!(" (and so with {} tensors more)", others - 1);
    }
    for tensor in before {
        let from = tensor.data.format();
        let Some(&to) = types.get(tensor.name.as_str()).filter(|to| **to != from) else {
            continue;
        };
        let name = &tensor.name;
        if to.promote(from) != to {
            return Err(format!(
                "`{name}` is {from} before clipping and {to} after{more}: the output was rounded to {to} when it was clipped \
                 already, and how is not known; save it before it is cast, or save both as {to} if that is what was clipped"
            ));
        }
        if !widen {
            return Err(format!(
                "`{name}` is {from} before clipping and {to} after{more}; say --widen if the clipper reads the gradients \
                 widened to {to}, as where they are copied into {to} main gradients, or save both in one type"
            ));
        }
        tensor.data = Data::round(to, tensor.data.values());
        count += 1;
        if !widened.contains(&(from, to)) {
            widened.push((from, to));
        }
    }
    if widen && count == 0 {
        return Err("--widen: no tensor is of a wider type after clipping than before".to_owned());
    }
    let types: Vec<String> = widened
        .iter()
        .map(|(from, to)| format!("{from} to {to}"))
        .collect();
    Ok(match count {
        0 => String::new(),
        n => format!("before: {n} widened from {}", types.join(" and from ")),
    })
}
