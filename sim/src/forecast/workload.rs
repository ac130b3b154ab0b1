//! What a deployment has to do: who reads, what is written, and what is kept.

use crate::world::Region;

/// What a deployment has to do in a month.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Readers that follow a stream at any time, over all streams.
    pub readers: u64,
    /// Streams that are followed, or written to. Readers are spread over them evenly.
    pub streams: u64,
    /// How many messages are written to each of them in a second, by the hour of the day.
    pub writes_per_second: [f64; 24],
    /// Bytes of a message.
    pub message_bytes: u64,
    /// Of 1,000 readers, those that do not follow a stream, but read it from its start again and again, in a browser.
    pub catch_up_permille: u64,
    /// Bytes of a stream when readers come that read it from its start.
    pub history_bytes: u64,
    /// In which regions there are how many datacenters. Readers are spread over these evenly.
    pub regions: Vec<(Region, usize)>,
    /// Streams beside those that nobody reads, and nobody writes to.
    pub idle_streams: u64,
    /// Streams that are created in a month, get a message, and expire, beside those above.
    pub lives: u64,
    /// How many days a message is kept.
    pub kept_days: f64,
    /// How many releases are deployed in a month.
    pub deploys: f64,
}

impl Default for Workload {
    /// 10,000 readers of one stream in 20 datacenters, a message a second.
    fn default() -> Self {
        Self {
            readers: 10_000,
            streams: 1,
            writes_per_second: [1.0; 24],
            message_bytes: 100,
            catch_up_permille: 0,
            history_bytes: 0,
            regions: spread(20),
            idle_streams: 0,
            lives: 0,
            kept_days: 30.0,
            deploys: 20.0,
        }
    }
}

/// So many datacenters, over all regions.
fn spread(colos: usize) -> Vec<(Region, usize)> {
    let all = Region::ALL.len();
    let count = |place: usize| colos / all + usize::from(place < colos % all);
    Region::ALL
        .iter()
        .enumerate()
        .map(|(place, region)| (*region, count(place)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// The most of anything that is counted.
const MOST: u64 = 1_000_000_000_000;
/// The most readers of all streams.
const MOST_READERS: u64 = 1_000_000_000;
/// The most readers of one stream: each is simulated.
const MOST_OF_STREAM: u64 = 100_000;
/// Streams of which one has a reader, at most: as many are simulated as it takes until one has.
const MOST_STREAMS_A_READER: u64 = 1_000;
/// The most bytes of a message: a body has a limit.
const MOST_MESSAGE: u64 = 8 * 1024 * 1024;
/// The most datacenters.
const MOST_COLOS: usize = 400;
/// The most messages that are written to a stream in a second, each by a request of its own: twice what an object bears, so
/// that a table can say that it does not.
const MOST_WRITES: f64 = 2_000.0;
/// The most days that a message is kept, and the most releases a month.
const MOST_DAYS: f64 = 36_500.0;

impl Workload {
    /// The names under which files and command lines set its parts, with what each says.
    pub const FIELDS: [(&'static str, &'static str); 11] = [
        ("readers", "readers that follow a stream at any time"),
        ("streams", "streams that are followed or written to"),
        ("writes_per_second", "messages a second to each stream: one number, or 24 of them, by the hour, with commas"),
        ("message_bytes", "bytes of a message"),
        ("catch_up_permille", "of 1,000 readers, those that read a stream from its start again and again instead"),
        ("history_bytes", "bytes of a stream when those come"),
        ("regions", "datacenters: a number, or region:number with commas"),
        ("idle_streams", "streams beside those that nobody reads or writes to"),
        ("lives", "streams that are created in a month, get a message, and expire"),
        ("kept_days", "days that a message is kept"),
        ("deploys", "releases a month"),
    ];

    /// Sets the part of that name. Fails with a sentence for whoever has said so.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        let whole = |least: u64, most: u64| match text.replace('_', "").parse::<u64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(format!("{name}: {text:?} is no whole number from {least} to {most}")),
        };
        match name {
            "readers" => self.readers = whole(0, MOST_READERS)?,
            "streams" => self.streams = whole(1, MOST)?,
            "writes_per_second" => self.writes_per_second = hours(text).map_err(|error| format!("{name}: {error}"))?,
            "message_bytes" => self.message_bytes = whole(1, MOST_MESSAGE)?,
            "catch_up_permille" => self.catch_up_permille = whole(0, 1_000)?,
            "history_bytes" => self.history_bytes = whole(0, 100_000_000)?,
            "regions" => self.regions = regions(text).map_err(|error| format!("{name}: {error}"))?,
            "idle_streams" => self.idle_streams = whole(0, MOST)?,
            "lives" => self.lives = whole(0, MOST)?,
            "kept_days" => self.kept_days = number(text, MOST_DAYS).map_err(|error| format!("{name}: {error}"))?,
            "deploys" => self.deploys = number(text, MOST_DAYS).map_err(|error| format!("{name}: {error}"))?,
            _ => {
                let names: Vec<&str> = Self::FIELDS.iter().map(|(name, _)| *name).collect();
                return Err(format!("{name:?} is none of {}", names.join(", ")));
            }
        }
        Ok(())
    }

    /// Sets what a file says: a line for each part, `name value`. Lines that are empty or begin with `#` say nothing.
    pub fn read(&mut self, text: &str) -> Result<(), String> {
        for (number, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            self.set(name, value.trim()).map_err(|error| format!("line {}: {error}", number + 1))?;
        }
        Ok(())
    }

    /// What cannot be simulated of it, as a sentence.
    pub fn problem(&self) -> Option<String> {
        let Self { readers, streams, .. } = self;
        if *readers > streams.saturating_mul(MOST_OF_STREAM) {
            return Some(format!(
                "{readers} readers of {streams} stream(s): a stream has {MOST_OF_STREAM} here at most"
            ));
        }
        if *readers > 0 && readers.saturating_mul(MOST_STREAMS_A_READER) < *streams {
            let what = "say those without a reader as idle_streams, or apart";
            return Some(format!("{readers} readers of {streams} streams are fewer than one of each thousand: {what}"));
        }
        None
    }

    /// The same with so many times its readers, and so many times its messages.
    pub fn scaled(&self, readers: f64, writes: f64) -> Self {
        let mut scaled = self.clone();
        scaled.readers = (self.readers as f64 * readers).round() as u64;
        scaled.writes_per_second.iter_mut().for_each(|rate| *rate *= writes);
        scaled
    }

    /// The region of each datacenter.
    pub fn colos(&self) -> Vec<Region> {
        self.regions.iter().flat_map(|(region, count)| std::iter::repeat_n(*region, *count)).collect()
    }

    /// Messages that are written in a month of 30 days, to all streams.
    pub fn writes_a_month(&self) -> f64 {
        self.writes_per_second.iter().map(|rate| rate * 3_600.0 * 30.0).sum::<f64>() * self.streams as f64
    }

    /// The rates at which messages are written, and for how many seconds of a month each holds; those without any first.
    pub fn rates(&self) -> Vec<(f64, f64)> {
        let mut rates: Vec<(f64, f64)> = Vec::new();
        for rate in self.writes_per_second {
            match rates.iter_mut().find(|(other, _)| *other == rate) {
                Some((_, seconds)) => *seconds += 3_600.0 * 30.0,
                None => rates.push((rate, 3_600.0 * 30.0)),
            }
        }
        rates.sort_by(|one, other| one.0.total_cmp(&other.0));
        rates
    }
}

fn number(text: &str, most: f64) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(number) if (0.0..=most).contains(&number) => Ok(number),
        _ => Err(format!("{text:?} is no number from 0 to {most}")),
    }
}

fn hours(text: &str) -> Result<[f64; 24], String> {
    let rates = text.split(',').map(|part| number(part, MOST_WRITES)).collect::<Result<Vec<f64>, String>>()?;
    match rates[..] {
        [rate] => Ok([rate; 24]),
        _ => rates.try_into().map_err(|rates: Vec<f64>| format!("{} numbers are neither one nor 24", rates.len())),
    }
}

fn regions(text: &str) -> Result<Vec<(Region, usize)>, String> {
    let count = |text: &str| match text.trim().parse::<usize>() {
        Ok(count) if (1..=MOST_COLOS).contains(&count) => Ok(count),
        _ => Err(format!("{text:?} is no whole number from 1 to {MOST_COLOS}")),
    };
    if !text.contains(':') {
        return Ok(spread(count(text)?));
    }
    let region = |part: &str| {
        let (name, number) = part.trim().split_once(':').ok_or_else(|| format!("{part:?} is no region:number"))?;
        let region = Region::ALL.iter().find(|region| region.name() == name);
        let names = || Region::ALL.iter().map(|region| region.name()).collect::<Vec<_>>().join(", ");
        Ok((*region.ok_or_else(|| format!("{name:?} is none of {}", names()))?, count(number)?))
    };
    text.split(',').map(region).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_sets_each_part_and_what_it_does_not_know_is_told_by_its_line() {
        let mut workload = Workload::default();
        let text = "# chat\nreaders 1_000\n\nstreams 100\nwrites_per_second 0.5\nmessage_bytes 200\nregions weur:2,enam:1\n\
                    catch_up_permille 50\nhistory_bytes 1000\nidle_streams 7\nlives 8\nkept_days 1.5\ndeploys 0\n";
        workload.read(text).expect("a workload");
        assert_eq!((workload.readers, workload.streams, workload.message_bytes), (1_000, 100, 200));
        assert_eq!((workload.catch_up_permille, workload.history_bytes), (50, 1_000));
        assert_eq!((workload.idle_streams, workload.lives, workload.kept_days, workload.deploys), (7, 8, 1.5, 0.0));
        assert_eq!(workload.colos().iter().map(|region| region.name()).collect::<Vec<_>>(), ["weur", "weur", "enam"]);
        assert_eq!(workload.writes_a_month(), 0.5 * 100.0 * 2_592_000.0);
        for (text, expected) in [
            ("readers 1\nreader 2", "line 2: \"reader\" is none of readers"),
            ("readers", "line 1: readers: \"\" is no whole number"),
            ("readers -1", "line 1: readers: \"-1\" is no whole number"),
            ("streams 0", "line 1: streams: \"0\" is no whole number from 1"),
            ("writes_per_second 1,2", "line 1: writes_per_second: 2 numbers are neither one nor 24"),
            ("writes_per_second NaN", "line 1: writes_per_second: \"NaN\" is no number"),
            ("writes_per_second 2001", "line 1: writes_per_second: \"2001\" is no number from 0 to 2000"),
            ("regions mars:1", "line 1: regions: \"mars\" is none of"),
            ("regions 0", "line 1: regions: \"0\" is no whole number from 1"),
            ("regions weur:1,", "line 1: regions: \"\" is no region:number"),
            ("kept_days inf", "line 1: kept_days: \"inf\" is no number"),
        ] {
            let error = Workload::default().read(text).expect_err(text);
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn every_named_part_can_be_set() {
        for (name, _) in Workload::FIELDS {
            let mut workload = Workload::default();
            workload.set(name, "3").expect(name);
            assert_ne!(workload, Workload::default(), "{name}");
        }
        assert_eq!(spread(20).iter().map(|(_, count)| count).sum::<usize>(), 20);
        assert_eq!(spread(2).len(), 2);
    }

    #[test]
    fn what_cannot_be_simulated_is_refused() {
        for (readers, streams, is_refused) in [
            (0, 1_000_000, false),
            (100_000, 1, false),
            (100_001, 1, true),
            (1, 1_000, false),
            (1, 1_001, true),
            (1_000_000, 1_000, false),
        ] {
            let workload = Workload { readers, streams, ..Workload::default() };
            assert_eq!(workload.problem().is_some(), is_refused, "{readers} of {streams}");
        }
        let scaled = Workload::default().scaled(0.5, 3.0);
        assert_eq!((scaled.readers, scaled.writes_per_second[7]), (5_000, 3.0));
    }

    #[test]
    fn hours_of_the_same_rate_are_one_kind_of_time() {
        let mut workload = Workload::default();
        assert_eq!(workload.rates(), [(1.0, 2_592_000.0)]);
        let text = [vec!["0"; 16], vec!["2.5"; 8]].concat().join(",");
        workload.set("writes_per_second", &text).expect("24 numbers");
        assert_eq!(workload.rates(), [(0.0, 1_728_000.0), (2.5, 864_000.0)]);
        assert_eq!(workload.writes_a_month(), 2_160_000.0);
    }
}
