//! Lines over a common axis, in one panel or several of the same scale.

use super::canvas::{
    Area, Axes, Chart, Drawn, INK, QUIET, TEXT, WIDTH, axes, colour, draw, fitted, plain, power, power_ticks,
    range, room, text, ticks,
};
use plotters::coord::CoordTranslate;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use std::ops::Range;

/// How an axis counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// In powers of ten. What is below a millionth of the largest value is drawn there.
    Log,
}

/// A line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// Its name in the legend.
    pub name: String,
    /// The number of its colour and marker.
    pub style: usize,
    /// Whether it is dashed.
    pub is_dashed: bool,
    /// Whether it stands back: grey and without markers.
    pub is_quiet: bool,
    /// Its points; a value that is not finite is left out.
    pub points: Vec<(f64, f64)>,
    /// The lower and upper edge of a band around each point; empty for none.
    pub band: Vec<(f64, f64)>,
    /// Whether the band is drawn as a bar at each point.
    pub has_bars: bool,
}

/// A panel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Panel {
    /// What it shows.
    pub title: String,
    /// Its lines, drawn in order.
    pub lines: Vec<Line>,
    /// Whether it counts something else than the other panels, a share: upwards it goes from 0 to 1 and has no reference.
    pub is_share: bool,
}

/// A figure of one or more panels.
#[derive(Clone, Debug, PartialEq)]
pub struct Panels {
    /// The figure's name for those who cannot see it.
    pub title: String,
    /// What is counted across.
    pub x_label: String,
    /// What is counted upwards.
    pub y_label: String,
    /// How it is counted across.
    pub x_scale: Scale,
    /// How it is counted upwards.
    pub y_scale: Scale,
    /// The names of the places 0, 1, 2, … across, if they have names.
    pub places: Vec<String>,
    /// A value to compare with, drawn as a broken line across all panels.
    pub reference: Option<f64>,
    /// Whether the lines' names are listed at the right.
    pub has_legend: bool,
    /// The panels; at most three stand side by side.
    pub panels: Vec<Panel>,
}

/// Draws lines in panels of the same scale.
pub fn panels(figure: &Panels) -> String {
    let columns = match figure.panels.len() {
        0 | 1 => 1,
        2 | 4 => 2,
        _ => 3,
    };
    let rows = figure.panels.len().div_ceil(columns).max(1);
    let names = legend(figure);
    let needed = (names.len() as u32 + 1) * 40 + 40;
    let tall = if figure.places.is_empty() {
        0
    } else {
        place_room(&figure.places) as u32
    };
    let panel = if columns == 1 { 640 } else { 500 } + tall;
    let height = (rows as u32 * panel).max(if figure.has_legend { needed } else { 0 });
    draw(&figure.title, height, |sheet| {
        let aside = if figure.has_legend {
            room(names.iter().map(|l| l.name.as_str()), 500.0) + 110.0
        } else {
            0.0
        };
        let (main, side) = sheet.split_horizontally(f64::from(WIDTH) - aside);
        let together = figure.panels.iter().filter(|panel| !panel.is_share);
        let frame = Frame::of(figure, &together.collect::<Vec<_>>(), figure.reference);
        for (area, panel) in main.split_evenly((rows, columns)).iter().zip(&figure.panels) {
            if panel.is_share {
                Frame::of(figure, &[panel], None).panel(area, panel)?;
            } else {
                frame.panel(area, panel)?;
            }
        }
        if figure.has_legend {
            draw_legend(&side, &names)
        } else {
            Ok(())
        }
    })
}

/// The room that the names of places need under an axis.
fn place_room(places: &[String]) -> f64 {
    room(places.iter().map(String::as_str), 220.0) + 30.0
}

/// The scales that panels share.
struct Frame<'f> {
    figure: &'f Panels,
    reference: Option<f64>,
    x: Range<f64>,
    y: Range<f64>,
    /// The smallest values that the logarithmic axes show.
    floor: (f64, f64),
    left: f64,
}

impl<'f> Frame<'f> {
    fn of(figure: &'f Panels, panels: &[&'f Panel], reference: Option<f64>) -> Self {
        let lines = || panels.iter().flat_map(|panel| &panel.lines);
        let points = || lines().flat_map(|line| &line.points);
        let edges = || {
            lines()
                .flat_map(|line| &line.band)
                .flat_map(|&(low, high)| [low, high])
        };
        let values = || points().map(|p| p.1).chain(edges()).chain(reference);
        let largest = |values: &mut dyn Iterator<Item = f64>| {
            values.filter(|v| v.is_finite()).fold(f64::MIN_POSITIVE, f64::max)
        };
        let floor = (
            largest(&mut points().map(|p| p.0)) * 1e-12,
            largest(&mut values()) * 1e-6,
        );
        let mut frame = Self {
            figure,
            reference,
            x: 0.0..1.0,
            y: 0.0..1.0,
            floor,
            left: 0.0,
        };
        frame.x = range(points().map(|p| frame.across(p.0)));
        if !figure.places.is_empty() {
            frame.x = -0.5..figure.places.len() as f64 - 0.5;
        }
        frame.y = if panels.iter().any(|panel| panel.is_share) {
            range([0.0, 1.0])
        } else {
            range(values().map(|v| frame.upwards(v)))
        };
        let shown: Vec<String> = frame.y_ticks().into_iter().map(|y| frame.y_tick(y)).collect();
        frame.left = room(shown.iter().map(String::as_str), 150.0).max(60.0) + 62.0;
        frame
    }

    fn across(&self, x: f64) -> f64 {
        match self.figure.x_scale {
            Scale::Linear => x,
            Scale::Log => libm::log10(x.max(self.floor.0)),
        }
    }

    fn upwards(&self, y: f64) -> f64 {
        match self.figure.y_scale {
            Scale::Linear => y,
            // NaN stays NaN: `max` would make a number of it.
            Scale::Log if y.is_nan() => y,
            Scale::Log => libm::log10(y.max(self.floor.1)),
        }
    }

    fn y_ticks(&self) -> Vec<f64> {
        match self.figure.y_scale {
            Scale::Linear => ticks(&self.y, 6),
            Scale::Log => power_ticks(&self.y, 9),
        }
    }

    fn y_tick(&self, y: f64) -> String {
        match self.figure.y_scale {
            Scale::Linear => plain(y),
            Scale::Log => power(y),
        }
    }

    fn x_tick(&self, x: f64) -> String {
        if !self.figure.places.is_empty() {
            return String::new();
        }
        match self.figure.x_scale {
            Scale::Linear => plain(x),
            Scale::Log => power(x),
        }
    }

    fn panel(&self, area: &Area<'_>, panel: &Panel) -> Drawn {
        let width = f64::from(area.dim_in_pixel().0);
        let places = &self.figure.places;
        let most = ((width - self.left) / 110.0) as usize;
        let mut chart = axes(
            area,
            &Axes {
                title: &panel.title,
                x: self.x.clone(),
                y: self.y.clone(),
                x_label: if places.is_empty() {
                    &self.figure.x_label
                } else {
                    ""
                },
                y_label: if panel.is_share { "" } else { &self.figure.y_label },
                x_ticks: match self.figure.x_scale {
                    _ if !places.is_empty() => (0..places.len()).map(|i| i as f64).collect(),
                    Scale::Linear => ticks(&self.x, most),
                    Scale::Log => power_ticks(&self.x, most),
                },
                y_ticks: self.y_ticks(),
                x_tick: &|x| self.x_tick(x),
                y_tick: &|y| self.y_tick(y),
                left: self.left,
                bottom: if places.is_empty() {
                    84.0
                } else {
                    place_room(places)
                },
            },
        )?;
        if let Some(value) = self.reference {
            let y = self.upwards(value);
            let ends = [(self.x.start, y), (self.x.end, y)];
            chart.draw_series(DashedLineSeries::new(ends, 10, 10, INK.stroke_width(3)))?;
        }
        for line in &panel.lines {
            self.line(&mut chart, line)?;
        }
        self.places(area, &chart)
    }

    /// The names of the places under the axis, turned upwards.
    fn places(&self, area: &Area<'_>, chart: &Chart<'_>) -> Drawn {
        let many = self.figure.places.len().div_ceil(26).max(1);
        let style = text(QUIET, HPos::Right, VPos::Center);
        let style = style.transform(FontTransform::Rotate270);
        let origin = area.get_base_pixel();
        for (i, name) in self.figure.places.iter().enumerate().step_by(many) {
            let (x, y) = chart.backend_coord(&(i as f64, self.y.start));
            area.draw(&Text::new(
                fitted(name, 220.0),
                (x - origin.0, y - origin.1 + 14),
                style.clone(),
            ))?;
        }
        Ok(())
    }

    fn line(&self, chart: &mut Chart<'_>, line: &Line) -> Drawn {
        let ink = if line.is_quiet { QUIET } else { colour(line.style) };
        let place = |x: f64, y: f64| (self.across(x), self.upwards(y));
        let finite = |y: &f64| y.is_finite();
        let edges = line.points.iter().zip(&line.band);
        let edges: Vec<_> = edges
            .filter(|(_, band)| finite(&band.0) && finite(&band.1))
            .collect();
        if line.has_bars {
            for ((x, _), (low, high)) in edges {
                let ends = [place(*x, *low), place(*x, *high)];
                chart.draw_series(LineSeries::new(ends, ink.stroke_width(3)))?;
            }
        } else if !edges.is_empty() {
            let upper = edges.iter().map(|((x, _), band)| place(*x, band.1));
            let lower = edges.iter().rev().map(|((x, _), band)| place(*x, band.0));
            let outline: Vec<_> = upper.chain(lower).collect();
            chart.draw_series([Polygon::new(
                outline,
                ink.mix(if line.is_quiet { 0.15 } else { 0.22 }),
            )])?;
        }
        let points: Vec<_> = line
            .points
            .iter()
            .filter(|p| finite(&p.1))
            .map(|&(x, y)| place(x, y))
            .collect();
        if line.is_dashed {
            chart.draw_series(DashedLineSeries::new(points.clone(), 14, 8, ink.stroke_width(3)))?;
        } else {
            chart.draw_series(LineSeries::new(points.clone(), ink.stroke_width(4)))?;
        }
        if !line.is_quiet {
            let every = points.len().div_ceil(7).max(1);
            for point in points.iter().skip(line.style % every).step_by(every) {
                mark(chart.plotting_area(), line.style, *point)?;
            }
        }
        Ok(())
    }
}

/// Draws a marker, one of eight shapes, so that lines of one panel differ in grey as well.
fn mark<C: CoordTranslate>(area: &DrawingArea<SVGBackend<'_>, C>, style: usize, at: C::From) -> Drawn
where
    C::From: Clone,
{
    let ink = colour(style);
    let outline = |corners: &[(i32, i32)]| {
        EmptyElement::at(at.clone()) + PathElement::new(corners.to_vec(), ink.stroke_width(4))
    };
    match style % 8 {
        0 => area.draw(&Circle::new(at, 7, ink.filled())),
        1 => area.draw(&TriangleMarker::new(at, 10, ink.filled())),
        2 => area.draw(&Cross::new(at, 8, ink.stroke_width(4))),
        3 => area.draw(&Circle::new(at, 8, ink.stroke_width(4))),
        4 => area.draw(&outline(&[(-7, -7), (7, -7), (7, 7), (-7, 7), (-7, -9)])),
        5 => area.draw(&outline(&[(0, -11), (11, 0), (0, 11), (-11, 0), (1, -12)])),
        6 => area.draw(&outline(&[(-10, 0), (10, 0), (0, 0), (0, -10), (0, 10)])),
        _ => area.draw(&outline(&[(-10, 8), (10, 8), (0, -10), (-11, 9)])),
    }
}

/// One line of each name, in the order in which they are met.
fn legend(figure: &Panels) -> Vec<&Line> {
    let mut names: Vec<&Line> = Vec::new();
    for line in figure.panels.iter().flat_map(|panel| &panel.lines) {
        if !names.iter().any(|known| known.name == line.name) {
            names.push(line);
        }
    }
    names
}

fn draw_legend(area: &Area<'_>, names: &[&Line]) -> Drawn {
    let width = f64::from(area.dim_in_pixel().0);
    for (y, line) in (60_i32..).step_by(40).zip(names) {
        let ink = if line.is_quiet { QUIET } else { colour(line.style) };
        let step = if line.is_dashed { 20 } else { 60 };
        for x in (4..64).step_by(step) {
            let end = (x + if line.is_dashed { 12 } else { 60 }).min(64);
            area.draw(&PathElement::new(vec![(x, y), (end, y)], ink.stroke_width(4)))?;
        }
        if !line.is_quiet {
            mark(area, line.style, (34, y))?;
        }
        let style = text(INK, HPos::Left, VPos::Center);
        area.draw(&Text::new(
            fitted(&line.name, width - 90.0),
            (80, y + (TEXT / 12.0) as i32),
            style,
        ))?;
    }
    Ok(())
}
