//! Numbers on the command line: what a flag accepts, and what it says of anything else.

fn number(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() => Ok(x),
        _ => Err("not a finite number".to_owned()),
    }
}

fn checked(text: &str, rule: &str, holds: impl Fn(f64) -> bool) -> Result<f64, String> {
    let x = number(text)?;
    holds(x).then_some(x).ok_or_else(|| format!("must be {rule}"))
}

/// A finite number of at least 0.
pub(super) fn not_negative(text: &str) -> Result<f64, String> {
    checked(text, "at least 0", |x| x >= 0.0)
}

/// A finite number above 0.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    checked(text, "above 0", |x| x > 0.0)
}

/// A number of at least 0, small enough that steps can be counted with it.
pub(super) fn epochs(text: &str) -> Result<f64, String> {
    checked(text, "from 0 to 1e6", |x| (0.0..=1e6).contains(&x))
}

/// A count of threads: many more than a machine has cores take minutes to start.
pub(super) fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=1024) => Ok(n),
        _ => Err("must be a whole number from 1 to 1024".to_owned()),
    }
}

/// A number in `[0, 1)`.
pub(super) fn below_one(text: &str) -> Result<f64, String> {
    checked(text, "in [0, 1)", |x| (0.0..1.0).contains(&x))
}

/// A number in `(0, 1]`.
pub(super) fn share(text: &str) -> Result<f64, String> {
    checked(text, "above 0 and at most 1", |x| x > 0.0 && x <= 1.0)
}

/// A number in `[0, 1]`.
pub(super) fn ratio(text: &str) -> Result<f64, String> {
    checked(text, "in [0, 1]", |x| (0.0..=1.0).contains(&x))
}

/// A count; products of two must not overflow.
pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse::<u32>() {
        Ok(n) if n > 0 => Ok(n as usize),
        _ => Err(format!("must be a whole number from 1 to {}", u32::MAX)),
    }
}
