//! The rules, one file for each kind; a rule maps a tree of sources to its violations.

pub(crate) mod constants;
pub(crate) mod order;
pub(crate) mod owners;
pub(crate) mod shape;
