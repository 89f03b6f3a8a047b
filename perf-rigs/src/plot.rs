//! One plot for each rig: its series over time, as SVG.

use plotters::prelude::{
    BLACK, ChartBuilder, IntoDrawingArea, LineSeries, Palette, Palette99, PathElement, SVGBackend,
    WHITE,
};

use crate::report::Series;

const SIZE: (u32, u32) = (900, 420);

/// Draws the first columns of a series that have its unit over its moments.
///
/// # Errors
///
/// What the drawing library says.
pub fn svg(title: &str, series: &Series) -> Result<String, Box<dyn std::error::Error>> {
    let mut text = String::new();
    let drawn: Vec<usize> = (0..series.columns.len())
        .filter(|column| series.is_drawn(*column))
        .collect();
    let values = || {
        series
            .rows
            .iter()
            .flat_map(|row| drawn.iter().map(move |column| row.1[*column]))
    };
    let last = series.rows.last().map_or(1.0, |row| row.0).max(1e-3);
    let largest = values().fold(0.0, f64::max).max(1e-9) * 1.05;
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut builder = ChartBuilder::on(&area);
        builder.caption(title, ("sans-serif", 18)).margin(12);
        builder.x_label_area_size(36).y_label_area_size(80);
        let mut chart = builder.build_cartesian_2d(0.0..last, 0.0..largest)?;
        let mut mesh = chart.configure_mesh();
        mesh.x_desc(series.x.as_str())
            .y_desc(series.unit.as_str())
            .draw()?;
        for column in &drawn {
            let points = series.rows.iter().map(|row| (row.0, row.1[*column]));
            let colour = Palette99::pick(*column);
            let drawn = chart.draw_series(LineSeries::new(points, &colour))?;
            drawn
                .label(series.columns[*column].as_str())
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 16, y)], Palette99::pick(*column))
                });
        }
        chart
            .configure_series_labels()
            .background_style(WHITE)
            .border_style(BLACK)
            .draw()?;
        area.present()?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::svg;
    use crate::report::Series;

    #[test]
    fn a_plot_names_its_columns_and_leaves_out_what_is_not_drawn() {
        let mut series = Series::new("seconds", "events/s", &["published", "lost"], &["memory"]);
        series.push(0.0, vec![1.0, 0.0, 1e9]);
        series.push(1.0, vec![2.0, 0.0, 1e9]);
        let text = svg("a rig", &series).unwrap();
        assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"));
        for word in ["a rig", "published", "lost", "events/s"] {
            assert!(text.contains(word), "{word} in {text}");
        }
        assert!(!text.contains("memory"));
    }

    #[test]
    fn a_series_without_moments_is_a_plot_too() {
        let series = Series::new("seconds", "events/s", &["published"], &[]);
        assert!(svg("a rig", &series).unwrap().starts_with("<svg"));
    }
}
