//! The CPU time of a process with all its threads.

use std::time::Duration;

use anyhow::{Context, Result};
use xtask::project::read;

/// The unit in which Linux tells CPU time (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// User and system time that a process has used so far.
pub(super) fn cpu(process: u32) -> Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let text = read(path.as_ref()).context("CPU time is read from /proc: run this on Linux")?;
    ticks(&text).map(|ticks| TICK * ticks).with_context(|| format!("{path} has no utime and stime"))
}

/// The sum of fields 14 and 15. They are counted from the end of the name, since the name may contain anything.
fn ticks(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u32>);
    Some(times.next()?.ok()? + times.next()?.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_added_whatever_the_name() {
        let check = |stat, expected| assert_eq!(ticks(stat), expected);
        check("7 (workerd) S 1 7 7 0 -1 4194304 10 0 0 0 120 34 0 0 20 0 9 0 1 2 3", Some(154));
        check("7 (a ) b) S 1 7 7 0 -1 4194304 10 0 0 0 1 2 0 0 20 0 9 0 1 2 3", Some(3));
        check("7 (workerd) S 1", None);
    }
}
