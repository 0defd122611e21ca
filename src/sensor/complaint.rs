//! What is wrong for longer than one look.

use std::fmt::Display;

/// A problem that is looked for again and again, and said when it begins or changes.
#[derive(Debug, Default)]
pub struct Complaint {
    said: Option<String>,
}

impl Complaint {
    /// What is wrong now.
    pub fn said(&self) -> Option<&str> {
        self.said.as_deref()
    }

    /// What to say of `problem`, which is what is wrong now, if there is something new to say.
    pub fn news(&mut self, problem: Option<impl Display>) -> Option<News<'_>> {
        let problem = problem.map(|problem| problem.to_string());
        if self.said == problem {
            return None;
        }
        self.said = problem;
        Some(self.said.as_deref().map_or(News::Well, News::Wrong))
    }
}

/// What has changed.
#[derive(Debug, PartialEq, Eq)]
pub enum News<'c> {
    /// This is wrong, and was not before.
    Wrong(&'c str),
    /// All is well again.
    Well,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_said_once_until_it_is_gone_or_another() {
        let mut complaint = Complaint::default();
        for (problem, news) in [
            (None, None),
            (Some("CPU 1"), Some(News::Wrong("CPU 1"))),
            (Some("CPU 1"), None),
            (Some("CPU 1"), None),
            (Some("CPU 2"), Some(News::Wrong("CPU 2"))),
            (Some("CPU 2"), None),
            (None, Some(News::Well)),
            (None, None),
            (Some("CPU 2"), Some(News::Wrong("CPU 2"))),
        ] {
            assert_eq!(complaint.news(problem), news);
        }
    }
}
