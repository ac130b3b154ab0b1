//! `cargo xtask measure URL`: holds what the simulator believes of caches against a real deployment. It writes a file of
//! figures, which `docs/measuring.md` explains. Its streams are deleted at the end, whatever came of it.
//!
//! | module | noun |
//! | --- | --- |
//! | `site` | the deployment, and the streams that were created there |
//! | `caches` | what is seen of caches: visibility, nodes, locks |
//! | `delivery` | a writer and readers that wait: times, and HITs |
//! | `figures` | the file of figures |

mod caches;
mod delivery;
mod figures;
mod site;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use xtask::project::{Project, write};

use figures::Figures;
pub(crate) use figures::NAMES;
use site::Site;

/// Options of `cargo xtask measure`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The deployment: https://HOST, or https://HOST/v1/stream/PROJECT where streams have projects
    url: String,
    /// A token that may create, write, read and delete streams
    #[arg(long)]
    token: Option<String>,
    /// How many readers wait together
    #[arg(long, default_value_t = 20)]
    readers: usize,
    /// For how long messages are written
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Where the figures go, besides the screen
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Args {
    /// Options for a short run against a server.
    pub(crate) fn brief(url: String, out: PathBuf) -> Self {
        Self { url, token: None, readers: 5, seconds: 3, out: Some(out) }
    }
}

/// Measures a deployment, prints what was seen, and writes it to the file.
pub(crate) fn run(project: &Project, args: &Args) -> Result<()> {
    ensure!(args.readers > 0 && args.seconds > 0, "there must be a reader, and a second");
    let figures = measured(&Site::open(project, &args.url, args.token.as_deref())?, args)?;
    print!("{figures}");
    match &args.out {
        Some(out) => write(out, figures.to_string()),
        None => Ok(()),
    }
}

/// What was seen; afterwards the streams are deleted, whatever came of it.
fn measured(site: &Site, args: &Args) -> Result<Figures> {
    let figures = see(site, args);
    let deleted = site.delete();
    let figures = figures?;
    deleted.context("everything was measured, but not all streams are deleted")?;
    Ok(figures)
}

fn see(site: &Site, args: &Args) -> Result<Figures> {
    let mut figures = Figures::default();
    caches::measure(site, &mut figures)?;
    delivery::measure(site, args.readers, args.seconds, &mut figures)?;
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc::{Sender, channel};
    use std::thread;

    use xtask::http::Wire;

    use super::*;

    /// Serves a connection of a server that creates and deletes, and fails at everything else.
    fn serve(stream: TcpStream, asked: &Sender<(String, Option<String>)>) -> Result<()> {
        let mut wire = Wire::new(stream, None)?;
        while let Some(head) = wire.head()? {
            wire.body(&head)?;
            let line = head.first().trim_end_matches(" HTTP/1.1").to_owned();
            let answer = match line.split(' ').next() {
                Some("PUT") => "201 Created",
                Some("DELETE") => "204 No Content",
                _ => "500 Internal Server Error",
            };
            asked.send((line, head.field("authorization").map(str::to_owned)))?;
            wire.write(format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").as_bytes())?;
        }
        Ok(())
    }

    #[test]
    fn streams_are_deleted_after_a_failure_too() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, told) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let asked = asked.clone();
                thread::spawn(move || serve(stream.unwrap(), &asked));
            }
        });
        let args = Args { token: Some("t".to_owned()), ..Args::brief(url.clone(), PathBuf::new()) };
        let site = Site::open(&Project::find().unwrap(), &url, Some("t")).unwrap();
        let error = measured(&site, &args).unwrap_err();
        assert!(error.to_string().contains("was answered 500"), "{error:#}");
        let asked: Vec<_> = told.try_iter().collect();
        assert!(asked.iter().all(|(_, token)| token.as_deref() == Some("Bearer t")), "{asked:?}");
        let of = |method: &str| -> Vec<String> {
            asked.iter().filter_map(|(line, _)| line.strip_prefix(method).map(str::to_owned)).collect()
        };
        assert_eq!(of("PUT ").len(), 1);
        assert_eq!(of("PUT "), of("DELETE "));
    }
}
