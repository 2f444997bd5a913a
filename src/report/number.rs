//! Numbers as a reader wants them.

/// `x` with this many digits behind the point; `–` for what is not defined.
pub fn rounded(x: Option<f64>, digits: usize) -> String {
    let text = x.filter(|x| x.is_finite()).map(|x| format!("{x:.digits$}"));
    // No sign in front of a zero.
    let text = text.map(|text| match text.strip_prefix('-') {
        Some(rest) if rest.bytes().all(|b| matches!(b, b'0' | b'.')) => rest.to_owned(),
        _ => text,
    });
    text.unwrap_or_else(|| "–".to_owned())
}

/// A p-value: three digits, or `<0.001`, below which more would say nothing.
pub fn p_value(p: Option<f64>) -> String {
    match p {
        Some(p) if p < 0.001 => "<0.001".to_owned(),
        p => rounded(p, 3),
    }
}

/// `x` to `digits` significant digits, as short as it can be: for files that programs read, where the last bits of a logarithm
/// may differ from machine to machine.
pub fn significant(x: f64, digits: usize) -> f64 {
    format!("{x:.*e}", digits.saturating_sub(1)).parse().unwrap_or(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        assert_eq!(rounded(Some(0.123_456), 3), "0.123");
        assert_eq!(rounded(Some(-0.000_04), 3), "0.000");
        assert_eq!(rounded(Some(-0.04), 2), "-0.04");
        assert_eq!(
            (rounded(None, 3), rounded(Some(f64::NAN), 3)),
            ("–".into(), "–".into())
        );
        assert_eq!(
            (p_value(Some(0.000_9)), p_value(Some(0.25))),
            ("<0.001".into(), "0.250".into())
        );
        assert_eq!(
            (
                significant(2.0 / 3.0, 4),
                significant(1e300, 4),
                significant(0.0, 4)
            ),
            (0.6667, 1e300, 0.0)
        );
    }
}
