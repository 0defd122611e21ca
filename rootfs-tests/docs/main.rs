//! README.md and the pages of docs/: every command in them is executed as a new user would, on copies
//! of this host, or it is told why not and looked up; and what they quote is in the program.

#[path = "../support/mod.rs"]
mod support;

mod hosts;
mod links;
mod lookup;
mod messages;
mod pages;
mod play;

use std::process::ExitCode;

fn main() -> ExitCode {
    support::runner::run(&[
        ("a_block_without_a_kind_is_found", pages::a_block_without_a_kind_is_found),
        ("another_output_is_found", play::another_output_is_found),
        ("a_command_that_is_not_there_is_found", lookup::a_command_that_is_not_there_is_found),
        ("commands_are_there", lookup::commands_are_there),
        ("links_lead_somewhere", links::links_lead_somewhere),
        ("a_message_that_nobody_says_is_found", messages::a_message_that_nobody_says_is_found),
        ("messages_are_the_programs", messages::messages_are_the_programs),
        ("pages", play::pages),
    ])
}
