//! The projects of a deployment that has several.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tailrace_core::protocol::path::check_project;

use crate::deployment::{Answer, Deployment};
use crate::keys::file_of;
use crate::moment::written;
use crate::secret_file::SecretFile;

/// What is done with projects. Who has the root key (TAILRACE_ROOT_KEY) may do all of it; who has a key of the project
/// (TAILRACE_KEYS), what concerns its keys and origins.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Creates a project, and writes its first key into a new file that only you can read
    Create(New),
    /// Removes a project. Its streams stay where they are, and nobody can read them
    Remove {
        /// Its name
        project: String,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Lists the projects. One that was created a moment ago may be missing
    List {
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Shows the keys of a project, without their secrets, and its origins
    Show {
        /// Its name
        project: String,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Keys of a project
    #[command(subcommand)]
    Key(Key),
    /// Says from which origins browsers may use a project, in place of those that were said before
    Origins {
        /// Its name
        project: String,
        /// As https://app.example.com, or * for all; none for none
        origins: Vec<String>,
        #[command(flatten)]
        deployment: Deployment,
    },
}

/// What is done with the keys of a project.
#[derive(clap::Subcommand)]
pub(crate) enum Key {
    /// Makes another key of a project, and writes it into a new file that only you can read. The others go on verifying
    Add(New),
    /// Removes a key of a project. Within two minutes nothing that it has signed is accepted any more, or within ten while KV
    /// does not answer
    Remove {
        /// The project's name
        project: String,
        /// The key's id
        id: String,
        #[command(flatten)]
        deployment: Deployment,
    },
}

/// A new key, and the project that gets it.
#[derive(clap::Args)]
pub(crate) struct New {
    /// The project's name: 1 to 64 of A-Z a-z 0-9 _ -
    project: String,
    /// The file; there is none yet. In a git repository it has to be ignored
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    deployment: Deployment,
}

impl New {
    /// Asks for it, and writes it into its file: its secret is told this once.
    fn make(&self, method: &str, route: &str) -> Result<()> {
        let Self { project, out, deployment } = self;
        let file = SecretFile::new(out)?;
        let Answer { status, body } =
            deployment.ask(method, project, &format!("{}{route}", path_of(project)?), None)?;
        if status == 200 {
            bail!("there is a project {project} already; `project key add` makes another key of it");
        }
        let (id, secret) = (text(&body["key"]["id"])?, text(&body["key"]["secret"])?);
        let usable_s = body["usableAt"].as_u64().context("the answer does not say when the key signs")?;
        let lost = || format!("the key {id} was made, and its secret is lost: remove it");
        file.write(&file_of(id, secret, usable_s)).with_context(lost)?;
        println!("the key {id} is in {}, and signs from {} on", out.display(), written(usable_s));
        Ok(())
    }
}

/// Does it.
pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Create(new) => new.make("PUT", ""),
        Command::Remove { project, deployment } => {
            deployment.ask("DELETE", project, &path_of(project)?, None)?;
            println!("the project {project} is removed");
            Ok(())
        }
        Command::List { deployment } => list(deployment),
        Command::Show { project, deployment } => {
            let Answer { body, .. } = deployment.ask("GET", project, &path_of(project)?, None)?;
            for key in body["keys"].as_array().into_iter().flatten() {
                let made = match key["createdAt"].as_u64() {
                    Some(0) | None => "before".to_owned(),
                    Some(at_s) => written(at_s),
                };
                println!("key     {} of {made}", text(&key["id"])?);
            }
            for origin in body["origins"].as_array().into_iter().flatten() {
                println!("origin  {}", text(origin)?);
            }
            Ok(())
        }
        Command::Key(Key::Add(new)) => new.make("POST", "/keys"),
        Command::Key(Key::Remove { project, id, deployment }) => {
            let is_id = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            if id.is_empty() || !id.bytes().all(is_id) {
                bail!("{id:?} is no id of a key");
            }
            deployment.ask("DELETE", project, &format!("{}/keys/{id}", path_of(project)?), None)?;
            println!("the key {id} of {project} is removed");
            Ok(())
        }
        Command::Origins { project, origins, deployment } => {
            let body = Value::from(origins.clone());
            deployment.ask("PUT", project, &format!("{}/origins", path_of(project)?), Some(&body))?;
            println!(
                "the project {project} is for {}",
                if origins.is_empty() { "no origin".to_owned() } else { origins.join(" ") }
            );
            Ok(())
        }
    }
}

fn path_of(project: &str) -> Result<String> {
    check_project(project).map_err(|refusal| anyhow::Error::msg(refusal.message.into_owned()))?;
    Ok(format!("/v1/projects/{project}"))
}

fn list(deployment: &Deployment) -> Result<()> {
    let mut cursor = None::<String>;
    loop {
        let path = match &cursor {
            Some(cursor) => format!("/v1/projects?cursor={}", encoded(cursor)),
            None => "/v1/projects".to_owned(),
        };
        let Answer { body, .. } = deployment.ask("GET", "", &path, None)?;
        for project in body["projects"].as_array().into_iter().flatten() {
            println!("{}", text(project)?);
        }
        match body["cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok(()),
        }
    }
}

/// A text as a URL has it: every byte that might mean something else, as its number.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().context("the answer is none of a deployment of Tailrace")
}
