//! The two tables of the hot log.

/// A table of the hot log. Segments go into one until a new segment finds the other one gone; a table whose segments
/// are all in R2 is dropped whole, which costs nothing, where deleting its rows would be billed as writing them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogTable {
    /// `log`.
    Log,
    /// `log_b`.
    LogB,
}

impl LogTable {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Log, Self::LogB];

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Log => Self::LogB,
            Self::LogB => Self::Log,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        log_sql!(self, "", "")
    }
}

/// A statement about one of the tables, as static as any: the table's name stands between the parts.
macro_rules! log_sql {
    ($table:expr, $first:literal $(, $rest:literal)+) => {
        match $table {
            $crate::storage::LogTable::Log => concat!($first $(, "log", $rest)+),
            $crate::storage::LogTable::LogB => concat!($first $(, "log_b", $rest)+),
        }
    };
}

pub(crate) use log_sql;
