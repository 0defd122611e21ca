//! Links of the pages lead to files and headings, and pages named in the text are there.

use crate::pages::{names, repository, spans, text};
use std::path::Path;

pub fn links_lead_somewhere() {
    let mut count = 0;
    for name in names() {
        let page = text(&name);
        let folder = name.parent().unwrap();
        for target in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("http") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let at = if file.is_empty() { name.clone() } else { folder.join(file) };
            assert!(is_there(&at, heading), "{}: nothing is at {target}", name.display());
            count += 1;
        }
        // As `operating.md` in docs/ and below, and `docs/operating.md` elsewhere.
        for span in spans(&page).iter().filter(|span| span.ends_with(".md") && !span.contains('*'))
        {
            let folders = [folder, Path::new(""), Path::new("docs")];
            let is_page = folders.iter().any(|folder| is_there(&folder.join(span), ""));
            assert!(is_page, "{}: there is no {span}", name.display());
            count += 1;
        }
    }
    println!("{count} links and names of pages lead somewhere");
    assert!(count > 50, "{count}");
    assert!(!is_there(Path::new("README.md"), "no-such-heading"));
}

/// Headings as GitHub links to them.
fn is_there(file: &Path, heading: &str) -> bool {
    if !repository().join(file).is_file() {
        return false;
    }
    let anchor = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        title.chars().filter(|c| c.is_alphanumeric() || ['-', '_'].contains(c)).collect::<String>()
    };
    let is_heading = |line: &&str| line.starts_with('#');
    heading.is_empty() || text(file).lines().filter(is_heading).any(|line| anchor(line) == heading)
}
