//! Numbers on the command line: what a flag accepts, and what it says of anything else.

fn number(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() => Ok(x),
        _ => Err("not a finite number".to_owned()),
    }
}

/// A finite number of at least 0.
pub(super) fn not_negative(text: &str) -> Result<f64, String> {
    number(text).and_then(|x| {
        if x >= 0.0 {
            Ok(x)
        } else {
            Err("must be at least 0".to_owned())
        }
    })
}

/// A finite number above 0.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    number(text).and_then(|x| {
        if x > 0.0 {
            Ok(x)
        } else {
            Err("must be above 0".to_owned())
        }
    })
}

/// A number in `[0, 1)`.
pub(super) fn below_one(text: &str) -> Result<f64, String> {
    number(text).and_then(|x| {
        if (0.0..1.0).contains(&x) {
            Ok(x)
        } else {
            Err("must be in [0, 1)".to_owned())
        }
    })
}

/// A number in `[0, 1]`.
pub(super) fn ratio(text: &str) -> Result<f64, String> {
    number(text).and_then(|x| {
        if (0.0..=1.0).contains(&x) {
            Ok(x)
        } else {
            Err("must be in [0, 1]".to_owned())
        }
    })
}

/// A whole number of at least 1.
pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(n) => Ok(n),
        Err(error) => Err(format!("{error}")),
    }
}
