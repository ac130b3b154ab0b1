//! Workloads with names that people know.

use super::workload::Workload;

/// A workload with a name.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name on command lines.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// The parts in which it differs from the default, as a file says them.
    pub text: &'static str,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self {
            name: "readers-10k",
            what: "10,000 readers of one stream in 20 datacenters, a message a second",
            text: "",
        },
        Self {
            name: "idle-10k",
            what: "10,000 readers of one stream to which nobody writes all month",
            text: "writes_per_second 0",
        },
        Self {
            name: "chat-rooms",
            what: "a thousand chat rooms of ten people each, who write a message of 200 bytes every ten seconds",
            text: "readers 10_000\nstreams 1_000\nwrites_per_second 0.1\nmessage_bytes 200\nregions 10",
        },
        Self {
            name: "ai-tokens",
            what: "a thousand users at a time who each follow the answer of a model, ten pieces of 20 bytes a second; two \
                   million answers a month, each a stream of its own that expires",
            text: "readers 1_000\nstreams 1_000\nwrites_per_second 10\nmessage_bytes 20\nregions 10\nlives 2_000_000\n\
                   kept_days 1",
        },
        Self {
            name: "dashboard",
            what: "a million streams that are idle, and a dashboard that 50 people follow, each a stream with a message \
                   every ten seconds",
            text: "readers 50\nstreams 50\nwrites_per_second 0.1\nmessage_bytes 500\nregions 3\nidle_streams 1_000_000",
        },
        Self {
            name: "document-editor",
            what: "200 documents of five authors each, who write two changes of 100 bytes a second to each during eight \
                   hours of the day, and read it from the start now and then",
            text: "readers 1_000\nstreams 200\nmessage_bytes 100\ncatch_up_permille 50\nhistory_bytes 100_000\nregions 4\n\
                   writes_per_second 0,0,0,0,0,0,0,0,2,2,2,2,2,2,2,2,0,0,0,0,0,0,0,0",
        },
    ];

    /// The preset of that name; or a sentence that says which there are.
    pub fn named(name: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(|preset| preset.name).join(", ");
        Self::ALL.into_iter().find(|preset| preset.name == name).ok_or_else(|| format!("it is none of {}", names()))
    }

    /// The workload.
    pub fn workload(&self) -> Result<Workload, String> {
        let mut workload = Workload::default();
        workload.read(self.text)?;
        Ok(workload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_a_workload_of_its_own() {
        let workloads = Preset::ALL.map(|preset| preset.workload().expect(preset.name));
        for (place, workload) in workloads.iter().enumerate() {
            assert!(workloads[..place].iter().all(|other| other != workload));
        }
        assert_eq!(workloads[0], Workload::default());
        assert_eq!(Preset::named("chat-rooms").map(|preset| preset.name), Ok("chat-rooms"));
        assert!(Preset::named("chat").expect_err("none").starts_with("it is none of readers-10k, "));
    }
}
