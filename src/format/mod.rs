//! How decoded events are written for people and SIEMs.

pub mod ecs;
mod names;
