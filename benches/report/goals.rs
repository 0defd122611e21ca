//! The goals, and figures without one.

/// At most so much of a figure.
pub struct Goal {
    pub what: &'static str,
    /// `None`: it is only told.
    pub most: Option<f64>,
    /// With the blank that it needs.
    pub unit: &'static str,
    /// Behind the point.
    pub digits: usize,
    /// The benchmark, and its figure.
    pub figure: (&'static str, &'static str),
}

const fn goal(
    what: &'static str,
    most: f64,
    unit: &'static str,
    digits: usize,
    figure: (&'static str, &'static str),
) -> Goal {
    Goal { what, most: Some(most), unit, digits, figure }
}

const fn told(
    what: &'static str,
    unit: &'static str,
    digits: usize,
    figure: (&'static str, &'static str),
) -> Goal {
    Goal { what, most: None, unit, digits, figure }
}

pub const GOALS: &[Goal] = &[
    goal("a call that is not hooked (getppid)", 1.10, " times", 2, ("overhead", "getppid_ratio")),
    goal(
        "a rename, told with both names and its result",
        250.0,
        " ns more",
        0,
        ("overhead", "rename_more_ns"),
    ),
    goal(
        "a rename of an excluded process",
        150.0,
        " ns more",
        0,
        ("overhead", "rename_excluded_more_ns"),
    ),
    goal("from a ring to a queued message, an event", 300.0, " ns", 0, ("pipeline", "queue_ns")),
    goal(
        "the sensor at 100,000 events a second",
        5.0,
        " % of a CPU",
        1,
        ("footprint", "load_cpu_percent"),
    ),
    goal("of those, lost", 0.0, "", 0, ("footprint", "load_lost")),
    goal("idle, wake-ups a second", 5.0, "", 1, ("footprint", "idle_wakeups_a_second")),
    goal("idle", 0.05, " % of a CPU", 4, ("footprint", "idle_cpu_percent")),
    goal("resident, under load", 4.0, " MiB", 1, ("footprint", "load_rss_mib")),
    goal("rings and maps in the kernel", 2.0, " MiB", 1, ("footprint", "rings_and_maps_mib")),
    goal("binary, static", 2.0, " MiB", 1, ("footprint", "binary_mib")),
    goal("from its start to attached", 100.0, " ms", 0, ("footprint", "start_ms")),
    goal("a file of a build by make and gcc", 1.05, " times", 2, ("overhead", "compile_ratio")),
    goal("a request of nginx", 1.05, " times", 2, ("overhead", "request_ratio")),
    goal(
        "bytes of an event on the wire, of auditd's",
        0.04,
        " times",
        3,
        ("wire", "package_ratio"),
    ),
    told(
        "an event with 1,000 exclusions, of its instructions with none",
        " times",
        3,
        ("scale", "exclusions_all_1000_ratio"),
    ),
    told(
        "a rename with 1,000 exclusions, of its time with none",
        " times",
        2,
        ("scale", "rename_exclusions_1000_ratio"),
    ),
    told("of 100,000 processes, not told", " events", 0, ("scale", "processes_missing")),
    told("resident more after them", " KiB", 0, ("scale", "processes_rss_more_kib")),
    told("the heap that a day of a week keeps", " bytes", 0, ("scale", "week_heap_kept_bytes")),
];
