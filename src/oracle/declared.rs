//! What the maker of a candidate declares about its arithmetic; tolerances are derived from it and from nothing else.
//!
//! Text form, as in a case file or on the command line; everything but the reduction may be left out:
//!
//! ```text
//! REDUCTION [ "," OPTION ]...
//! REDUCTION   unknown  exact  f64  kahan  sequential  any-order  lanes-8  pairwise-8  blocks-1024  depth-27
//! OPTION      acc=F32  scale=F32  per-tensor=BF16  ftz  rounding=stochastic  rounding=truncate  max-norm-error=0.3%
//!             overflow=as-source
//! ```

use super::OracleError;
use super::format::Format;
use std::fmt;
use std::str::FromStr;

/// The candidate's arithmetic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Declared {
    /// How it adds up a norm.
    pub reduction: Reduction,
    /// `acc=`: the type of partial sums; if not given `F32`, and `F64` for `F64` tensors.
    pub accumulator: Option<Format>,
    /// `per-tensor=`: norms of single tensors are rounded to this type before they are combined to the component's.
    pub per_tensor: Option<Format>,
    /// `scale=`: the type in which norm and scale are held; if not given, that of the tensor.
    pub scale: Option<Format>,
    /// `ftz`: subnormal numbers may be flushed to zero anywhere.
    pub ftz: bool,
    /// `rounding=`: how an element is stored.
    pub rounding: Rounding,
    /// `overflow=as-source`: squares are formed in the accumulator's type, so that they may overflow to infinity or vanish,
    /// and what then comes out is right. Otherwise norms have no range.
    pub overflow_as_source: bool,
    /// `max-norm-error=`: no sum that is further off is certified, whatever was declared; a share of the norm.
    pub max_norm_error: f64,
}

/// The order in which terms are added up. `N`: the terms of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// `unknown`: the judge tries what sane implementations do, tight to loose, and says which would be needed.
    Unknown,
    /// `exact`: correctly rounded.
    Exact,
    /// `f64`: in any order, in `f64`.
    F64,
    /// `kahan`: compensated (Kahan, Neumaier).
    Kahan,
    /// `sequential`: one after the other.
    Sequential,
    /// `any-order`: any tree at all, for example atomics on one cell; its depth can be that of `sequential`.
    AnyOrder,
    /// `lanes-L`: `L` partial sums that take turns, then added pairwise.
    Lanes(u32),
    /// `pairwise-B`: runs of `B` one after the other, then halves.
    Pairwise(u32),
    /// `blocks-B`: blocks of `B` by a tree, then the blocks in any order (a kernel that ends in an atomic addition).
    Blocks(u32),
    /// `depth-D`: no term passes through more than `D` additions.
    Depth(u64),
}

/// How the exact value of an element becomes a number of its type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// `nearest`, ties to even.
    #[default]
    Nearest,
    /// `stochastic`: either neighbour.
    Stochastic,
    /// `truncate`: toward zero.
    Truncate,
}

impl Default for Declared {
    fn default() -> Self {
        Self::new(Reduction::Unknown)
    }
}

impl Declared {
    /// The largest error of a norm that is certified unless something else is asked for: 0.1 %.
    pub const MAX_NORM_ERROR: f64 = 1e-3;

    /// A reduction, and the usual for everything else.
    pub const fn new(reduction: Reduction) -> Self {
        Self {
            reduction,
            accumulator: None,
            per_tensor: None,
            scale: None,
            ftz: false,
            rounding: Rounding::Nearest,
            overflow_as_source: false,
            max_norm_error: Self::MAX_NORM_ERROR,
        }
    }

    /// The same arithmetic with this limit on the error of a norm.
    pub const fn up_to(self, max_norm_error: f64) -> Self {
        Self {
            max_norm_error,
            ..self
        }
    }

    /// The type of partial sums over tensors of this type.
    pub fn accumulator_for(&self, format: Format) -> Format {
        match (self.reduction, self.accumulator) {
            (Reduction::F64, _) => Format::F64,
            (_, Some(accumulator)) => accumulator,
            (_, None) if format == Format::F64 => Format::F64,
            (_, None) => Format::F32,
        }
    }

    /// The type of norm and scale for tensors of this type.
    pub fn scale_for(&self, format: Format) -> Format {
        self.scale.unwrap_or(format)
    }
}

impl fmt::Display for Reduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Exact => f.write_str("exact"),
            Self::F64 => f.write_str("f64"),
            Self::Kahan => f.write_str("kahan"),
            Self::Sequential => f.write_str("sequential"),
            Self::AnyOrder => f.write_str("any-order"),
            Self::Lanes(n) => write!(f, "lanes-{n}"),
            Self::Pairwise(n) => write!(f, "pairwise-{n}"),
            Self::Blocks(n) => write!(f, "blocks-{n}"),
            Self::Depth(n) => write!(f, "depth-{n}"),
        }
    }
}

impl FromStr for Reduction {
    type Err = OracleError;

    fn from_str(text: &str) -> Result<Self, OracleError> {
        let number = |n: &str| n.parse::<u32>().ok().filter(|&n| n > 0);
        let found = match text.split_once('-') {
            Some(("lanes", n)) => number(n).map(Self::Lanes),
            Some(("pairwise", n)) => number(n).map(Self::Pairwise),
            Some(("blocks", n)) => number(n).map(Self::Blocks),
            Some(("depth", n)) => n.parse().ok().map(Self::Depth),
            _ => [
                Self::Unknown,
                Self::Exact,
                Self::F64,
                Self::Kahan,
                Self::Sequential,
                Self::AnyOrder,
            ]
            .into_iter()
            .find(|reduction| reduction.to_string() == text),
        };
        found.ok_or_else(|| OracleError::Text {
            what: "reduction",
            text: text.to_owned(),
            expected: "unknown, exact, f64, kahan, sequential, any-order, lanes-N, pairwise-N, blocks-N or depth-N",
        })
    }
}

impl fmt::Display for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reduction)?;
        let formats = [
            ("acc", self.accumulator),
            ("scale", self.scale),
            ("per-tensor", self.per_tensor),
        ];
        for (key, format) in formats {
            if let Some(format) = format {
                write!(f, ",{key}={format}")?;
            }
        }
        if self.ftz {
            f.write_str(",ftz")?;
        }
        f.write_str(match self.rounding {
            Rounding::Nearest => "",
            Rounding::Stochastic => ",rounding=stochastic",
            Rounding::Truncate => ",rounding=truncate",
        })?;
        if self.overflow_as_source {
            f.write_str(",overflow=as-source")?;
        }
        if self.max_norm_error == Self::MAX_NORM_ERROR {
            return Ok(());
        }
        write!(f, ",max-norm-error={}", self.max_norm_error)
    }
}

/// A share of a norm: a number that is not negative, such as `0.003`, or per cents, such as `0.3%`.
///
/// # Errors
/// If it is none.
pub fn norm_error(text: &str) -> Result<f64, OracleError> {
    let (number, unit) = text
        .strip_suffix('%')
        .map_or((text, 1.0), |number| (number, 100.0));
    let found = number.trim().parse::<f64>().ok().map(|x| x / unit);
    found.filter(|x| *x >= 0.0).ok_or_else(|| OracleError::Text {
        what: "error of a norm",
        text: text.to_owned(),
        expected: "a share of the norm, not negative, such as 0.001 or 0.1%",
    })
}

impl FromStr for Declared {
    type Err = OracleError;

    fn from_str(text: &str) -> Result<Self, OracleError> {
        let mut parts = text.split(',');
        let mut declared = Self::new(parts.next().unwrap_or_default().parse()?);
        for part in parts {
            match part.split_once('=').unwrap_or((part, "")) {
                ("acc", format) => declared.accumulator = Some(format.parse()?),
                ("scale", format) => declared.scale = Some(format.parse()?),
                ("per-tensor", format) => declared.per_tensor = Some(format.parse()?),
                ("ftz", "") => declared.ftz = true,
                ("overflow", "as-source") => declared.overflow_as_source = true,
                ("overflow", "none") => declared.overflow_as_source = false,
                ("max-norm-error", share) => declared.max_norm_error = norm_error(share)?,
                ("rounding", "nearest") => declared.rounding = Rounding::Nearest,
                ("rounding", "stochastic") => declared.rounding = Rounding::Stochastic,
                ("rounding", "truncate") => declared.rounding = Rounding::Truncate,
                _ => {
                    return Err(OracleError::Text {
                        what: "option of the declared arithmetic",
                        text: part.to_owned(),
                        expected: "acc=, scale=, per-tensor=, ftz, rounding=nearest|stochastic|truncate, \
                                   overflow=as-source|none or max-norm-error=",
                    });
                }
            }
        }
        Ok(declared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form() {
        for text in [
            "unknown",
            "sequential,acc=F16",
            "blocks-1024,scale=F32,per-tensor=BF16,ftz,rounding=stochastic",
            "lanes-8",
            "pairwise-128",
            "depth-27,rounding=truncate",
            "f64",
            "lanes-8,max-norm-error=0.003",
            "unknown,overflow=as-source",
        ] {
            assert_eq!(
                text.parse::<Declared>().map(|d| d.to_string()).as_deref(),
                Ok(text)
            );
        }
        let limit = |text: &str| text.parse::<Declared>().map(|d| d.max_norm_error);
        assert_eq!(
            (limit("f64"), limit("f64,max-norm-error=0.5%")),
            (Ok(1e-3), Ok(5e-3))
        );
        let error = |text: &str| text.parse::<Declared>().expect_err(text).to_string();
        assert!(error("lanes-0").starts_with("reduction `lanes-0`: expected unknown, exact"));
        for wrong in ["-1%", "NaN", "", "x"] {
            let message = error(&format!("f64,max-norm-error={wrong}"));
            assert!(
                message.starts_with(&format!("error of a norm `{wrong}`: expected a share")),
                "{message}"
            );
        }
        assert!(error("f64,acc=F8").starts_with("element type `F8`: expected F16"));
    }
}
