//! Delivery to readers of several servers that are told in turn, half a second each. What disturbs the machine lasts
//! longer than that, so it disturbs all of them alike; measured one after another for seconds, they differed by a third
//! from round to round.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use super::crowd::{Board, Crowd, Delivery};
use super::live::Writer;
use super::reader::Mode;
use super::series::{in_turn, percentile};
use super::subject::Subject;
use super::usage;

/// How long a turn takes.
const TURN: Duration = Duration::from_millis(500);
/// How many messages are sent to each server before the first round, so that code is compiled.
const WARM_UP: usize = 60;
/// The path of the stream.
const PATH: &str = "/v1/stream/bench/events";
/// How long anything may take; nothing takes this long unless something is broken.
const LIMIT: Duration = Duration::from_secs(20);

/// What is measured.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    /// Readers of each server.
    pub(super) readers: usize,
    pub(super) rounds: usize,
    /// How long each server is told of writes in a round, in s.
    pub(super) seconds: u64,
    /// Writes a second.
    pub(super) rate: u32,
}

/// What was measured of a server in a round.
#[derive(Clone, Copy)]
pub(super) struct Round {
    /// CPU time of the runtime for a message that one reader gets, in us.
    pub(super) cpu_us: f64,
    /// The median time from a write to a reader, in ms.
    pub(super) p50_ms: f64,
}

impl Plan {
    /// How many turns a server has in a round.
    fn turns(self) -> usize {
        usize::try_from(Duration::from_secs(self.seconds).as_millis() / TURN.as_millis()).unwrap_or(usize::MAX)
    }

    /// How many messages are sent in a turn.
    fn messages(self) -> usize {
        ((TURN.as_secs_f64() * f64::from(self.rate)) as usize).max(1)
    }

    /// How many messages are sent to a server in a round.
    fn round(self) -> usize {
        self.turns() * self.messages()
    }

    /// How long all rounds take with this many servers, at most.
    pub(super) fn lasts(self, servers: usize) -> Duration {
        TURN.saturating_mul(u32::try_from(self.rounds * self.turns() * servers).unwrap_or(u32::MAX))
    }

    /// Has readers wait at a stream of each server, by its mode, and writes to the servers in turn. Returns the rounds
    /// of each server.
    pub(super) fn run(self, servers: &[(&Subject, Mode)], mut begins: impl FnMut(usize)) -> Result<Vec<Vec<Round>>> {
        let boards: Vec<Board> = servers.iter().map(|_| Board::new(WARM_UP + self.rounds * self.round())).collect();
        let (mut told, mut crowds) = (Vec::new(), Vec::new());
        for ((subject, mode), board) in servers.iter().zip(&boards) {
            let host = subject.server.host();
            let writer = Writer::open(host, PATH)?;
            crowds.push(Crowd::open(*mode, host, PATH, self.readers)?);
            told.push(Told { subject, writer, board, readers: self.readers, sent: 0 });
        }
        thread::scope(|scope| {
            let crowds: Vec<_> =
                crowds.into_iter().zip(&boards).map(|(crowd, board)| scope.spawn(|| crowd.run(board))).collect();
            let used = self.write_all(&mut told, &mut begins);
            boards.iter().for_each(Board::stop);
            // If readers failed, their error is the cause, and the writer only timed out.
            let deliveries: Result<Vec<Vec<Delivery>>> = crowds
                .into_iter()
                .map(|crowd| crowd.join().unwrap_or_else(|_| Err(anyhow!("a thread of readers has panicked"))))
                .collect();
            let (deliveries, used) = (deliveries?, used?);
            Ok(deliveries.iter().zip(used).map(|(deliveries, used)| self.rounds_of(deliveries, &used)).collect())
        })
    }

    /// Writes to the servers in turn. Returns the CPU time that each has used in each round.
    fn write_all(self, told: &mut [Told], begins: &mut impl FnMut(usize)) -> Result<Vec<Vec<Duration>>> {
        for server in told.iter_mut() {
            server.wait_for("readers wait", |board, readers, _| board.greeted() == readers)?;
            server.write(WARM_UP, self.rate)?;
        }
        let mut used = vec![Vec::new(); told.len()];
        for round in 1..=self.rounds {
            begins(round);
            // Each uses next to nothing while others have their turn, but what it puts off is counted.
            let before: Vec<Duration> = told.iter().map(Told::cpu).collect::<Result<_>>()?;
            for turn in 1..=self.turns() {
                for server in in_turn(turn, told.iter_mut()) {
                    server.write(self.messages(), self.rate)?;
                }
            }
            for ((server, before), used) in told.iter().zip(before).zip(&mut used) {
                used.push(server.cpu()?.saturating_sub(before));
            }
        }
        Ok(used)
    }

    fn rounds_of(self, deliveries: &[Delivery], used: &[Duration]) -> Vec<Round> {
        let messages = self.round();
        let of = |(round, used): (usize, &Duration)| {
            let numbers = WARM_UP + round * messages..WARM_UP + (round + 1) * messages;
            let took: Vec<Duration> =
                deliveries.iter().filter(|delivery| numbers.contains(&delivery.number)).map(|one| one.took).collect();
            let cpu_us = used.as_secs_f64() * 1e6 / took.len() as f64;
            Round { cpu_us, p50_ms: percentile(&took, 0.5).as_secs_f64() * 1e3 }
        };
        used.iter().enumerate().map(of).collect()
    }
}

/// A server whose readers are told of writes.
struct Told<'a> {
    subject: &'a Subject,
    writer: Writer,
    board: &'a Board,
    readers: usize,
    sent: usize,
}

impl Told<'_> {
    fn cpu(&self) -> Result<Duration> {
        usage::cpu(self.subject.server.id())
    }

    /// Writes at the rate, and waits until everything is delivered.
    fn write(&mut self, count: usize, rate: u32) -> Result<()> {
        let start = Instant::now();
        for index in 0..count {
            let due = Duration::from_secs(1) * u32::try_from(index)? / rate;
            thread::sleep(due.saturating_sub(start.elapsed()));
            self.board.send(self.sent);
            self.writer.append(self.sent)?;
            self.sent += 1;
        }
        self.wait_for("messages are delivered", |board, readers, sent| board.delivered() == readers * sent)
    }

    fn wait_for(&self, what: &str, holds: impl Fn(&Board, usize, usize) -> bool) -> Result<()> {
        let start = Instant::now();
        while !holds(self.board, self.readers, self.sent) {
            if start.elapsed() > LIMIT {
                bail!("{}: not all {what} within {} s", self.subject.name, LIMIT.as_secs());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { readers: 2, rounds: 3, seconds: 4, rate: 20 };

    #[test]
    fn a_round_has_as_many_messages_as_its_seconds_say() {
        for (seconds, rate, messages) in [(4, 20, 80), (1, 2, 2), (1, 1, 2), (3, 50, 150)] {
            assert_eq!(Plan { seconds, rate, ..PLAN }.round(), messages, "{rate} a second for {seconds} s");
        }
        assert_eq!(PLAN.lasts(3), Duration::from_secs(36));
    }

    #[test]
    fn a_round_is_judged_by_its_own_messages() {
        let plan = Plan { rounds: 2, seconds: 1, rate: 2, ..PLAN };
        let delivery = |number, ms| Delivery { number, took: Duration::from_millis(ms) };
        // Those of the warm-up are left out.
        let warm_up = (0..WARM_UP).map(|number| delivery(number, 99));
        let measured = [(0, 1), (0, 1), (1, 2), (1, 2), (2, 7), (2, 7), (3, 7), (3, 7)];
        let measured = measured.map(|(number, ms)| delivery(WARM_UP + number, ms));
        let deliveries: Vec<Delivery> = warm_up.chain(measured).collect();
        let used = [Duration::from_micros(40), Duration::from_micros(80)];
        let rounds: Vec<(f64, f64)> =
            plan.rounds_of(&deliveries, &used).iter().map(|round| (round.cpu_us.round(), round.p50_ms)).collect();
        assert_eq!(rounds, [(10.0, 2.0), (20.0, 7.0)]);
    }
}
