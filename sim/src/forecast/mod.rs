//! What a workload costs in a month, by each way to deploy, and how sure that is.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `workload`, `preset` | what a deployment has to do, and workloads with names |
//! | `deployment` | ways to deploy: which policy, what stands in front, and how readers follow |
//! | `sample` | which part of a workload is simulated |
//! | `slice` | slices of a deployment's life, by the kinds of cycles that a month consists of |
//! | `life`, `storage` | streams that come and go, and what is stored |
//! | `month` | from slices to a month, with as many seeds as it takes |
//! | `table`, `json`, `page`, `plot`, `bars` | forecasts as text, as JSON, as a page with plots, and as a picture |
//! | `search` | the cheapest way of a grid of them |
//! | `sensitivity` | what each guess does to the bill |
//! | [`command`] | `cargo sim bill` |

mod bars;
pub mod command;
mod deployment;
mod json;
mod life;
mod month;
mod page;
mod plot;
mod preset;
mod sample;
mod search;
mod sensitivity;
mod slice;
mod storage;
mod table;
mod workload;

pub use deployment::Deployment;
pub use month::{Background, Effort, Forecast};
pub use preset::Preset;
pub use slice::{Case, Kind};
pub use table::Row;
pub use workload::Workload;
