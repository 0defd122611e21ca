//! One module per subcommand.

mod asks;
pub mod config;
pub mod decode;
pub mod diagnostic;
pub mod exclusion;
pub mod health;
mod output;
pub mod pause;
pub mod run;
