//! One provider takes over from the other: both run for a moment, so that no event is missed.

use std::time::{Duration, Instant, SystemTime};

use mio::Registry;

use super::{Fallback, Providers, Turn};
use crate::host::provider::Wanted;
use crate::memory;
use crate::record::Provider;
use crate::sensor::SensorError;
use crate::sensor::attempt::{Started, start_ebpf};
use crate::sensor::overlap::APART_NS;
use crate::sensor::pipeline::{Output, Pipeline, monotonic_ns};
use crate::source::ebpf::Retiring;
use crate::source::netlink::Netlink;

/// For how long both run: what is under way in the kernel when the new one begins is told by
/// the old one.
const OVERLAP: Duration = Duration::from_millis(2 * APART_NS / 1_000_000);

impl Providers {
    /// Lets eBPF take over, if it runs; why not otherwise. In the middle of a change from it, it
    /// still runs, and so does the process connector: what is under way in the kernel is told by
    /// either of them for as long as after any other change.
    pub fn enable_ebpf(
        &mut self,
        registry: &Registry,
        pipeline: &mut Pipeline,
        output: &mut impl Output,
    ) -> Result<(), SensorError> {
        if self.fallback.is_none() {
            return Ok(());
        }
        if self.overlap_until.is_none() {
            self.told_until = None;
            pipeline.begin_overlap();
            let fallback = match start_ebpf(Wanted::Ebpf, self.options) {
                Ok(Started::Ebpf(ebpf)) => {
                    self.ebpf = Some(ebpf);
                    None
                }
                Ok(Started::Not(fallback)) => Some(fallback),
                // What it lacks now it may have later.
                Err(SensorError::Ebpf(error)) => Some(Fallback::Failed(error)),
                Err(error) => return Err(error),
            };
            memory::give_back();
            if fallback.is_some() {
                self.fallback = fallback;
                pipeline.end_overlap();
                return Ok(());
            }
        }
        self.fallback = None;
        self.overlap_until = Some(Instant::now() + OVERLAP);
        self.since = SystemTime::now();
        pipeline.set_provider(Provider::Ebpf, output);
        // What the process connector told of processes lacks their directories.
        pipeline.learn_anew();
        self.register(registry)
    }

    /// Lets the process connector take over, for this reason. If it does not run, eBPF goes on. In
    /// the middle of a change from it, it still runs.
    pub fn disable_ebpf(
        &mut self,
        why: Fallback,
        registry: &Registry,
        pipeline: &mut Pipeline,
        output: &mut impl Output,
    ) -> Result<(), SensorError> {
        if self.fallback.is_some() {
            self.fallback = Some(why);
            return Ok(());
        }
        if self.overlap_until.is_none() {
            self.told_until = None;
            pipeline.begin_overlap();
            let netlink = match Netlink::start(monotonic_ns()) {
                Ok(netlink) => netlink,
                Err(error) => {
                    pipeline.end_overlap();
                    return Err(SensorError::NoProvider(why, error));
                }
            };
            self.netlink = Some(Box::new(netlink));
        }
        self.fallback = Some(why);
        self.overlap_until = Some(Instant::now() + OVERLAP);
        self.since = SystemTime::now();
        pipeline.set_provider(Provider::Netlink, output);
        pipeline.scan_identities();
        self.register(registry)
    }

    /// Goes on with a start or a change of providers, in small steps: whether there is more to do.
    pub fn advance(
        &mut self,
        now: Instant,
        pipeline: &mut Pipeline,
        output: &mut impl Output,
    ) -> Result<bool, SensorError> {
        if self.overlap_until.is_some_and(|until| now >= until) {
            self.end_overlap(pipeline, output)?;
        }
        if self.told_until.is_some_and(|until| now >= until) {
            self.told_until = None;
            pipeline.end_overlap();
        }
        // One step a turn, since each waits for every CPU (`tracepoint_synchronize_unregister`), some
        // 60 ms.
        let goes_on = match self.retiring.front_mut() {
            None => self.ebpf.as_mut().is_some_and(|ebpf| ebpf.end_trial()),
            Some(retiring) => {
                if !retiring.step() {
                    self.retiring.pop_front();
                }
                true
            }
        };
        Ok(goes_on || self.overlap_until.is_some())
    }

    /// The old one hands out what it has, and ends.
    fn end_overlap(
        &mut self,
        pipeline: &mut Pipeline,
        output: &mut impl Output,
    ) -> Result<(), SensorError> {
        if self.overlap_until.take().is_none() {
            return Ok(());
        }
        let end_ns = Some(monotonic_ns());
        let is_last = self.active() == Provider::Ebpf;
        while self.drain(end_ns, is_last, pipeline, output)? != Turn::Idle {}
        match self.active() {
            Provider::Ebpf => self.netlink = None,
            Provider::Netlink => {
                self.read_losses(pipeline);
                self.read_unsent_calls(pipeline);
                if let Some(ebpf) = self.ebpf.take() {
                    self.retire(ebpf.retire());
                }
            }
        }
        // What the old one told just before its end the new one may tell just after it.
        self.told_until = Some(Instant::now() + OVERLAP);
        Ok(())
    }

    /// While several are detached the loop goes on: only one too many waits for the oldest.
    fn retire(&mut self, retiring: Retiring) {
        if self.retiring.is_full() {
            self.retiring.pop_front();
        }
        let _ = self.retiring.push_back(retiring);
    }
}
