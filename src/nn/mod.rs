//! The layers: one file each, forward and backward side by side.
//!
//! Every file reads the same way. First the equations, forward and backward, with the shapes; then the parameters;
//! then `forward`, then `backward`, whose statements are the backward equations in order. Rules:
//! * `dx` is the gradient of the loss with respect to `x`, nothing else is named so.
//! * `backward` *adds* into `grad`, which has the type of the layer itself, and returns the gradient of the input.
//! * Inputs that backward needs are passed to it again or kept in a cache; the cache is only read.
//! * Nothing here draws a random number, knows a parameter's name beyond its leaf, or knows that gradients are clipped.
//!
//! Legend: `n` tokens of the packed batch, `b` sequences, `s` tokens of one sequence, `h` hidden size, `i` inputs and
//! `o` outputs of a product, `a` heads, `d = h/a` size of a head, `c` labels.
//!
//! In reading order: [`linear`], [`layer_norm`], [`activation`], [`dropout`], [`embedding`], [`attention`],
//! [`cross_entropy`], [`binary_cross_entropy`], [`mean_squared_error`].

pub mod activation;
pub mod attention;
pub mod binary_cross_entropy;
pub mod cross_entropy;
pub mod dropout;
pub mod embedding;
pub mod layer_norm;
pub mod linear;
pub mod mean_squared_error;

/// Rows of a matrix that one task handles at least, so that a task is worth its overhead.
const ROWS_PER_TASK: usize = 16;
