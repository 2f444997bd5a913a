//! The values of flags that have only a few.

use crate::checkpoint::Width;
use crate::optim::AdamWForm;
use clap::ValueEnum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Dtype {
    /// 32-bit floats
    F32,
    /// 64-bit floats
    F64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(
    clippy::enum_variant_names,
    reason = "they are the names of the flag's values"
)]
pub(super) enum Optimizer {
    /// transformers 4.12's AdamW with bias correction (the paper's runs)
    AdamwHf,
    /// The same without bias correction (Devlin et al. 2019)
    AdamwHfUncorrected,
    /// torch.optim.AdamW
    AdamwTorch,
}

impl Optimizer {
    pub(super) fn form(self) -> AdamWForm {
        match self {
            Self::AdamwHf => AdamWForm::HuggingFace { correct_bias: true },
            Self::AdamwHfUncorrected => AdamWForm::HuggingFace { correct_bias: false },
            Self::AdamwTorch => AdamWForm::Torch,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SaveStrategy {
    /// A checkpoint after each epoch, the model at the end
    Epoch,
    /// Results and log alone
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SaveDtype {
    /// As wide as in training (with --dtype f64: 64 bits)
    F32,
    /// 16 bits, rounded to nearest
    F16,
}

impl SaveDtype {
    pub(super) fn width(self) -> Width {
        match self {
            Self::F32 => Width::Own,
            Self::F16 => Width::Half,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum EvalStrategy {
    /// At the end alone
    No,
    /// After each epoch
    Epoch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProblemType {
    /// Cross-entropy over classes
    Classification,
    /// Mean squared error of a number
    Regression,
    /// Binary cross-entropy of every label by itself; a row has any number of labels
    #[value(alias = "multi_label_classification")]
    MultiLabel,
    /// Cross-entropy of a tag for each word
    #[value(alias = "token_classification")]
    TokenClassification,
}

/// The name by which a flag's value is known.
pub(super) fn name(value: &impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}
