//! One plot for each topic of the league: how many times as good ours is, row by row.

use plotters::prelude::{
    BLACK, Circle, Color, IntoDrawingArea, IntoFont, PathElement, RGBColor, SVGBackend, Text, WHITE,
};

/// The widths of the plot, and of the labels in it.
const WIDTH: i32 = 1_100;
const LABELS: i32 = 560;

/// The height of a row, and of what stands above and below all of them.
const ROW: i32 = 18;
const HEAD: i32 = 44;
const FOOT: i32 = 28;

/// Better, worse, and neither.
const AHEAD: RGBColor = RGBColor(0x1a, 0x7f, 0x37);
const BEHIND: RGBColor = RGBColor(0xcf, 0x22, 0x2e);
const EVEN: RGBColor = RGBColor(0x6e, 0x77, 0x81);

/// Nearer to 1 than this says nothing on a machine with two processors.
const MEANS_NOTHING: f64 = 1.2;

/// One row: the middle of the ratios, more than 1 where ours is better, with the least and the largest.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratio {
    /// What was measured, and beside whom.
    pub label: String,
    /// The middle.
    pub middle: f64,
    /// The least.
    pub least: f64,
    /// The largest.
    pub largest: f64,
}

/// Draws rows on one axis, each step of which is a factor of two.
///
/// # Errors
///
/// What the drawing library says.
pub fn svg(title: &str, rows: &[Ratio]) -> Result<String, Box<dyn std::error::Error>> {
    let mut text = String::new();
    let axis = Axis::over(rows);
    let bottom = HEAD + ROW * i32::try_from(rows.len())?;
    let size = (WIDTH.unsigned_abs(), (bottom + FOOT).unsigned_abs());
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE)?;
        let write = |text: String, x: i32, y: i32, size: i32| {
            area.draw(&Text::new(text, (x, y), ("sans-serif", size).into_font()))
        };
        write(title.to_owned(), 12, 10, 17)?;
        for step in axis.from..=axis.to {
            let x = axis.place(2_f64.powi(step));
            let colour = if step == 0 {
                BLACK.mix(0.6)
            } else {
                BLACK.mix(0.12)
            };
            area.draw(&PathElement::new([(x, HEAD), (x, bottom)], colour))?;
            write(factor(step), x - 8, bottom + 6, 12)?;
        }
        for (number, row) in rows.iter().enumerate() {
            let y = HEAD + ROW * i32::try_from(number)? + ROW / 2;
            write(row.label.clone(), 12, y - 6, 11)?;
            let colour = match row.middle {
                middle if middle > MEANS_NOTHING => AHEAD,
                middle if middle * MEANS_NOTHING < 1.0 => BEHIND,
                _ => EVEN,
            };
            let ends = [(axis.place(row.least), y), (axis.place(row.largest), y)];
            area.draw(&PathElement::new(ends, colour.stroke_width(2)))?;
            area.draw(&Circle::new(
                (axis.place(row.middle), y),
                4,
                colour.filled(),
            ))?;
        }
        area.present()?;
    }
    Ok(text)
}

/// Which powers of two the plot reaches from and to.
struct Axis {
    from: i32,
    to: i32,
}

impl Axis {
    fn over(rows: &[Ratio]) -> Self {
        let valid = |ratio: &f64| ratio.is_finite() && *ratio > 0.0;
        let steps = |of: fn(&Ratio) -> f64| rows.iter().map(of).filter(valid).map(f64::log2);
        let from = steps(|row| row.least).fold(-1.0, f64::min).floor();
        let to = steps(|row| row.largest).fold(1.0, f64::max).ceil();
        // Of a ratio of times: a few dozen at most.
        Self {
            from: from.max(-16.0) as i32,
            to: to.min(16.0) as i32,
        }
    }

    fn place(&self, ratio: f64) -> i32 {
        let room = f64::from(WIDTH - LABELS - 40);
        let share = (ratio.log2() - f64::from(self.from)) / f64::from(self.to - self.from);
        LABELS + (share.clamp(0.0, 1.0) * room) as i32
    }
}

fn factor(step: i32) -> String {
    match step {
        0.. => format!("{}", 1_u32 << step),
        _ => format!("1/{}", 1_u32 << -step),
    }
}

#[cfg(test)]
mod tests {
    use super::{Axis, Ratio, svg};

    fn row(label: &str, middle: f64) -> Ratio {
        Ratio {
            label: label.to_owned(),
            middle,
            least: middle / 2.0,
            largest: middle * 2.0,
        }
    }

    #[test]
    fn every_row_is_named_and_the_axis_reaches_all_of_them() {
        let rows = [row("a restart", 3.0), row("a start", 0.4)];
        let text = svg("a topic", &rows).unwrap();
        for word in ["a topic", "a restart", "a start", "1/8"] {
            assert!(text.contains(word), "{word} in {text}");
        }
        let axis = Axis::over(&rows);
        assert_eq!((axis.from, axis.to), (-3, 3));
        assert!(axis.place(0.4) < axis.place(1.0) && axis.place(1.0) < axis.place(3.0));
    }

    #[test]
    fn what_is_no_ratio_is_drawn_at_an_end() {
        assert!(svg("a topic", &[row("nothing", f64::NAN), row("zero", 0.0)]).is_ok());
        assert!(svg("a topic", &[]).unwrap().starts_with("<svg"));
    }
}
