use std::{
    fs::File,
    io::{BufReader, Write},
};

use anyhow::Context;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;

use super::password::first_line;

/// Asks at the terminal, whatever standard input is, for a text that it does not show.
pub(super) fn hidden(question: &str) -> anyhow::Result<SecretString> {
    let terminal = File::options().read(true).write(true).open("/dev/tty");
    let terminal = terminal.context("there is no terminal to ask at: see --password-stdin")?;
    (&terminal).write_all(question.as_bytes())?;
    let silence = Silence::on(&terminal)?;
    let text = first_line(BufReader::new(silence.terminal));
    drop(silence);
    text
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silence<'t> {
    terminal: &'t File,
    before: Termios,
}

impl<'t> Silence<'t> {
    fn on(terminal: &'t File) -> anyhow::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        // The line's end is shown, so that the next line begins where it should.
        silent.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        // There is nothing else to try, and the shell sets its own.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}
