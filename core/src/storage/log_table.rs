//! The two tables of the hot log.

/// A table of the hot log. Appends go into one table until a new segment begins while the other table does not exist;
/// that is then created for it. A table whose segments are all in R2 is dropped as a whole: this costs nothing, while
/// deleted rows are billed like written ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogTable {
    /// The table `log`.
    Log,
    /// The table `log_b`.
    LogB,
}

impl LogTable {
    /// Both tables.
    pub const ALL: [Self; 2] = [Self::Log, Self::LogB];

    /// The other table.
    pub fn other(self) -> Self {
        match self {
            Self::Log => Self::LogB,
            Self::LogB => Self::Log,
        }
    }

    /// The name of the table.
    pub fn name(self) -> &'static str {
        log_sql!(self, "", "")
    }
}

/// The static text of a statement about one of the tables: the parts, with the table's name between any two.
macro_rules! log_sql {
    ($table:expr, $first:literal $(, $rest:literal)+) => {
        match $table {
            $crate::storage::LogTable::Log => concat!($first $(, "log", $rest)+),
            $crate::storage::LogTable::LogB => concat!($first $(, "log_b", $rest)+),
        }
    };
}

pub(crate) use log_sql;
