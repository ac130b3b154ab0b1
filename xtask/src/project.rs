//! The repository, and the folder of all generated files.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};

use crate::process;

/// The paths of the repository. Every path that a verb uses comes from here.
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// The repository that the running program belongs to, wherever the command was typed.
    pub fn find() -> Result<Self> {
        // Cargo sets the variable for `cargo run`. Without cargo, the folder in which this was built is the best guess.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.ancestors().find(|dir| dir.join("xtask/Cargo.toml").is_file());
        let root = root.with_context(|| format!("no folder above {} has an xtask/", manifest.display()))?;
        Ok(Self { root: root.to_path_buf() })
    }

    /// The repository's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path inside the repository.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A path inside `.tailrace/`, the folder of all generated files. git ignores it, and it may be deleted any time.
    pub fn generated(&self, relative: &str) -> PathBuf {
        self.root.join(".tailrace").join(relative)
    }

    /// A command that runs in the repository's root.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// The cargo that runs this program, in the repository's root.
    pub fn cargo(&self) -> Command {
        let mut cargo = self.command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // A `RUSTFLAGS` variable would replace the flags of .cargo/config.toml, without which `sim` refuses to compile.
        cargo.env_remove("RUSTFLAGS");
        cargo
    }

    /// Cargo's target folder, which `CARGO_TARGET_DIR` or a configuration file may have moved.
    pub fn target_dir(&self) -> Result<PathBuf> {
        let mut metadata = self.cargo();
        metadata.args(["metadata", "--no-deps", "--format-version=1"]);
        let text = process::output(&mut metadata)?;
        let json: serde_json::Value = serde_json::from_str(&text).context("`cargo metadata` printed no JSON")?;
        let dir = json["target_directory"].as_str();
        Ok(PathBuf::from(dir.ok_or_else(|| anyhow!("`cargo metadata` names no target_directory"))?))
    }

    /// Takes the lock of that name, and waits while another `cargo xtask` has it. Dropping the file releases the lock.
    pub fn lock(&self, what: &str) -> Result<File> {
        let path = self.generated(&format!("{what}.lock"));
        create_dir(&self.generated(""))?;
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        if file.try_lock().is_err() {
            say(&format!("waiting for another `cargo xtask` to finish its {what}"));
            file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        }
        Ok(file)
    }
}

/// Tells the developer what is being done. Results go to stdout, this goes to stderr.
pub fn say(message: &str) {
    eprintln!("[xtask] {message}");
}

/// Creates a folder and those above it.
pub fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot create the folder {}", path.display()))
}

/// Removes a folder with everything in it; it is no error if there is none.
pub fn remove_dir(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove the folder {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Reads a text file.
pub fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes a file.
pub fn write(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    fs::write(path, contents).with_context(|| format!("cannot write {}", path.display()))
}
