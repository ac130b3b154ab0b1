//! `tailrace-bindgen MODULE FOLDER`: wasm-bindgen as a library, so that its version is pinned together with the crate's
//! own and nothing is installed. Writes `index.js` and `index_bg.wasm` into the folder.
//!
//! | module | noun |
//! | --- | --- |
//! | `exception` | exceptions of JavaScript, caught in the older encoding |

mod exception;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [module, folder] = paths.as_slice() else { bail!("usage: tailrace-bindgen MODULE FOLDER") };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).out_name("index").typescript(false).module(true)?;
    // A wasm instance that has panicked is lost: every later call into it throws at once, and our JavaScript makes a
    // new one.
    bindgen.reset_state_function(true).force_enable_abort_handler(true);
    let mut output = bindgen.generate_output().context("wasm-bindgen refuses the Worker")?;
    exception::use_older_encoding(output.wasm_mut())?;
    output.emit(folder).context("wasm-bindgen cannot write what it made")?;
    // The runtime supports plain imports of wasm modules, and no source-phase imports.
    let script = folder.join("index.js");
    let text = fs::read_to_string(&script).with_context(|| format!("cannot read {}", script.display()))?;
    if !text.contains("import source ") {
        bail!("wasm-bindgen no longer writes `import source`: bring xtask/bindgen up to date with its output");
    }
    let text = text.replace("import source ", "import ");
    fs::write(&script, text).with_context(|| format!("cannot write {}", script.display()))
}
