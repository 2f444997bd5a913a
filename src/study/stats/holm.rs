//! Many tests at once.

/// Holm's adjusted p-values, in the order given: each is compared with the level of the whole family.
///
/// With the p-values in ascending order, `p̃₍ᵢ₎ = max_{j ≤ i} min(1, (m - j + 1) p₍ⱼ₎)`. A test that is not defined is no member of
/// the family and stays `None`.
///
/// # Source
/// Holm, *A simple sequentially rejective multiple test procedure*, Scandinavian Journal of Statistics 6 (1979).
pub fn holm(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut family: Vec<(usize, f64)> = p
        .iter()
        .enumerate()
        .filter_map(|(i, p)| p.map(|p| (i, p)))
        .collect();
    family.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut adjusted = vec![None; p.len()];
    let mut largest = 0.0_f64;
    for (rank, &(i, p)) in family.iter().enumerate() {
        largest = largest.max(((family.len() - rank) as f64 * p).min(1.0));
        adjusted[i] = Some(largest);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 3 · 0.01, 2 · 0.03 and 1 · 0.04, which may not fall below 0.06; then times 1 at most.
    #[test]
    fn by_hand() {
        let adjusted = holm(&[Some(0.03), None, Some(0.01), Some(0.04)]);
        assert_eq!(adjusted, [Some(0.06), None, Some(0.03), Some(0.06)]);
        assert_eq!(holm(&[Some(0.7), Some(0.8)]), [Some(1.0), Some(1.0)]);
        assert_eq!(holm(&[Some(0.2)]), [Some(0.2)]);
        assert!(holm(&[]).is_empty());
    }
}
