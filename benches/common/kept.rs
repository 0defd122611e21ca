//! Figures that are the same from run to run, and are kept in the repository: `cargo test` tells when they
//! change.

use std::collections::BTreeMap;
use std::path::Path;

/// By how much of it a figure may be more than what is kept, or less: less is a reason to keep the new one.
const TOLERANCE: f64 = 0.1;

/// Compares with those of `benches/BENCH/kept.json`.
pub fn assert_as_kept(bench: &str, figures: &[(&str, f64)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(bench).join("kept.json");
    let kept: BTreeMap<String, f64> =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    for (name, figure) in figures {
        println!("{name}: {figure:.0}, {:.0} kept", kept[*name]);
    }
    for (name, figure) in figures {
        assert!(
            (1.0 - TOLERANCE..=1.0 + TOLERANCE).contains(&(figure / kept[*name])),
            "{name}: {figure:.0} in the place of {:.0}; if that has to be, keep it in {}",
            kept[*name],
            path.display()
        );
    }
}
