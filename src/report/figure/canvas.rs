//! What all figures share: the sheet, its colours, its letters, its axes.

use crate::report::html::escaped;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::ops::Range;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<Axis, Axis>>;
/// Drawing into a string fails at nothing; the type is plotters'.
pub(super) type Drawn<T = ()> = Result<T, DrawingAreaErrorKind<std::io::Error>>;

/// The width of a figure in units of half a pixel: plotters places things on whole units.
pub(super) const WIDTH: u32 = 1600;

/// The size of letters, as plotters counts it (1.24 times the font size): 12 pixels.
pub(super) const TEXT: f64 = 30.0;

/// The width of a letter, on average, in units. Common fonts are narrower and wider than this by a tenth.
const LETTER: f64 = 14.0;

pub(super) const PAPER: RGBColor = RGBColor(255, 255, 255);
pub(super) const INK: RGBColor = RGBColor(26, 26, 26);
pub(super) const QUIET: RGBColor = RGBColor(112, 112, 112);
pub(super) const GRID: RGBColor = RGBColor(222, 222, 222);

/// The colours of lines; each has a lighter one for dark pages in [`STYLE`].
pub(super) const COLOURS: [RGBColor; 8] = [
    RGBColor(31, 95, 168),
    RGBColor(200, 80, 10),
    RGBColor(27, 127, 90),
    RGBColor(123, 63, 160),
    RGBColor(138, 106, 0),
    RGBColor(168, 23, 75),
    RGBColor(15, 124, 138),
    RGBColor(85, 85, 85),
];

/// Dark pages: plotters writes colours as attributes, which a rule for the attribute replaces.
const DARK: [(&str, &str); 12] = [
    ("#FFFFFF", "#16181c"),
    ("#1A1A1A", "#e8e8e8"),
    ("#707070", "#a8a8a8"),
    ("#DEDEDE", "#3a3d42"),
    ("#1F5FA8", "#6fa8e8"),
    ("#C8500A", "#f08a4b"),
    ("#1B7F5A", "#4fc79a"),
    ("#7B3FA0", "#be8fe0"),
    ("#8A6A00", "#d9b23c"),
    ("#A8174B", "#ee7fa2"),
    ("#0F7C8A", "#58c4d2"),
    ("#555555", "#b8b8b8"),
];

/// The colour of the line of this number.
pub(super) fn colour(number: usize) -> RGBColor {
    COLOURS[number % COLOURS.len()]
}

/// Draws a figure of this height, in units.
pub(super) fn draw(title: &str, height: u32, content: impl Fn(&Area<'_>) -> Drawn) -> String {
    let mut svg = String::new();
    {
        let sheet = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        let drawn = sheet
            .fill(&PAPER)
            .and_then(|()| content(&sheet))
            .and_then(|()| sheet.present());
        drawn.expect("a drawing into a string does not fail");
    }
    let body = svg.split_once('\n').map_or("", |(_, body)| body);
    let (width, shown) = (WIDTH / 2, height / 2);
    let title = escaped(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{shown}\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"{title}\">\n<title>{title}</title>\n<style>{}</style>\n{body}",
        style()
    )
}

/// The rules for dark pages.
fn style() -> String {
    let rule = |(light, dark): &(&str, &str)| {
        format!("[fill=\"{light}\"]{{fill:{dark}}}[stroke=\"{light}\"]{{stroke:{dark}}}")
    };
    let rules: String = DARK.iter().map(rule).collect();
    format!("rect{{shape-rendering:crispEdges}}@media (prefers-color-scheme:dark){{{rules}}}")
}

/// Text in a colour, placed by this corner or edge.
pub(super) fn text(colour: RGBColor, across: HPos, along: VPos) -> TextStyle<'static> {
    TextStyle {
        font: ("sans-serif", TEXT).into_font(),
        color: colour.to_backend_color(),
        pos: Pos::new(across, along),
    }
}

/// The text, cut to fit a width, with `…` for what was cut.
pub(super) fn fitted(text: &str, width: f64) -> String {
    let letters = (width / LETTER).max(1.0) as usize;
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    let kept: String = text.chars().take(letters - 1).collect();
    kept + "…"
}

/// The room that the longest of these texts needs, at most `most`.
pub(super) fn room<'t>(texts: impl IntoIterator<Item = &'t str>, most: f64) -> f64 {
    let longest = texts
        .into_iter()
        .map(|text| text.chars().count())
        .max()
        .unwrap_or(0);
    (longest as f64 * LETTER).min(most)
}

/// An axis that counts evenly and has the ticks that it is given.
pub(super) struct Axis {
    range: Range<f64>,
    ticks: Vec<f64>,
}

impl Axis {
    fn new(range: &Range<f64>, ticks: &[f64]) -> Self {
        Self {
            range: range.clone(),
            ticks: ticks.to_vec(),
        }
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        first + (share * f64::from(last - first)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            Vec::new()
        } else {
            self.ticks.clone()
        }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

/// The axes of a chart.
pub(super) struct Axes<'t> {
    pub(super) title: &'t str,
    pub(super) x: Range<f64>,
    pub(super) y: Range<f64>,
    pub(super) x_label: &'t str,
    pub(super) y_label: &'t str,
    pub(super) x_ticks: Vec<f64>,
    pub(super) y_ticks: Vec<f64>,
    pub(super) x_tick: &'t dyn Fn(f64) -> String,
    pub(super) y_tick: &'t dyn Fn(f64) -> String,
    /// Room for the ticks at the left.
    pub(super) left: f64,
    /// Room at the bottom.
    pub(super) bottom: f64,
}

/// A chart with its axes drawn.
pub(super) fn axes<'a>(area: &Area<'a>, axes: &Axes<'_>) -> Drawn<Chart<'a>> {
    let width = f64::from(area.dim_in_pixel().0);
    if !axes.title.is_empty() {
        let title = fitted(axes.title, width - axes.left - 50.0);
        let style = text(INK, HPos::Left, VPos::Top);
        area.draw(&Text::new(title, (axes.left as i32 + 20, 12), style))?;
    }
    let mut chart = ChartBuilder::on(area)
        .margin(16)
        .margin_right(28)
        .margin_top(if axes.title.is_empty() { 16 } else { 54 })
        .x_label_area_size(axes.bottom)
        .y_label_area_size(axes.left)
        .build_cartesian_2d(
            Axis::new(&axes.x, &axes.x_ticks),
            Axis::new(&axes.y, &axes.y_ticks),
        )?;
    let label = text(QUIET, HPos::Center, VPos::Top);
    chart
        .configure_mesh()
        .axis_style(INK.stroke_width(2))
        .bold_line_style(GRID.stroke_width(2))
        .light_line_style(TRANSPARENT)
        .label_style(("sans-serif", TEXT * 0.92).into_font().color(&QUIET))
        .axis_desc_style(label)
        .x_desc(axes.x_label)
        .y_desc(axes.y_label)
        .x_label_formatter(&|x| (axes.x_tick)(*x))
        .y_label_formatter(&|y| (axes.y_tick)(*y))
        .draw()?;
    Ok(chart)
}

/// At most about `most` round numbers in a range.
pub(super) fn ticks(range: &Range<f64>, most: usize) -> Vec<f64> {
    let least = (range.end - range.start) / most.max(1) as f64;
    let unit = libm::exp10(libm::log10(least).floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|n| n * unit)
        .into_iter()
        .find(|step| *step >= least);
    let step = step.unwrap_or(10.0 * unit);
    let first = (range.start / step).ceil() as i64;
    let last = (range.end / step).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// Powers of ten in a range of logarithms, as logarithms; also 2 and 5 times them where there are fewer than two.
pub(super) fn power_ticks(range: &Range<f64>, most: usize) -> Vec<f64> {
    let (first, last) = (range.start.ceil() as i64, range.end.floor() as i64);
    if last > first {
        let every = (last - first) as usize / most.max(1) + 1;
        return (first..=last).step_by(every).map(|i| i as f64).collect();
    }
    let near = first - 1..=last + 1;
    let all = near.flat_map(|i| [1.0_f64, 2.0, 5.0].map(|n| i as f64 + libm::log10(n)));
    all.filter(|x| range.contains(x)).collect()
}

/// A tick of a plain axis: as few digits as show it.
pub(super) fn plain(x: f64) -> String {
    let x = super::super::significant(x, 6);
    if x == 0.0 {
        "0".to_owned()
    } else if x.abs() < 1e-3 || x.abs() >= 1e6 {
        format!("{x:e}")
    } else {
        x.to_string()
    }
}

/// A tick of an axis of logarithms.
pub(super) fn power(x: f64) -> String {
    let value = super::super::significant(libm::exp10(x), 1);
    if (0.01..=1000.0).contains(&value) {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}

/// The range of the finite values, a little wider, or around the one value that there is.
pub(super) fn range(values: impl IntoIterator<Item = f64>) -> Range<f64> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for x in values.into_iter().filter(|x| x.is_finite()) {
        (low, high) = (low.min(x), high.max(x));
    }
    if low > high {
        return 0.0..1.0;
    }
    let margin = if high > low {
        (high - low) * 0.05
    } else {
        (low.abs() * 0.05).max(1e-6)
    };
    low - margin..high + margin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks() {
        let shown = [0.0, 0.1 + 0.2, -2.5, 300.0, 1e-4, 2e7].map(plain);
        assert_eq!(shown, ["0", "0.3", "-2.5", "300", "1e-4", "2e7"]);
    }

    /// Every colour has its counterpart on dark pages.
    #[test]
    fn no_colour_is_forgotten() {
        for RGBColor(r, g, b) in COLOURS.into_iter().chain([PAPER, INK, QUIET, GRID]) {
            let name = format!("#{r:02X}{g:02X}{b:02X}");
            assert!(DARK.iter().any(|(light, _)| *light == name), "{name}");
        }
    }

    #[test]
    fn ranges_and_room() {
        assert_eq!(range([f64::NAN]), 0.0..1.0);
        assert_eq!(range([2.0, f64::INFINITY, 12.0]), 1.5..12.5);
        assert!(range([0.0]).contains(&0.0) && range([-3.0]).contains(&-3.0));
        assert_eq!(fitted("component-0.05", 200.0), "component-0.05");
        assert_eq!(fitted("component-0.05", 85.0), "compo…");
    }
}
