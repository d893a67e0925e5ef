use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

/// What a row compares.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Seconds per call; the figure is peer / ours.
    Cost,
    /// Calls per second; the figure is ours / peer.
    Rate,
    /// Seconds until an answer, under load and idle; the figure is how many times longer ours is.
    Delay,
    /// Bytes, without a peer; the figure is in MiB.
    Memory,
    /// Seconds, without a peer; the figure is in ms.
    Wait,
    /// A number, without a peer.
    Count,
}

/// One line of the table.
pub(crate) struct Row {
    name: &'static str,
    measure: Measure,
    goal: Option<f64>,
    ours: Vec<f64>,
    peer: Vec<f64>,
}

impl Row {
    pub(crate) fn new(name: &'static str, measure: Measure, goal: Option<f64>) -> Self {
        Self { name, measure, goal, ours: Vec::new(), peer: Vec::new() }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Adds a run: seconds, calls per second or bytes. Without a peer, `peer` is 1.
    pub(crate) fn add(&mut self, ours: f64, peer: f64) {
        self.ours.push(ours);
        self.peer.push(peer);
    }

    fn figures(&self) -> Vec<f64> {
        let figure = |(ours, peer): (&f64, &f64)| match self.measure {
            Measure::Cost => peer / ours,
            Measure::Rate | Measure::Delay => ours / peer,
            Measure::Memory => ours / (1024.0 * 1024.0),
            Measure::Wait => ours * 1e3,
            Measure::Count => *ours,
        };
        self.ours.iter().zip(&self.peer).map(figure).collect()
    }

    fn cells(&self) -> [String; 7] {
        let figures = self.figures();
        let (least, most) = figures
            .iter()
            .fold((f64::INFINITY, 0_f64), |(least, most), figure| (least.min(*figure), most.max(*figure)));
        let middle = median(figures);
        let more_is_better = matches!(self.measure, Measure::Cost | Measure::Rate);
        let sign = if more_is_better { "≥" } else { "≤" };
        let met = self.goal.map(|goal| if more_is_better { middle >= goal } else { middle <= goal });
        [
            self.name.to_owned(),
            self.goal.map_or_else(|| "-".to_owned(), |goal| format!("{sign} {}", self.figure(goal))),
            self.figure(middle),
            format!("{}..{}", self.figure(least), self.figure(most)),
            self.absolute(&self.ours),
            self.absolute(&self.peer),
            met.map_or("", |met| if met { "met" } else { "MISSED" }).to_owned(),
        ]
    }

    fn figure(&self, figure: f64) -> String {
        match self.measure {
            Measure::Cost | Measure::Rate => format!("{figure:.2}"),
            Measure::Delay => format!("{figure:.1}x"),
            Measure::Memory => format!("{figure:.1} MiB"),
            Measure::Wait => format!("{figure:.0} ms"),
            Measure::Count => format!("{figure:.0}"),
        }
    }

    fn absolute(&self, values: &[f64]) -> String {
        let value = median(values.to_vec());
        match self.measure {
            Measure::Cost | Measure::Delay => format!("{:.1} µs", value * 1e6),
            Measure::Rate => format!("{:.2} k/s", value / 1e3),
            Measure::Memory | Measure::Wait | Measure::Count => String::new(),
        }
    }
}

/// The middle of some values; of an even number, the upper one of the two.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(crate) fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header(["row", "goal", "median", "spread", "ours", "peer", ""]);
    table.add_rows(rows.iter().map(Row::cells));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
