//! The rules' fields by name: what the text form of a policy prints and sets.

use super::error::{PolicyError, nearest};
use super::rule::{Adaptive, Curve, Floor, Rule, SpikeTarget, ValueForm};
use super::threshold::{Threshold, plain};

/// A number of a rule, to be printed or set.
pub(super) enum Number<'a> {
    Threshold(&'a mut Threshold),
    /// At least 0 and at most the bound.
    Real(&'a mut f64, f64),
    /// At most the bound.
    Count(&'a mut usize, usize),
}

impl Number<'_> {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Threshold(c) => c.to_string(),
            Self::Real(x, _) => plain(**x),
            Self::Count(n, _) => n.to_string(),
        }
    }

    pub(super) fn set(self, key: &str, text: &str) -> Result<(), PolicyError> {
        match self {
            Self::Threshold(c) => *c = Threshold::from_text(text)?,
            Self::Real(x, bound) => match text.parse() {
                Ok(value) if (0.0..=bound).contains(&value) => *x = value,
                _ if bound == 1.0 => return Err(PolicyError::value(key, text, "a number from 0 to 1")),
                _ if bound == 100.0 => return Err(PolicyError::value(key, text, "a number from 0 to 100")),
                _ => return Err(PolicyError::value(key, text, "a number of at least 0")),
            },
            Self::Count(n, bound) => match text.parse() {
                Ok(value) if value <= bound => *n = value,
                _ if bound == 100 => {
                    return Err(PolicyError::value(key, text, "a whole number from 0 to 100"));
                }
                _ => return Err(PolicyError::value(key, text, "a whole number")),
            },
        }
        Ok(())
    }
}

const POSITIVE: f64 = f64::INFINITY;

impl Rule {
    /// The name in policies. That of [`Rule::Norm`] is its partition's.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Keep => "none",
            Self::Norm { .. } => "component",
            Self::Value { .. } => "value",
            Self::Soft { .. } => "soft",
            Self::SoftNorm { .. } => "soft-norm",
            Self::Normalise { .. } => "normalise",
            Self::Agc { .. } => "agc",
            Self::TrustRatio { .. } => "trust-ratio",
            Self::StableAdamW { .. } => "stable-adamw",
            Self::Spam { .. } => "spam",
            Self::Adaptive(rule) => rule.name(),
        }
    }

    /// The numbers with their keys; the one that follows the colon has the key `""`.
    pub(super) fn numbers(&mut self) -> Vec<(&'static str, Number<'_>)> {
        use Number::{Real, Threshold};
        match self {
            Self::Keep => vec![],
            Self::Norm {
                threshold,
                convention,
                eps,
            } => {
                let mut numbers = vec![("", Threshold(threshold))];
                if convention.eps().is_some() {
                    numbers.push(("eps", Real(eps, POSITIVE)));
                }
                numbers
            }
            Self::Value { threshold, .. }
            | Self::Soft { threshold, .. }
            | Self::SoftNorm { threshold }
            | Self::Spam { threshold } => vec![("", Threshold(threshold))],
            Self::Normalise {
                target: threshold,
                eps,
                ..
            }
            | Self::Agc { threshold, eps }
            | Self::StableAdamW { threshold, eps } => {
                vec![("", Threshold(threshold)), ("eps", Real(eps, POSITIVE))]
            }
            Self::TrustRatio {
                coefficient,
                eps,
                max,
            } => vec![
                ("coefficient", Real(coefficient, POSITIVE)),
                ("eps", Real(eps, POSITIVE)),
                ("max", Real(max, POSITIVE)),
            ],
            Self::Adaptive(rule) => rule.numbers(),
        }
    }

    /// The name after `@`; the empty text if the rule has one form only.
    pub(super) fn variant(&self) -> String {
        let name = match self {
            Self::Norm { convention, .. } => return convention.to_string(),
            Self::Value { form, .. } => form.name(),
            Self::Soft { curve, .. } => curve.name(),
            Self::Normalise { floor, .. } => floor.name(),
            Self::Adaptive(Adaptive::ZClip { target, .. }) => target.name(),
            _ => "",
        };
        name.to_owned()
    }

    pub(super) fn set_variant(&mut self, text: &str) -> Result<(), PolicyError> {
        match self {
            Self::Norm { convention, eps, .. } => {
                *convention = text.parse()?;
                *eps = convention.eps().unwrap_or(0.0);
            }
            Self::Value { form, .. } => *form = choose(text, ValueForm::ALL, ValueForm::name)?,
            Self::Soft { curve, .. } => *curve = choose(text, Curve::ALL, Curve::name)?,
            Self::Normalise { floor, .. } => *floor = choose(text, Floor::ALL, Floor::name)?,
            Self::Adaptive(Adaptive::ZClip { target, .. }) => {
                *target = choose(text, SpikeTarget::ALL, SpikeTarget::name)?;
            }
            _ => {
                let name = self.name();
                return Err(PolicyError::Conflict(format!("`{name}` has no variant `{text}`")));
            }
        }
        Ok(())
    }
}

impl Adaptive {
    fn name(&self) -> &'static str {
        match self {
            Self::AutoClip { .. } => "autoclip",
            Self::Percentile { .. } => "percentile",
            Self::ZClip { .. } => "zclip",
            Self::AdaGc { .. } => "adagc",
            Self::StableSpam { .. } => "stable-spam",
        }
    }

    fn numbers(&mut self) -> Vec<(&'static str, Number<'_>)> {
        use Number::{Count, Real};
        match self {
            Self::AutoClip { percentile } => vec![("", Real(percentile, 100.0))],
            Self::Percentile { percentile } => vec![("", Count(percentile, 100))],
            Self::ZClip {
                z,
                alpha,
                warmup,
                factor,
                max,
                ..
            } => vec![
                ("", Real(z, POSITIVE)),
                ("alpha", Real(alpha, 1.0)),
                ("warmup", Count(warmup, usize::MAX)),
                ("factor", Real(factor, POSITIVE)),
                ("max", Real(max, POSITIVE)),
            ],
            Self::AdaGc {
                relative,
                absolute,
                beta,
                warmup,
            } => vec![
                ("", Real(relative, POSITIVE)),
                ("absolute", Real(absolute, POSITIVE)),
                ("beta", Real(beta, 1.0)),
                ("warmup", Count(warmup, usize::MAX)),
            ],
            Self::StableSpam { theta } => vec![("", Real(theta, 1.0))],
        }
    }
}

impl ValueForm {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::Torch, Self::Tf, Self::Paper];

    /// The name in policies.
    pub fn name(self) -> &'static str {
        ["torch", "tf", "paper"][self as usize]
    }
}

impl Curve {
    /// Every curve.
    pub const ALL: [Self; 3] = [Self::Rational, Self::Tanh, Self::MuLaw];

    /// The name in policies.
    pub fn name(self) -> &'static str {
        ["rational", "tanh", "mu-law"][self as usize]
    }
}

impl Floor {
    const ALL: [Self; 2] = [Self::Add, Self::Max];

    /// The name in policies.
    pub fn name(self) -> &'static str {
        ["add", "max"][self as usize]
    }
}

impl SpikeTarget {
    const ALL: [Self; 2] = [Self::Adaptive, Self::Mean];

    /// The name in policies.
    pub fn name(self) -> &'static str {
        ["adaptive", "mean"][self as usize]
    }
}

/// The one of `all` with this name.
fn choose<V: Copy, const N: usize>(
    text: &str,
    all: [V; N],
    name: fn(V) -> &'static str,
) -> Result<V, PolicyError> {
    all.into_iter()
        .find(|&v| name(v) == text)
        .ok_or_else(|| PolicyError::Unknown {
            what: "variant",
            name: text.to_owned(),
            nearest: nearest(text, all.map(name)),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of a rule in `docs/clipping.md`. A new rule does not compile until it has its place here.
    fn rows(rule: &Rule) -> Vec<String> {
        let each = |variants: &[&str]| variants.iter().map(|v| format!("{}@{v}", rule.name())).collect();
        match rule {
            Rule::Norm { .. } => vec![],
            Rule::Value { .. } => each(&ValueForm::ALL.map(ValueForm::name)),
            Rule::Soft { .. } => each(&Curve::ALL.map(Curve::name)),
            Rule::Normalise { .. } => each(&Floor::ALL.map(Floor::name)),
            Rule::Adaptive(Adaptive::ZClip { .. }) => each(&SpikeTarget::ALL.map(SpikeTarget::name)),
            Rule::Keep
            | Rule::SoftNorm { .. }
            | Rule::Agc { .. }
            | Rule::TrustRatio { .. }
            | Rule::StableAdamW { .. }
            | Rule::Spam { .. }
            | Rule::Adaptive(
                Adaptive::AutoClip { .. }
                | Adaptive::Percentile { .. }
                | Adaptive::AdaGc { .. }
                | Adaptive::StableSpam { .. },
            ) => vec![rule.name().to_owned()],
        }
    }

    /// The documentation lists every rule with each of its variants, in the order of the enum, and nothing else; likewise the
    /// options by name.
    #[test]
    fn the_documentation_has_every_rule() {
        let text = include_str!("../../docs/clipping.md");
        let section = text.split("\n## ").find(|section| section.starts_with("Rules\n"));
        let lines = section.expect("the section").lines();
        let documented: Vec<&str> = lines
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .collect();
        let rules = Rule::examples();
        assert_eq!(documented, rules.iter().flat_map(rows).collect::<Vec<_>>());
        let mut names: Vec<&str> = rules.iter().map(Rule::name).collect();
        names.dedup();
        assert_eq!(names.len(), 15, "{names:?}");
        for option in ["group=", "exclude=", "count=", "follow=", "tie="] {
            assert!(text.contains(&format!("`{option}")), "{option}");
        }
    }
}
