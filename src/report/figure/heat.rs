//! A number for each row and column as a shade: components by steps.

use super::canvas::{Area, Drawn, INK, QUIET, WIDTH, draw, fitted, plain, power, room, text};
use crate::report::significant;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// A map of positive numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Heat {
    /// The figure's name for those who cannot see it.
    pub title: String,
    /// The rows' names, from above.
    pub rows: Vec<String>,
    /// The steps of the columns, in order.
    pub columns: Vec<usize>,
    /// The values, row by row; what is not finite or not positive is left blank.
    pub values: Vec<Vec<f64>>,
}

/// Shades that are told apart.
const SHADES: f64 = 24.0;

/// Powers of ten that the shades span at most, below the largest value; what is smaller has the darkest.
const SPAN: f64 = 4.0;

/// Columns that are drawn; of more, as many are taken, evenly.
const COLUMNS: usize = 60;

/// From dark blue through grey to yellow: lightness rises evenly, also for those who do not see red or green.
const SCALE: [(f64, f64, f64); 5] = [
    (0.0, 34.0, 78.0),
    (65.0, 77.0, 107.0),
    (124.0, 123.0, 120.0),
    (188.0, 175.0, 111.0),
    (254.0, 232.0, 56.0),
];

/// Draws the logarithms of the values as shades.
pub fn heat(figure: &Heat) -> String {
    let row = if figure.rows.len() > 60 { 24.0 } else { 30.0 };
    let bottom = 20.0 + row * figure.rows.len() as f64;
    draw(&figure.title, bottom as u32 + 130, |sheet| {
        let left = room(figure.rows.iter().map(String::as_str), 640.0) + 20.0;
        let right = f64::from(WIDTH) - 220.0;
        let chosen = chosen(figure.columns.len());
        let values = || {
            figure
                .values
                .iter()
                .flatten()
                .filter(|v| v.is_finite() && **v > 0.0)
        };
        let high = values()
            .map(|v| libm::log10(*v))
            .fold(f64::NEG_INFINITY, f64::max);
        let low = values()
            .map(|v| libm::log10(*v))
            .fold(high, f64::min)
            .max(high - SPAN);
        let column =
            |c: usize| (left + (right - left) * c as f64 / chosen.len().max(1) as f64).round() as i32;
        for (r, (name, values)) in figure.rows.iter().zip(&figure.values).enumerate() {
            let (top, end) = (20.0 + r as f64 * row, 20.0 + (r + 1) as f64 * row);
            let style = text(QUIET, HPos::Right, VPos::Center);
            let place = (left as i32 - 10, f64::midpoint(top, end) as i32 + 2);
            sheet.draw(&Text::new(fitted(name, left - 10.0), place, style))?;
            let shades: Vec<_> = chosen.iter().map(|&c| shade(values[c], low, high)).collect();
            let mut begin = 0;
            for same in shades.chunk_by(|a, b| a == b) {
                let next = begin + same.len();
                if let Some(t) = same[0] {
                    let corners = [(column(begin), top as i32), (column(next), end as i32)];
                    sheet.draw(&Rectangle::new(corners, colour(t).filled()))?;
                }
                begin = next;
            }
        }
        let bottom = bottom as i32;
        for tick in 0..=4 {
            let c = tick * (chosen.len().max(1) - 1) / 4;
            if let Some(&step) = chosen.get(c).and_then(|&c| figure.columns.get(c)) {
                let x = i32::midpoint(column(c), column(c + 1));
                let style = text(QUIET, HPos::Center, VPos::Top);
                sheet.draw(&Text::new(step.to_string(), (x, bottom + 12), style))?;
            }
        }
        let style = text(INK, HPos::Center, VPos::Top);
        let middle = f64::midpoint(left, right) as i32;
        sheet.draw(&Text::new("step", (middle, bottom + 56), style))?;
        key(sheet, right as i32 + 40, bottom, low, high)
    })
}

/// The columns that are drawn.
fn chosen(columns: usize) -> Vec<usize> {
    if columns <= COLUMNS {
        return (0..columns).collect();
    }
    (0..COLUMNS).map(|i| i * (columns - 1) / (COLUMNS - 1)).collect()
}

/// The number of the shade, from 0 to [`SHADES`].
fn shade(value: f64, low: f64, high: f64) -> Option<u32> {
    if !value.is_finite() || value <= 0.0 {
        return None;
    }
    let t = if high > low {
        (libm::log10(value) - low) / (high - low)
    } else {
        1.0
    };
    Some((t.clamp(0.0, 1.0) * SHADES).round() as u32)
}

fn colour(shade: u32) -> RGBColor {
    let at = f64::from(shade) / SHADES * (SCALE.len() - 1) as f64;
    let i = (at as usize).min(SCALE.len() - 2);
    let (from, to, share) = (SCALE[i], SCALE[i + 1], at - i as f64);
    let mix = |a: f64, b: f64| (a + share * (b - a)).round() as u8;
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

/// The shades with the values that they stand for.
fn key(sheet: &Area<'_>, x: i32, bottom: i32, low: f64, high: f64) -> Drawn {
    if high < low {
        return Ok(());
    }
    let height = (bottom - 20).min(500);
    let place = |t: f64| 20 + (f64::from(height) * (1.0 - t)) as i32;
    for shade in 0..=SHADES as u32 {
        let t = |shade: f64| shade / (SHADES + 1.0);
        let (from, to) = (place(t(f64::from(shade))), place(t(f64::from(shade) + 1.0)));
        sheet.draw(&Rectangle::new([(x, to), (x + 36, from)], colour(shade).filled()))?;
    }
    let style = text(QUIET, HPos::Left, VPos::Center);
    let ends = [(low, 0.0), (high, 1.0)];
    for (value, t) in ends {
        let y = place(t) + if t == 0.0 { -14 } else { 16 };
        let shown = plain(significant(libm::exp10(value), 2));
        sheet.draw(&Text::new(shown, (x + 48, y), style.clone()))?;
    }
    // The powers of ten between, where they do not run into the ends.
    for whole in (low.ceil() as i32)..=(high.floor() as i32) {
        let t = if high > low {
            (f64::from(whole) - low) / (high - low)
        } else {
            0.5
        };
        if f64::from(height) * t.min(1.0 - t) > 60.0 {
            sheet.draw(&Text::new(
                power(f64::from(whole)),
                (x + 48, place(t) + 2),
                style.clone(),
            ))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_and_columns() {
        assert_eq!(
            [1e-2, 1e-1, 1.0, 0.0, f64::NAN].map(|v| shade(v, -2.0, 0.0)),
            [Some(0), Some(12), Some(24), None, None]
        );
        assert_eq!(shade(1.0, 0.0, 0.0), Some(24));
        assert_eq!(
            (colour(0), colour(12), colour(24)),
            (
                RGBColor(0, 34, 78),
                RGBColor(124, 123, 120),
                RGBColor(254, 232, 56)
            )
        );
        assert_eq!(chosen(3), [0, 1, 2]);
        let many = chosen(1000);
        assert_eq!((many.len(), many[0], many[59]), (60, 0, 999));
        assert!(many.is_sorted_by(|a, b| a < b));
    }
}
