use crate::{
    Database, IssuerHome, Process,
    gate::{Address, Gate},
};

/// One process of an issuer.
#[derive(Debug)]
pub struct Replica {
    /// The process.
    pub process: Process,
    /// Its way to the database, if it is one of several.
    pub database: Option<Gate>,
}

impl Replica {
    /// Starts one, with more in its environment, and waits until it listens.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn start(
        home: &IssuerHome,
        database: &Database,
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let Database::Replicated(url) = database else {
            return Ok(Self { process: home.listen(environment).await?, database: None });
        };
        let gate = Gate::open(&[], false)?;
        let (server, url) = Address::postgres(url, gate.address())?;
        gate.admit(server);
        let environment = [environment, &[("CLAVIGER_DATABASE", url.as_str())]].concat();
        Ok(Self { process: home.listen(&environment).await?, database: Some(gate) })
    }

    /// The gate sends nobody here any more.
    ///
    /// # Errors
    /// If it has no address.
    pub fn leave(&self, home: &IssuerHome) -> anyhow::Result<()> {
        if let Some(gate) = home.gate() {
            gate.dismiss(&Address::http(self.process.url())?);
        }
        Ok(())
    }

    /// Ends the process as a power cut would.
    ///
    /// # Errors
    /// If the system refuses.
    pub async fn kill(self, home: &IssuerHome) -> anyhow::Result<()> {
        self.leave(home)?;
        self.process.kill().await
    }
}
