use std::path::Path;

use anyhow::anyhow;
use plotters::prelude::{
    ChartBuilder, Color, IntoDrawingArea, LineSeries, Palette, Palette99, SVGBackend, WHITE,
};

/// A line of a plot: its name, and its points.
pub(crate) type Line = (String, Vec<(f64, f64)>);

/// Draws lines over seconds.
pub(crate) fn draw(path: &Path, title: &str, values: &str, lines: &[Line]) -> anyhow::Result<()> {
    let fault = |error: &dyn std::fmt::Display| anyhow!("{}: {error}", path.display());
    let area = SVGBackend::new(path, (900, 420)).into_drawing_area();
    area.fill(&WHITE).map_err(|error| fault(&error))?;
    let points = || lines.iter().flat_map(|(_, points)| points);
    let right = points().map(|(x, _)| *x).fold(1.0, f64::max);
    let top = points().map(|(_, y)| *y).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..right, 0.0..top * 1.05)
        .map_err(|error| fault(&error))?;
    chart.configure_mesh().x_desc("seconds").y_desc(values).draw().map_err(|error| fault(&error))?;
    for (number, (name, points)) in lines.iter().enumerate() {
        let colour = Palette99::pick(number).to_rgba();
        let drawn = chart
            .draw_series(LineSeries::new(points.iter().copied(), colour))
            .map_err(|error| fault(&error))?;
        drawn
            .label(name)
            .legend(move |(x, y)| plotters::prelude::PathElement::new([(x, y), (x + 16, y)], colour));
    }
    chart
        .configure_series_labels()
        .border_style(plotters::prelude::BLACK)
        .draw()
        .map_err(|error| fault(&error))?;
    area.present().map_err(|error| fault(&error))
}

/// The share of values, in percent, that are no greater, at each of them.
pub(crate) fn shares(values: impl IntoIterator<Item = std::time::Duration>) -> Vec<(f64, f64)> {
    let mut values: Vec<f64> = values.into_iter().map(|value| value.as_secs_f64()).collect();
    values.sort_by(f64::total_cmp);
    let all = values.len();
    let share = |place: usize| {
        100.0 * f64::from(u32::try_from(place).unwrap_or(0)) / f64::from(u32::try_from(all).unwrap_or(1))
    };
    values
        .iter()
        .enumerate()
        .flat_map(|(place, value)| [(*value, share(place)), (*value, share(place + 1))])
        .collect()
}
