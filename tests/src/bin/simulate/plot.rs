//! Lines in a coordinate system, as SVG.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 60.0;
const BOTTOM: f64 = 50.0;
const TOP: f64 = 40.0;
const RIGHT: f64 = 200.0;
/// Told apart by who cannot tell red from green as well (Okabe and Ito).
const COLOURS: [&str; 8] =
    ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#000000", "#999999"];

/// A line and its name.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Shares of one over seconds, which are drawn in powers of ten: they span from a poll to a day.
pub(crate) fn shares_over_time(title: &str, lines: &[Line]) -> String {
    let longest = lines.iter().flat_map(|line| &line.points).map(|point| point.0).fold(10.0, f64::max);
    let decades = longest.log10().ceil();
    let x = |seconds: f64| LEFT + (WIDTH - LEFT - RIGHT) * (seconds.max(0.1).log10() + 1.0) / (decades + 1.0);
    let y = |share: f64| HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{title}</text>\n"
    );
    let mut seconds = 0.1;
    while seconds <= 10_f64.powf(decades) * 1.001 {
        let at = x(seconds);
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{:.1}\" stroke=\"#dddddd\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            y(0.0),
            HEIGHT - BOTTOM + 18.0,
            label(seconds)
        );
        seconds *= 10.0;
    }
    for quarter in 0..=4_u8 {
        let share = f64::from(quarter) / 4.0;
        let at = y(share);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.0} %</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            at + 4.0,
            share * 100.0
        );
    }
    for ((place, line), colour) in lines.iter().enumerate().zip(COLOURS.iter().cycle()) {
        let mut path = String::new();
        for (seconds, share) in &line.points {
            let _ = write!(path, "{:.1},{:.1} ", x(*seconds), y(*share));
        }
        let row = TOP + 14.0 + 18.0 * f64::from(u8::try_from(place).unwrap_or(u8::MAX));
        let _ = writeln!(
            svg,
            "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <text x=\"{:.1}\" y=\"{row:.1}\" fill=\"{colour}\">{}</text>",
            WIDTH - RIGHT + 10.0,
            line.name
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn label(seconds: f64) -> String {
    if seconds < 5000.0 { format!("{seconds} s") } else { format!("{:.1} h", seconds / 3600.0) }
}
