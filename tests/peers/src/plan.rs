use clap::Parser;

/// How often, and what, to measure.
#[derive(Debug, Parser)]
#[command(name = "peers")]
pub(crate) struct Plan {
    /// Runs of each row; the table shows their median and spread.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Only the rows whose name contains this.
    filter: Option<String>,
}

impl Plan {
    /// Whether this row was asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.filter.as_deref().is_none_or(|filter| name.contains(filter))
    }

    /// The numbers of the runs, told to whoever waits.
    pub(crate) fn runs(&self, what: &str) -> std::ops::RangeInclusive<u32> {
        eprintln!("{what}: {} runs", self.runs);
        1..=self.runs
    }
}
