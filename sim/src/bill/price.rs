//! What the platform asks for: the only file with prices. All are those of Workers Paid in US dollars, as Cloudflare
//! published them on the pages that are named, read in July 2026.

use super::Meter;

/// The plan itself: 5 dollars a month, in millionths of a dollar (Cloudflare, "Workers pricing").
pub const PLAN: u64 = 5_000_000;

/// A month, in hours: 30 days.
const MONTH_H: u64 = 720;

const MILLION: u64 = 1_000_000;

/// A GB: so many bytes (the pages do not say; the smaller unit, which is dearer).
const GB: u64 = 1_000_000_000;

/// For so long an object takes a GB for a second, in ms: it is billed for 128 MB, whatever it uses (Cloudflare, "Durable
/// Objects pricing"). As a fraction: 15,625 ms are 2 GB-s.
const OBJECT_MS_OF_2_GB_S: u64 = 15_625;

/// What one meter costs in a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// What is included, in the meter's unit.
    pub included: u64,
    /// So many units, in the meter's unit,
    pub units: u64,
    /// cost so many millionths of a dollar.
    pub costs: u64,
    /// How a part of that is billed.
    pub rounding: Rounding,
}

/// How a part of what has a price is billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// As a part, rounded up to a millionth of a dollar.
    Part,
    /// As a whole.
    Up,
}

impl Price {
    const fn new(included: u64, units: u64, costs: u64) -> Self {
        Self { included, units, costs, rounding: Rounding::Part }
    }

    const fn rounded_up(self) -> Self {
        Self { rounding: Rounding::Up, ..self }
    }

    /// What that much costs in a month, in millionths of a dollar.
    pub fn of(self, count: u64) -> u64 {
        let billed = u128::from(count.saturating_sub(self.included));
        let (units, costs) = (u128::from(self.units), u128::from(self.costs));
        let amount = match self.rounding {
            Rounding::Part => (billed * costs).div_ceil(units),
            Rounding::Up => billed.div_ceil(units) * costs,
        };
        u64::try_from(amount).unwrap_or(u64::MAX)
    }
}

/// Messages on sockets that count as a request.
const MESSAGES_OF_A_REQUEST: u64 = 20;

impl Meter {
    /// The meter with which another one is billed together, and how many of the other's units are one of that.
    pub fn billed_as(self) -> (Self, u64) {
        match self {
            // Cloudflare, "Durable Objects pricing": 20 incoming messages are a request; outgoing ones are free.
            Self::SocketMessages => (Self::ObjectRequests, MESSAGES_OF_A_REQUEST),
            meter => (meter, 1),
        }
    }

    /// What it costs; `None` for what is free, or is billed as another one.
    pub fn price(self) -> Option<Price> {
        Some(match self {
            // Cloudflare, "Workers pricing": standard usage.
            Self::WorkerRequests => Price::new(10 * MILLION, MILLION, 300_000),
            Self::WorkerCpuUs => Price::new(30 * MILLION * 1_000, MILLION * 1_000, 20_000),
            // Cloudflare, "Durable Objects pricing": compute, and storage with SQLite.
            Self::ObjectRequests => Price::new(MILLION, MILLION, 150_000),
            Self::ObjectMs => Price::new(200_000 * OBJECT_MS_OF_2_GB_S, MILLION / 2 * OBJECT_MS_OF_2_GB_S, 12_500_000),
            Self::RowsRead => Price::new(25_000 * MILLION, MILLION, 1_000),
            Self::RowsWritten => Price::new(50 * MILLION, MILLION, MILLION),
            Self::SqliteByteHours => Price::new(5 * GB * MONTH_H, GB * MONTH_H, 200_000),
            // Cloudflare, "Workers KV pricing".
            Self::KvReads => Price::new(10 * MILLION, MILLION, 500_000),
            Self::KvWrites | Self::KvDeletes | Self::KvLists => Price::new(MILLION, MILLION, 5_000_000),
            // Cloudflare, "R2 pricing": rounded up to the next unit.
            Self::R2ClassA => Price::new(MILLION, MILLION, 4_500_000).rounded_up(),
            Self::R2ClassB => Price::new(10 * MILLION, MILLION, 360_000).rounded_up(),
            Self::R2ByteHours => Price::new(10 * GB * MONTH_H, GB * MONTH_H, 15_000).rounded_up(),
            // Cloudflare, "Queues pricing".
            Self::QueueOperations => Price::new(MILLION, MILLION, 400_000),
            Self::SocketMessages
            | Self::R2Deletions
            | Self::ZoneHits
            | Self::WorkersCacheHits
            | Self::EdgeHits
            | Self::Deliveries => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A price, what is included of it, and what a unit costs by which the page counts.
    fn check(meter: Meter, included: u64, unit: u64, costs: u64) {
        let price = meter.price().expect("a price");
        let rounds_up = price.rounding == Rounding::Up;
        for (count, expected) in [
            (0, 0),
            (1, 0),
            (included - 1, 0),
            (included, 0),
            (included + unit, costs),
            (included + 1, if rounds_up { costs } else { costs.div_ceil(unit) }),
            (included + unit / 2, if rounds_up { costs } else { costs / 2 }),
            (included + unit + 1, if rounds_up { 2 * costs } else { costs + costs.div_ceil(unit) }),
            (included + 1_000 * unit, 1_000 * costs),
        ] {
            assert_eq!(price.of(count), expected, "{} of {}", count, meter.name());
        }
        assert!(price.of(u64::MAX) > 0, "no amount overflows");
    }

    #[test]
    fn every_price_begins_after_what_is_included_and_is_rounded_as_the_platform_does() {
        const M: u64 = 1_000_000;
        const GB_MONTH: u64 = 1_000_000_000 * 720;
        // A million GB-s are 7,812,500,000 ms of an object.
        const GB_S_M: u64 = 7_812_500_000;
        for (meter, included, unit, costs) in [
            (Meter::WorkerRequests, 10 * M, M, 300_000),
            (Meter::WorkerCpuUs, 30_000 * M, 1_000 * M, 20_000),
            (Meter::ObjectRequests, M, M, 150_000),
            (Meter::ObjectMs, GB_S_M * 4 / 10, GB_S_M, 12_500_000),
            (Meter::RowsRead, 25_000 * M, M, 1_000),
            (Meter::RowsWritten, 50 * M, M, 1_000_000),
            (Meter::SqliteByteHours, 5 * GB_MONTH, GB_MONTH, 200_000),
            (Meter::KvReads, 10 * M, M, 500_000),
            (Meter::KvWrites, M, M, 5_000_000),
            (Meter::KvDeletes, M, M, 5_000_000),
            (Meter::KvLists, M, M, 5_000_000),
            (Meter::R2ClassA, M, M, 4_500_000),
            (Meter::R2ClassB, 10 * M, M, 360_000),
            (Meter::R2ByteHours, 10 * GB_MONTH, GB_MONTH, 15_000),
            (Meter::QueueOperations, M, M, 400_000),
        ] {
            check(meter, included, unit, costs);
        }
        let free: Vec<&str> =
            Meter::ALL.iter().filter(|meter| meter.price().is_none()).map(|meter| meter.name()).collect();
        let expected = [
            "messages to objects",
            "R2 deletions",
            "hits of a zone's CDN",
            "hits of Workers Cache",
            "hits of the edge's cache",
            "events delivered",
        ];
        assert_eq!(free, expected);
    }
}
