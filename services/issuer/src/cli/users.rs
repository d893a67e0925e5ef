//! People, from the command line.

mod consents;
mod import;
mod password;
mod prompt;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use claviger_oauth::ClientId;
use claviger_store::{NewUser, Profile, Store, StoreError, User, UserChange, UserOutcome, Username};
use comfy_table::{Table, presets::NOTHING};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use self::password::{Chosen, PasswordSource};
use super::words::{names, time};
use crate::{
    actor::Actor,
    config::Config,
    expiry::last_expiry,
    people::{PasswordRules, first_administrator, new_user_id, office, profile},
};

/// People per page of a list.
const PAGE: u32 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum Users {
    /// Add somebody, with a password that is made up and shown once if nothing else is said.
    Add {
        /// The name to log in with.
        username: Username,
        #[command(flatten)]
        password: PasswordSource,
        /// Somebody who has no password, and cannot log in until one is set.
        #[arg(long, conflicts_with_all = ["password_stdin", "prompt"])]
        no_password: bool,
        #[command(flatten)]
        told: Told,
    },
    /// Show everybody: whether they can log in, what they are, when they last did.
    List,
    /// Change what clients are told of somebody. What is not said stays; roles, groups and claims that are said take the place
    /// of all there were.
    Change {
        /// The name to log in with.
        username: Username,
        #[command(flatten)]
        told: Told,
    },
    /// Keep somebody out: all that they are signed in to ends, and verifiers learn it within seconds.
    Disable {
        /// The name to log in with.
        username: Username,
    },
    /// Let somebody in again. A lock-out by wrong guesses ends as well.
    Enable {
        /// The name to log in with.
        username: Username,
    },
    /// Give somebody another password. All that they are signed in to ends, and so does a lock-out by wrong guesses.
    SetPassword {
        /// The name to log in with.
        username: Username,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Show what somebody has allowed applications that are not of the house.
    Consents {
        /// The name to log in with.
        username: Username,
    },
    /// Take back what somebody has allowed an application: its refresh tokens end, and it has to ask again.
    Withdraw {
        /// The name to log in with.
        username: Username,
        /// The application.
        client: ClientId,
    },
    /// Bring people from elsewhere: all of a file, or nobody.
    ///
    /// Hashes of passwords come along and are replaced when their owners first log in: argon2, scrypt, bcrypt,
    /// `pbkdf2_sha256` and `bcrypt_sha256` as Django writes them, scrypt and pbkdf2:sha256 as Werkzeug (Flask) does.
    Import(import::Import),
    /// Print a link with which the first administrator chooses a name and a password. It works once.
    FirstAdministrator {
        /// How long the link can be used: 15 to 60 minutes.
        #[arg(long, default_value = "30m")]
        valid_for: humantime::Duration,
    },
}

/// What clients are told of somebody.
#[derive(Debug, Args)]
pub(super) struct Told {
    /// The full name: the claim `name`.
    #[arg(long)]
    name: Option<String>,
    /// The address for mail: the claim `email`.
    #[arg(long)]
    email: Option<String>,
    /// Another claim, as NAME=VALUE; the value is JSON, or else a text.
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    claims: Vec<String>,
    /// What they are. May be given more than once.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// Where they belong. May be given more than once.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
}

impl Users {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<()> {
        let store = super::store(config).await?;
        match self {
            Self::Add { username, password, no_password, told } => {
                let source = (!no_password).then_some(password);
                add(config, &store, username, source, told).await
            }
            Self::List => list(&store).await,
            Self::Change { username, told } => {
                let user = found(&store, &username).await?;
                let profile = told.over(user.profile.clone())?;
                let change = UserChange { profile: Some(&profile), ..UserChange::default() };
                apply(config, &store, &user, change).await?;
                println!("changed {username}");
                Ok(())
            }
            Self::Disable { username } => set_disabled(config, &store, &username, true).await,
            Self::Enable { username } => set_disabled(config, &store, &username, false).await,
            Self::SetPassword { username, password } => {
                let user = found(&store, &username).await?;
                let Chosen { hash, shown } =
                    password.choose(&rules(config), (&user.username, &user.profile))?;
                let change = UserChange { password: Some(&hash), ..UserChange::default() };
                apply(config, &store, &user, change).await?;
                show(&username, shown.as_ref());
                println!("{username} has another password and is signed out everywhere");
                Ok(())
            }
            Self::Consents { username } => consents::list(&store, &username).await,
            Self::Withdraw { username, client } => consents::withdraw(&store, &username, &client).await,
            Self::Import(import) => import.run(&store).await,
            Self::FirstAdministrator { valid_for } => {
                let offer =
                    first_administrator::offer(&store, &config.issuer, *valid_for, &Actor::operator())
                        .await?;
                println!("{}", offer.url.expose_secret());
                println!(
                    "works once, until {}; whoever has it becomes administrator",
                    time(offer.expires_at)
                );
                Ok(())
            }
        }
    }
}

async fn add(
    config: &Config,
    store: &Store,
    username: Username,
    source: Option<PasswordSource>,
    told: Told,
) -> anyhow::Result<()> {
    let profile = told.over(Profile::default())?;
    // Nobody is asked for a password in vain.
    if store.user_by_name(&username).await?.is_some() {
        return Err(StoreError::UserExists(username).into());
    }
    let chosen = source.map(|source| source.choose(&rules(config), (&username, &profile))).transpose()?;
    let (password_hash, shown) = chosen.map_or((None, None), |chosen| (Some(chosen.hash), chosen.shown));
    let new = NewUser { id: new_user_id(), username, password_hash, disabled: false, profile };
    store.add_user(&new, &[office::added(&Actor::operator(), &new)]).await?;
    println!("added {} as user:{}", new.username, new.id);
    show(&new.username, shown.as_ref());
    Ok(())
}

async fn list(store: &Store) -> anyhow::Result<()> {
    let mut table = Table::new();
    let columns = ["username", "subject", "can log in", "roles", "groups", "last log-in"];
    table.load_style(NOTHING).set_header(columns);
    let mut after = None;
    loop {
        let page = store.users(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.username.clone());
        for user in page {
            table.add_row([
                user.username.to_string(),
                format!("user:{}", user.id),
                can_log_in(&user).to_owned(),
                names(user.profile.roles.iter().map(String::as_str)),
                names(user.profile.groups.iter().map(String::as_str)),
                user.last_login_at.map_or_else(|| "never".to_owned(), |at| time(at).to_string()),
            ]);
        }
    }
    println!("{table}");
    Ok(())
}

fn can_log_in(user: &User) -> &'static str {
    match (user.disabled, &user.password_hash) {
        (true, _) => "disabled",
        (false, None) => "no password",
        (false, Some(_)) => "yes",
    }
}

async fn set_disabled(
    config: &Config,
    store: &Store,
    username: &Username,
    disabled: bool,
) -> anyhow::Result<()> {
    let user = found(store, username).await?;
    let change = UserChange { disabled: Some(disabled), ..UserChange::default() };
    apply(config, store, &user, change).await?;
    if disabled {
        println!("{username} is disabled and signed out everywhere");
    } else {
        println!("{username} is enabled");
    }
    Ok(())
}

/// Changes somebody who is still as they were found.
async fn apply(config: &Config, store: &Store, user: &User, change: UserChange<'_>) -> anyhow::Result<()> {
    let until = last_expiry(store.now().await?, config.policy.lifetimes().skew);
    let acts = [office::changed(&Actor::operator(), user, &change)];
    match store.change_user(&user.id, Some(&user.tag()), change, until, &acts).await? {
        UserOutcome::Applied => Ok(()),
        UserOutcome::Changed | UserOutcome::Unknown => {
            bail!("somebody else changed {} at the same time; nothing was changed: try again", user.username)
        }
    }
}

async fn found(store: &Store, username: &Username) -> anyhow::Result<User> {
    let found = store.user_by_name(username).await?;
    found.with_context(|| format!("there is nobody of the name {username}"))
}

fn rules(config: &Config) -> PasswordRules {
    let names = [config.brand.name.as_str().to_owned(), config.issuer.as_str().to_owned()];
    PasswordRules::new(config.sign_in.password_min, names)
}

fn show(username: &Username, password: Option<&secrecy::SecretString>) {
    if let Some(password) = password {
        println!("password of {username} (shown only now): {}", password.expose_secret());
    }
}

impl Told {
    /// What was said over what there was.
    fn over(self, before: Profile) -> anyhow::Result<Profile> {
        let Self { name, email, claims, roles, groups } = self;
        let mut told = if claims.is_empty() { before.claims } else { Map::new() };
        for claim in claims {
            let (name, value) = claim.split_once('=').context("a claim is given as NAME=VALUE")?;
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
            told.insert(name.to_owned(), value);
        }
        for (claim, value) in [("name", name), ("email", email)] {
            if let Some(value) = value {
                told.insert(claim.to_owned(), value.into());
            }
        }
        let roles = if roles.is_empty() { before.roles } else { roles };
        let groups = if groups.is_empty() { before.groups } else { groups };
        profile::checked(told, roles, groups).map_err(|wrong| anyhow::anyhow!(wrong.join("\n")))
    }
}
