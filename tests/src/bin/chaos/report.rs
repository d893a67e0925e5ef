use std::{fmt::Write, fs, path::Path};

use anyhow::bail;
use comfy_table::{Table, presets::ASCII_MARKDOWN};

use crate::{Run, figure::Figure, scenario::Scenario};

/// What all scenarios have come to.
pub(crate) struct Report {
    run: Run,
    table: Table,
    details: String,
    missed: usize,
}

impl Report {
    pub(crate) fn new(run: &Run) -> Self {
        let mut table = Table::new();
        table.load_style(ASCII_MARKDOWN).set_header(["fault", "figure", "found", "limit", ""]);
        Self { run: run.clone(), table, details: String::new(), missed: 0 }
    }

    /// A scenario that breaks off is one that was missed.
    pub(crate) fn add(&mut self, scenario: &Scenario, outcome: anyhow::Result<Vec<Figure>>) {
        let name = scenario.name;
        match outcome {
            Ok(figures) => {
                let stretch = self.run.stretch;
                for figure in figures {
                    self.note(name, &figure.stretched(stretch));
                }
            }
            Err(error) => {
                self.missed += 1;
                self.table.add_row([name, scenario.what, "broke off", "", "MISSED"]);
                let _ = writeln!(self.details, "{name} broke off: {error:#}");
                println!("  broke off: {error:#}");
            }
        }
    }

    fn note(&mut self, name: &str, figure: &Figure) {
        let cells = figure.cells();
        println!("  {}", cells.join(" | "));
        self.table.add_row(std::iter::once(name.to_owned()).chain(cells));
        if figure.holds() {
            return;
        }
        self.missed += 1;
        for detail in &figure.detail {
            println!("    {detail}");
            let _ = writeln!(self.details, "{name} {}: {detail}", figure.what);
        }
    }

    /// Prints the table and writes the report.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        let Self { run, table, details, missed } = self;
        let length = run.either("short", "long");
        let path = run.out.join("report.md");
        let plots = plots(&run)?;
        fs::write(&path, format!("# Chaos, seed {}, {length}\n\n{table}\n\n{details}\n{plots}", run.seed))?;
        println!("\n{table}\n\nseed {}; written to {}", run.seed, path.display());
        if missed > 0 {
            bail!("{missed} figures missed their limit; `--seed {}` draws the same faults", run.seed);
        }
        Ok(())
    }
}

fn plots(run: &Run) -> anyhow::Result<String> {
    let mut names: Vec<_> = fs::read_dir(&run.out)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "svg"))
        .collect();
    names.sort();
    let links: Vec<_> = names.iter().map(|name| format!("![{name}]({name})")).collect();
    Ok(links.join("\n"))
}
