//! What is measured at the start, by programs that are attached for it.

use super::abi::record::mote_settings;
use super::error::StartError;
use super::hooks::{self, FormatError, Hook};
use super::measure::{self, Offsets};
use super::object::CallContext;
use super::tracefs::Tracefs;
use super::{Ebpf, arguments, files};

impl Ebpf {
    /// Finds out what a call's context is like, where tracefs does not tell.
    pub(super) fn measure_calls(
        &self,
        tracefs: &Tracefs,
        settings: &mut mote_settings,
    ) -> Result<(), StartError> {
        if self.kernel.context == CallContext::Usual {
            return Ok(());
        }
        let attached = self.attach(tracefs, hooks::TRIAL)?;
        let offsets = match attached {
            Some(_) => measure::call_offsets(&self.object, settings).unwrap_or(None),
            None => None,
        };
        let unknown = FormatError::Layout(hooks::TRIAL.event, "args");
        let offsets = offsets.ok_or(StartError::Format(unknown))?;
        settings.call_number_offset = offsets.number;
        settings.call_args_offset = offsets.args;
        self.object.set_settings(settings).map_err(StartError::Settings)
    }

    pub(super) fn measure(
        &self,
        tracefs: &Tracefs,
        settings: &mote_settings,
    ) -> Result<Offsets, StartError> {
        const EVENT: &str = "sched_process_exit";
        let hook = Hook { category: "sched", event: EVENT, program: "probe_exit" };
        let attached = self.attach(tracefs, hook)?;
        if attached.is_none() {
            return Ok(Offsets::default());
        }
        // What is not known is said at the start.
        Ok(measure::offsets(&self.object, settings).unwrap_or_default())
    }

    /// Finds out where the kernel's copy of arguments is, where it is needed (`bpf/args.h`).
    pub(super) fn measure_arguments(
        &mut self,
        tracefs: &Tracefs,
        settings: &mut mote_settings,
    ) -> Result<(), StartError> {
        let needed = cfg!(target_arch = "aarch64") && settings.task_exit_code_offset != 0;
        let attached = if needed { self.attach(tracefs, hooks::PEEK)? } else { None };
        if attached.is_none() {
            return Ok(());
        }
        if let Ok(Some(offsets)) = arguments::arguments(&self.object, settings) {
            settings.task_mm_offset = offsets.task_mm;
            settings.mm_arg_start_offset = offsets.mm_arg_start;
        }
        Ok(())
    }

    /// Finds out how a descriptor is followed. What is not known is said at the start.
    pub(super) fn measure_files(
        &mut self,
        tracefs: &Tracefs,
        settings: &mut mote_settings,
    ) -> Result<(), StartError> {
        if settings.task_signal_offset == 0 {
            return Ok(());
        }
        let attached = self.attach(tracefs, hooks::PEEK)?;
        if attached.is_none() {
            return Ok(());
        }
        if let Ok(Some(files)) = files::files(&self.object, settings) {
            settings.task_files_offset = files.offsets.task_files;
            settings.files_fdt_offset = files.offsets.files_fdt;
            settings.file_path_offset = files.offsets.file_path;
            settings.dentry_parent_offset = files.offsets.dentry_parent;
            settings.mount_offset = files.offsets.mount;
            settings.host_mount = files.host_mount;
            self.descriptors_known = true;
        }
        Ok(())
    }
}
