//! The text form of a policy, for the command line and for records; it parses and prints back to the same policy.
//!
//! ```text
//! policy    = rule { "," option }
//! rule      = "none" | "trust-ratio" | name ":" number [ "@" variant ]
//! option    = key "=" value | "unchecked"
//! ```
//!
//! `name` is a partition (`global`, `layer`, `module`, `component`, `row`, `optax-unit`, `axes-0-1`), which clips norms by
//! the convention that the variant names (`torch` if none is named), or another rule:
//!
//! | rule | number | variants, first the usual one | options with their usual values |
//! |---|---|---|---|
//! | `none` | | | |
//! | a partition | `c` | every [`Convention`](super::Convention) | `eps=0.000001`, `0.00000001` for `mxnet`, where there is one |
//! | `value` | `c` | `torch`, `tf`, `paper` | |
//! | `soft` | `c` | `rational`, `tanh`, `mu-law` | |
//! | `soft-norm` | `c` | | |
//! | `normalise` | `c` | `add`, `max` | `eps=0.000001` |
//! | `agc` | `c` | | `eps=0.001` |
//! | `trust-ratio` | | | `coefficient=1`, `eps=0`, `max=inf` |
//! | `stable-adamw` | `d` | | `eps=0.00000001` |
//! | `spam` | `Θ` | | |
//! | `autoclip` | `P` | | |
//! | `percentile` | `P` | | |
//! | `zclip` | `Z` | `adaptive`, `mean` | `alpha=0.97`, `warmup=25`, `factor=1`, `max=1` |
//! | `adagc` | `R` | | `absolute=1`, `beta=0.98`, `warmup=100` |
//! | `stable-spam` | `θ` | | |
//!
//! Every rule takes `norm=` (a [`Statistic`]), `edge=` (an [`Edge`](super::Edge)) and the choices by name of
//! [`Selection`]; the partitions `layer` and `module` take `separator=` (a [`Separator`]); every rule whose name is not a partition takes `by=` (a [`Partition`]). Thresholds are finite and at
//! least 0, unless the policy says `unchecked`.

use super::error::{PolicyError, nearest};
use super::partition::Partition;
use super::policy::ClipPolicy;
use super::rule::Rule;
use super::selection::{Pattern, Role, Selection};
use super::separator::Separator;
use super::statistic::Statistic;
use super::threshold::Threshold;
use std::fmt;
use std::str::FromStr;

impl fmt::Display for ClipPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rule = self.rule.clone();
        let mut usual = prototype(rule.name()).unwrap_or(Rule::Keep);
        let is_norm = matches!(rule, Rule::Norm { .. });
        if is_norm {
            write!(f, "{}", self.partition)?;
        } else {
            write!(f, "{}", rule.name())?;
        }
        let (variant, usual_variant) = (rule.variant(), usual.variant());
        // The usual numbers are those of the variant.
        let _ = usual.set_variant(&variant);
        let mut numbers = rule.numbers().into_iter().zip(usual.numbers()).peekable();
        if let Some(((_, number), _)) = numbers.next_if(|((key, _), _)| key.is_empty()) {
            write!(f, ":{}", number.text())?;
        }
        if variant != usual_variant {
            write!(f, "@{variant}")?;
        }
        for ((key, number), (_, usual)) in numbers {
            if number.text() != usual.text() {
                write!(f, ",{key}={}", number.text())?;
            }
        }
        if !is_norm && self.partition != self.rule.usual_partition() {
            write!(f, ",by={}", self.partition)?;
        }
        if self.statistic != self.rule.usual_statistic() {
            write!(f, ",norm={}", self.statistic)?;
        }
        if self.edge != super::Edge::Propagate {
            write!(f, ",edge={}", self.edge)?;
        }
        if let Some(separator) = &self.separator {
            write!(f, ",separator={separator}")?;
        }
        for selection in &self.selections {
            write!(f, ",{selection}")?;
        }
        if !self.is_plain() {
            write!(f, ",unchecked")?;
        }
        Ok(())
    }
}

/// The rule of this name with its usual settings.
fn prototype(name: &str) -> Option<Rule> {
    Rule::examples().into_iter().find(|rule| rule.name() == name)
}

impl FromStr for ClipPolicy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let mut parts = text.split(',');
        let mut policy = head(parts.next().unwrap_or_default())?;
        let mut unchecked = false;
        for option in parts {
            match option.split_once('=') {
                None if option == "unchecked" => unchecked = true,
                None => return Err(unknown_option(&mut policy.rule, option)),
                Some((key, value)) => set(&mut policy, key, value)?,
            }
        }
        policy.check(unchecked)?;
        Ok(policy)
    }
}

/// `name ":" number "@" variant`.
fn head(text: &str) -> Result<ClipPolicy, PolicyError> {
    let (text, variant) = match text.split_once('@') {
        Some((text, variant)) => (text, Some(variant)),
        None => (text, None),
    };
    let (name, number) = match text.split_once(':') {
        Some((name, number)) => (name, Some(number)),
        None => (text, None),
    };
    let (partition, rule) = match name.parse::<Partition>() {
        Ok(partition) => (Some(partition), prototype("component")),
        Err(error @ PolicyError::Value { .. }) => return Err(error),
        Err(_) => (None, prototype(name)),
    };
    let mut rule = rule.ok_or_else(|| unknown_policy(name))?;
    let first = rule.numbers().into_iter().find(|(key, _)| key.is_empty());
    match (first, number) {
        (Some((_, slot)), Some(number)) => slot.set(name, number)?,
        (Some(_), None) => return Err(PolicyError::NoThreshold(name.to_owned())),
        (None, Some(number)) => {
            return Err(PolicyError::Conflict(format!(
                "`{name}` takes no number, here `{number}`"
            )));
        }
        (None, None) => {}
    }
    if let Some(variant) = variant {
        rule.set_variant(variant)?;
    }
    let policy = ClipPolicy::of(rule);
    Ok(match partition {
        Some(partition) => ClipPolicy { partition, ..policy },
        None => policy,
    })
}

fn unknown_policy(name: &str) -> PolicyError {
    let rules = Rule::examples();
    let known = rules
        .iter()
        .map(Rule::name)
        .chain(Partition::NAMED.iter().map(Partition::name));
    let mut known: Vec<_> = known.collect();
    known.dedup();
    PolicyError::Unknown {
        what: "clipping policy",
        name: name.to_owned(),
        nearest: nearest(name, known),
    }
}

const OPTIONS: [&str; 10] = [
    "by",
    "norm",
    "edge",
    "separator",
    "group",
    "exclude",
    "count",
    "follow",
    "tie",
    "unchecked",
];

fn unknown_option(rule: &mut Rule, key: &str) -> PolicyError {
    let numbers = rule.numbers().into_iter().map(|(key, _)| key);
    PolicyError::Unknown {
        what: "option",
        name: key.to_owned(),
        nearest: nearest(
            key,
            OPTIONS.into_iter().chain(numbers.filter(|key| !key.is_empty())),
        ),
    }
}

/// `key "=" value`.
fn set(policy: &mut ClipPolicy, key: &str, value: &str) -> Result<(), PolicyError> {
    let pair = || match value.split_once(':') {
        Some(pair) => Ok(pair),
        None => Err(PolicyError::value(key, value, "of the form `a:b`")),
    };
    let (pattern, role) = match key {
        "norm" => {
            policy.statistic = value.parse::<Statistic>()?;
            return Ok(());
        }
        "edge" => {
            policy.edge = value.parse()?;
            return Ok(());
        }
        "by" if matches!(policy.rule, Rule::Norm { .. }) => {
            let text = format!(
                "the partition is given twice: `{}` and `by={value}`",
                policy.partition
            );
            return Err(PolicyError::Conflict(text));
        }
        "by" => {
            policy.partition = value.parse()?;
            return Ok(());
        }
        "separator" => {
            policy.separator = Some(Separator::new(value)?);
            return Ok(());
        }
        "exclude" => (value, Role::Exclude),
        "count" => (value, Role::Count),
        "follow" => (value, Role::Follow),
        "group" => {
            let (pattern, c) = pair()?;
            (pattern, Role::Group(Threshold::from_text(c)?))
        }
        "tie" => {
            let (copy, original) = pair()?;
            (copy, Role::Tie(original.to_owned()))
        }
        _ => {
            let number = policy.rule.numbers().into_iter().find(|(name, _)| *name == key);
            return match number {
                Some((_, number)) if !key.is_empty() => number.set(key, value),
                _ => Err(unknown_option(&mut policy.rule, key)),
            };
        }
    };
    let pattern = Pattern::new(pattern)?;
    policy.selections.push(Selection { pattern, role });
    Ok(())
}

#[cfg(test)]
mod tests;
