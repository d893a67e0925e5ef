use std::{
    collections::HashSet,
    fs::File,
    io::Read,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, ensure};
use clap::Args;
use claviger_store::{Act, NewUser, Store, Username};

use crate::{
    actor::Actor,
    cli::progress::Progress,
    declared::{Mistake, Mistakes},
    people::{
        import::{Format, parse},
        office,
    },
};

/// A file is read as a whole.
const MOST: u64 = 512 * 1024 * 1024;

#[derive(Debug, Args)]
pub(in crate::cli) struct Import {
    /// The file.
    file: PathBuf,
    /// How it is written; if that is not said, its first character tells.
    #[arg(long)]
    format: Option<Format>,
    /// Look for mistakes, and import nobody.
    #[arg(long)]
    dry_run: bool,
}

impl Import {
    pub(super) async fn run(self, store: &Store) -> anyhow::Result<()> {
        let name = self.file.display().to_string();
        let mut text = String::new();
        let file = File::open(&self.file).with_context(|| name.clone())?;
        let read = file.take(MOST + 1).read_to_string(&mut text).with_context(|| name.clone())?;
        ensure!(read as u64 <= MOST, "{name}: longer than 512 MiB: import it in parts");
        let format = self.format.unwrap_or_else(|| Format::of(&text));
        let people = parse(&name, &text, format)?;
        let names: Vec<Username> = people.iter().map(|(_, new)| new.username.clone()).collect();
        let taken: HashSet<Username> = store.taken_names(&names).await?.into_iter().collect();
        let (lines, people): (Vec<u64>, Vec<NewUser>) = people.into_iter().unzip();
        let mistakes = lines.iter().zip(&names).filter(|(_, name)| taken.contains(*name));
        let mistakes = mistakes.map(|(line, username)| Mistake {
            place: format!("{name}:{line}"),
            message: format!("there is somebody of the name {username} already"),
        });
        let mistakes: Vec<Mistake> = mistakes.collect();
        if !mistakes.is_empty() {
            return Err(Mistakes(mistakes).into());
        }
        if self.dry_run {
            println!("{} people; nobody was imported (--dry-run)", people.len());
            return Ok(());
        }
        let actor = Actor::operator();
        let acts: Vec<Act> = people.iter().map(|new| office::added(&actor, new)).collect();
        let progress = Mutex::new(Progress::new("importing"));
        let show = |written| {
            let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
            progress.show(written, people.len(), "");
        };
        store.add_users(&people, &acts, show).await?;
        drop(progress);
        println!("{} people were imported", people.len());
        Ok(())
    }
}
