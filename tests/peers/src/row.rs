use std::fmt;

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

use crate::count::Allocations;

/// How to read the table.
pub(crate) const LEGEND: &str = "\
ours, peer: nanoseconds, the median of the runs. ratio: peer / ours, the median of the runs; above 1 ours is faster.
allocations: per verification, growing included, ours / peer; through axum, with those of request and answer.";

/// One run's medians, in nanoseconds.
pub(crate) struct Run {
    pub(crate) ours: f64,
    pub(crate) peer: f64,
}

/// What a row is measured against: reached by the medians, or not.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// At least this ratio.
    Ratio(f64),
    /// At most so many allocations of ours.
    Allocations(f64),
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ratio(least) => write!(f, "ratio ≥ {least}"),
            Self::Allocations(most) => write!(f, "allocations ≤ {most}"),
        }
    }
}

/// One line of the table.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) goals: Vec<Goal>,
    pub(crate) measured: Result<Vec<Run>, &'static str>,
    pub(crate) allocations: Option<Allocations>,
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let goals = self.goals.iter().map(Goal::to_string).collect::<Vec<_>>().join(", ");
        let mut cells = vec![self.name.clone(), goals];
        match &self.measured {
            Ok(runs) => cells.extend(self.figures(runs)),
            Err(reason) => {
                cells.resize(7, String::new());
                cells.push(format!("SKIPPED: {reason}"));
            }
        }
        cells
    }

    fn figures(&self, runs: &[Run]) -> [String; 6] {
        let of = |figure: fn(&Run) -> f64| runs.iter().map(figure).collect::<Vec<_>>();
        let ratios = of(|run| run.peer / run.ours);
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        let ratio = median(ratios);
        let met = self.goals.iter().map(|goal| match goal {
            Goal::Ratio(least) => ratio >= *least,
            Goal::Allocations(most) => self.allocations.as_ref().is_some_and(|counted| counted.ours <= *most),
        });
        let verdict = match met.reduce(|all, one| all && one) {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        [
            format!("{:.0}", median(of(|run| run.ours))),
            format!("{:.0}", median(of(|run| run.peer))),
            format!("{ratio:.2}"),
            format!("{least:.2}..{most:.2}"),
            self.allocations
                .as_ref()
                .map_or_else(String::new, |counted| format!("{} / {}", counted.ours, counted.peer)),
            verdict.to_owned(),
        ]
    }
}

/// The middle of some values; of an even number, the upper one of the two.
pub(crate) fn median(values: Vec<f64>) -> f64 {
    quantile(values, 0.5)
}

/// The value below which this share of the values lies.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index far below 2^52 is multiplied by a share from 0 to 1"
)]
pub(crate) fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    let at = (values.len() as f64 * share) as usize;
    if at < values.len() { *values.select_nth_unstable_by(at, f64::total_cmp).1 } else { f64::NAN }
}

pub(crate) fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header(["row", "goal", "ours ns", "peer ns", "ratio", "spread", "allocations", ""]);
    table.add_rows(rows.iter().map(Row::cells));
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(goals: &[Goal], measured: Result<&[(f64, f64)], &'static str>) -> String {
        let run = |&(ours, peer): &(f64, f64)| Run { ours, peer };
        let measured = measured.map(|runs| runs.iter().map(run).collect());
        let allocations = Some(Allocations { ours: 7.0, peer: 16.5 });
        Row { name: "a".to_owned(), goals: goals.to_vec(), measured, allocations }.cells().join("|")
    }

    #[test]
    fn a_row_shows_the_median_ratio_and_its_spread() {
        let runs = [(10.0, 20.0), (10.0, 30.0), (20.0, 20.0)];
        assert_eq!(row(&[], Ok(&runs)), "a||10|20|2.00|1.00..3.00|7 / 16.5|");
    }

    #[test]
    fn goals_are_met_together_or_missed() {
        let verdict = |goals: &[Goal]| row(goals, Ok(&[(10.0, 20.0)])).rsplit('|').next().map(str::to_owned);
        assert_eq!(verdict(&[Goal::Ratio(2.0), Goal::Allocations(7.0)]).as_deref(), Some("met"));
        assert_eq!(verdict(&[Goal::Ratio(2.1), Goal::Allocations(7.0)]).as_deref(), Some("MISSED"));
        assert_eq!(verdict(&[Goal::Ratio(2.0), Goal::Allocations(6.0)]).as_deref(), Some("MISSED"));
    }

    #[test]
    fn who_cannot_compete_says_why() {
        assert_eq!(row(&[], Err("no headers")), "a|||||||SKIPPED: no headers");
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values: Vec<f64> = (0..100).rev().map(f64::from).collect();
        assert_eq!((quantile(values.clone(), 0.99), median(values)), (99.0, 50.0));
        assert!(median(Vec::new()).is_nan());
    }
}
