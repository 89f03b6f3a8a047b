//! Whether something grows: the straight line through a series, by least squares.

/// Returns by how much `y` grows for each unit of `x`; 0 where there is no line to draw.
#[must_use]
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let together: f64 = points
        .iter()
        .map(|point| (point.0 - x) * (point.1 - y))
        .sum();
    if spread > 0.0 { together / spread } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::slope;

    #[test]
    fn a_line_has_its_own_slope() {
        for (points, expected) in [
            (vec![], 0.0),
            (vec![(1.0, 5.0)], 0.0),
            (vec![(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)], 2.0),
            (vec![(0.0, 4.0), (1.0, 4.0)], 0.0),
            (vec![(0.0, 4.0), (2.0, 3.0)], -0.5),
            (vec![(1.0, 1.0), (1.0, 9.0)], 0.0),
        ] {
            assert!((slope(&points) - expected).abs() < 1e-12, "{points:?}");
        }
    }
}
