//! The alarm service.

pub(crate) mod service;
