//! One module per subcommand.

mod asks;
pub mod check;
pub mod config;
mod configuration;
pub mod decode;
pub mod diagnostic;
pub mod exclusion;
pub mod health;
mod number;
mod output;
pub mod pause;
pub mod run;
