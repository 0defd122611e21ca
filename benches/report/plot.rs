//! A plot of all goals: how far from its goal each figure is.

use crate::Row;
use std::fmt::Write;

const ROW: f64 = 26.0;
const LEFT: f64 = 360.0;
const WIDTH: f64 = 420.0;
/// From a hundredth of a goal to ten times as much.
const DECADES: [f64; 2] = [-2.0, 1.0];

/// A bar for each goal, on a logarithmic axis with the goals at 1.
pub fn svg(machine: &str, rows: &[Row]) -> String {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.goal.most.is_some()).collect();
    let height = ROW * (rows.len() as f64 + 3.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"8\" y=\"20\" font-weight=\"bold\">mote: measured, as a part of the goal</text>\n\
         <text x=\"8\" y=\"38\" fill=\"#555\">{}</text>\n",
        LEFT + WIDTH + 90.0,
        escaped(machine)
    );
    for (tick, label) in [(0.01, "1/100"), (0.1, "1/10"), (1.0, "the goal"), (10.0, "10 times")] {
        let (x, color) = (x(tick), if tick == 1.0 { "#000" } else { "#ccc" });
        let _ = writeln!(
            svg,
            "<line x1=\"{x}\" x2=\"{x}\" y1=\"60\" y2=\"{height}\" stroke=\"{color}\"/>\
             <text x=\"{x}\" y=\"56\" text-anchor=\"middle\" fill=\"#555\">{label}</text>"
        );
    }
    for (at, row) in rows.iter().enumerate() {
        let top = ROW * (at as f64 + 2.5);
        let (Some(figure), Some(most)) = (row.measured, row.goal.most) else { continue };
        // Of a goal of nothing: nothing, or far beyond.
        let ratio = match (figure.median, most) {
            (0.0, _) => 0.0,
            (_, 0.0) => f64::MAX,
            (median, most) => median / most,
        };
        let color = if ratio <= 1.0 { "#2a7" } else { "#c43" };
        let digits = row.goal.digits;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{top}\" width=\"{}\" height=\"{}\" fill=\"{color}\"/>\
             <text x=\"{}\" y=\"{}\">{:.digits$}{}</text>",
            LEFT - 8.0,
            top + 14.0,
            escaped(row.goal.what),
            x(ratio) - LEFT,
            ROW - 8.0,
            x(ratio) + 4.0,
            top + 14.0,
            figure.median,
            escaped(row.goal.unit)
        );
    }
    svg + "</svg>\n"
}

fn x(ratio: f64) -> f64 {
    let [low, high] = DECADES;
    LEFT + WIDTH * (ratio.log10().clamp(low, high) - low) / (high - low)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
