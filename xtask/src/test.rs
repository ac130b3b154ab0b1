//! `cargo xtask test`: everything that CI runs, as a list of steps. A step that fails does not stop those after it. The
//! table at the end shows the result and the duration of each.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use xtask::project::{Project, say};
use xtask::setup::node::Node;
use xtask::setup::rust::{Choice, WASM_TARGET, WasmRust};
use xtask::worker::{self, TOOLS, Variant, Worker};
use xtask::{process, setup};

use crate::{build, dependency, page, real, tidy};

/// Options of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only these steps, by name
    #[arg(value_name = "STEP")]
    steps: Vec<String>,
    /// Print the names of the steps and what each does
    #[arg(long)]
    list: bool,
}

/// A step: its name, what it does, and how.
struct Step {
    name: &'static str,
    about: &'static str,
    run: fn(&mut Machine) -> Result<Outcome>,
}

/// The result of a step that did not fail.
enum Outcome {
    Passed,
    /// The step could not run here, for this reason.
    Absent(&'static str),
}

/// All steps; those that fail quickly come first.
const STEPS: &[Step] = &[
    Step { name: "set-up", about: "compiler for wasm, Node, npm packages", run: set_up },
    Step { name: "format", about: "cargo fmt --check", run: format },
    Step { name: "tidy", about: "layers, words, sizes, links, manifests", run: tidy },
    Step { name: "dependencies", about: "licences, and crates in two versions", run: dependencies },
    Step { name: "lint", about: "clippy over everything native", run: lint },
    Step { name: "lint-worker", about: "clippy over the Worker, for wasm", run: lint_worker },
    Step { name: "native", about: "cargo test: units, properties, seeds", run: native },
    Step { name: "page", about: "the page of a bill, in a browser", run: page_in_browser },
    Step { name: "build", about: "the Worker, and a rehearsal of its deployment", run: build_worker },
    Step { name: "deployment", about: "the README's deployment against a stand-in of the API", run: deployment },
    Step { name: "conformance", about: "the protocol's suite on the real runtime", run: conformance },
    Step { name: "live", about: "readers that wait, the official client, a browser", run: live },
    Step { name: "fidelity", about: "simulator and real runtime answer alike", run: fidelity },
    Step { name: "checklist", about: "what the edge keeps in a cache, on the real runtime", run: checklist },
    Step {
        name: "robustness",
        about: "bodies at their limit; panics, lost instances and a silent bucket on the real runtime",
        run: robustness,
    },
    Step { name: "restart", about: "what was acknowledged outlives kills of the runtime", run: restart },
];

/// What steps share. Each part is set up when the first step needs it.
struct Machine<'a> {
    project: &'a Project,
    toolchain: Choice,
    node: Option<Node>,
    rust: Option<WasmRust>,
    worker: Option<Worker>,
}

impl Machine<'_> {
    fn set_up(&mut self) -> Result<()> {
        if self.rust.is_none() {
            self.rust = Some(setup::rust::ensure(self.project, self.toolchain)?);
        }
        if self.node.is_none() {
            self.node = Some(setup::node::ensure(self.project)?);
        }
        Ok(())
    }

    fn rust(&mut self) -> Result<&WasmRust> {
        self.set_up()?;
        self.rust.as_ref().context("there is no compiler for wasm")
    }

    /// The built Worker, and Node to start the runtime with.
    fn built(&mut self) -> Result<(&Node, &Worker)> {
        self.set_up()?;
        if self.worker.is_none() {
            let (node, rust) = (self.node.as_ref(), self.rust.as_ref());
            let (node, rust) = node.zip(rust).context("the set-up is not complete")?;
            self.worker = Some(worker::build(self.project, rust, node)?);
        }
        self.node.as_ref().zip(self.worker.as_ref()).context("there is no Worker")
    }
}

/// The first of the named steps that does not exist.
pub(crate) fn unknown_step(args: &Args) -> Option<&str> {
    args.steps.iter().map(String::as_str).find(|name| STEPS.iter().all(|step| step.name != *name))
}

/// Runs the steps and prints the table.
pub(crate) fn run(project: &Project, toolchain: Choice, args: &Args) -> Result<()> {
    if args.list {
        STEPS.iter().for_each(|step| println!("{:<14}{}", step.name, step.about));
        return Ok(());
    }
    if let Some(unknown) = unknown_step(args) {
        bail!("there is no step {unknown:?}: `cargo xtask test --list` names them");
    }
    let mut machine = Machine { project, toolchain, node: None, rust: None, worker: None };
    let start = Instant::now();
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    for step in STEPS.iter().filter(|step| args.steps.is_empty() || args.steps.iter().any(|name| name == step.name)) {
        say(&format!("step `{}`: {}", step.name, step.about));
        let start = Instant::now();
        let result = match (step.run)(&mut machine) {
            Ok(Outcome::Passed) => "passed".to_owned(),
            Ok(Outcome::Absent(why)) => format!("absent: {why}"),
            Err(error) => {
                eprintln!("error: step `{}`: {error:#}", step.name);
                failed.push(step.name);
                "FAILED".to_owned()
            }
        };
        rows.push((step.name, start.elapsed(), result));
    }
    print_table(&rows, start.elapsed());
    if failed.is_empty() {
        return Ok(());
    }
    bail!("failed: {}; `cargo xtask test {}` runs no more than that", failed.join(", "), failed.join(" "))
}

fn print_table(rows: &[(&str, Duration, String)], total: Duration) {
    println!("\n{:<14}{:>9}  result", "step", "seconds");
    for (name, took, result) in rows {
        println!("{name:<14}{:>9.1}  {result}", took.as_secs_f64());
    }
    println!("{:<14}{:>9.1}", "all", total.as_secs_f64());
}

fn set_up(machine: &mut Machine) -> Result<Outcome> {
    machine.set_up()?;
    Ok(Outcome::Passed)
}

fn format(machine: &mut Machine) -> Result<Outcome> {
    cargo(machine, &["fmt", "--all", "--check"]).context("`cargo fmt --all` repairs it")
}

fn tidy(machine: &mut Machine) -> Result<Outcome> {
    tidy::run(machine.project)?;
    Ok(Outcome::Passed)
}

fn dependencies(machine: &mut Machine) -> Result<Outcome> {
    dependency::run(machine.project)?;
    Ok(Outcome::Passed)
}

fn lint(machine: &mut Machine) -> Result<Outcome> {
    // Lint levels are arguments of clippy: a RUSTFLAGS variable would replace the flags of .cargo/config.toml.
    cargo(machine, &["clippy", "--workspace", "--exclude", worker::PACKAGE, "--all-targets", "--", "-D", "warnings"])
}

fn lint_worker(machine: &mut Machine) -> Result<Outcome> {
    if !machine.rust()?.is_in_use() {
        // Clippy must belong to the compiler that has the target; Debian's compiler is unpacked without one.
        return Ok(Outcome::Absent("the compiler in use has no wasm target"));
    }
    for variant in [Variant::Plain, Variant::Faults] {
        let clippy = ["clippy", "--package", worker::PACKAGE, "--target", WASM_TARGET];
        cargo(machine, &[&clippy, variant.features(), &["--", "-D", "warnings"]].concat())?;
    }
    Ok(Outcome::Passed)
}

fn native(machine: &mut Machine) -> Result<Outcome> {
    // The Worker's crate is among them: its unit tests need no runtime. The tools are tested apart, in the same groups
    // in which they are built: cargo compiles a dependency again for each set of features, and the set is that of all
    // packages that are built together.
    let apart: Vec<&str> = TOOLS.iter().flat_map(|tools| *tools).flat_map(|tool| ["--exclude", tool]).collect();
    cargo(machine, &[&["test", "--workspace"], apart.as_slice()].concat())?;
    for tools in TOOLS {
        let packages: Vec<&str> = tools.iter().flat_map(|tool| ["--package", tool]).collect();
        cargo(machine, &[&["test"], packages.as_slice()].concat())?;
    }
    Ok(Outcome::Passed)
}

fn page_in_browser(machine: &mut Machine) -> Result<Outcome> {
    machine.set_up()?;
    page::run(machine.project, machine.node.as_ref().context("there is no Node")?)?;
    Ok(Outcome::Passed)
}

fn build_worker(machine: &mut Machine) -> Result<Outcome> {
    let project = machine.project;
    let (node, worker) = machine.built()?;
    build::rehearse(project, node, worker)?;
    Ok(Outcome::Passed)
}

fn deployment(machine: &mut Machine) -> Result<Outcome> {
    judge(machine, "deployment")
}

fn conformance(machine: &mut Machine) -> Result<Outcome> {
    judge(machine, "conformance")
}

fn live(machine: &mut Machine) -> Result<Outcome> {
    judge(machine, "live")
}

fn fidelity(machine: &mut Machine) -> Result<Outcome> {
    judge(machine, "fidelity")
}

fn checklist(machine: &mut Machine) -> Result<Outcome> {
    judge(machine, "checklist")
}

fn robustness(machine: &mut Machine) -> Result<Outcome> {
    judge(machine, "robustness")
}

fn restart(machine: &mut Machine) -> Result<Outcome> {
    judge(machine, "restart")
}

/// Runs a verb of `tests/real`, which builds the Worker if it is not built.
fn judge(machine: &Machine, verb: &str) -> Result<Outcome> {
    real::run(machine.project, machine.toolchain, verb)?;
    Ok(Outcome::Passed)
}

fn cargo(machine: &Machine, arguments: &[&str]) -> Result<Outcome> {
    process::run(machine.project.cargo().args(arguments))?;
    Ok(Outcome::Passed)
}
