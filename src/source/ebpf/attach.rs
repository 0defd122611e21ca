//! Puts programs on their hooks.

use std::io;
use std::os::fd::OwnedFd;

use super::compat::{self, Compat, Trial};
use super::formats::{self, FormatError};
use super::hooks::{self, Hook};
use super::kallsyms::Functions;
use super::kprobe::{self, Definition, Kprobe};
use super::object::CallContext;
use super::retire::AttachedProgram;
use super::tracefs::Tracefs;
use super::{Ebpf, StartError, compat_forms, cpus, perf, program_info, uring};

/// A program that runs, until this is dropped.
#[derive(Debug)]
pub(super) struct Attached {
    // Closed first: a kprobe that is in use cannot be removed.
    #[expect(dead_code, reason = "held to be closed")]
    event: OwnedFd,
    #[expect(dead_code, reason = "held to be removed")]
    definition: Option<Definition>,
    pub(super) program: AttachedProgram,
}

impl Ebpf {
    pub(super) fn attach_all(&mut self, tracefs: &Tracefs) -> Result<(), StartError> {
        for hook in hooks::PROCESS {
            self.attach_or_note(tracefs, hook)?;
        }
        for (enter, leave) in hooks::SYSCALLS {
            // Without its end a call would keep its slot until its thread ends.
            if self.attach_or_note(tracefs, leave)? {
                self.attach_or_note(tracefs, enter)?;
            }
        }
        self.attach_or_note(tracefs, hooks::SIGNAL)?;
        self.attach_uring(tracefs)?;
        if self.kernel.exec_kprobes || self.kernel.compat_kprobes {
            kprobe::remove_abandoned(tracefs);
        }
        if self.kernel.exec_kprobes {
            self.attach_kprobes(tracefs);
        }
        self.attach_compat(tracefs)
    }

    /// What its operations are is said before.
    fn attach_uring(&mut self, tracefs: &Tracefs) -> Result<(), StartError> {
        for (opcode, number) in uring::elements() {
            self.object.set_uring_call(opcode, number).map_err(StartError::Settings)?;
        }
        let found = formats::uring(tracefs).map_err(StartError::Format)?;
        self.attach_or_note(tracefs, found.map_or(hooks::URING[0], |(hook, _)| hook))?;
        Ok(())
    }

    fn attach_kprobes(&mut self, tracefs: &Tracefs) {
        for kprobe in kprobe::EXEC {
            match self.attach_kprobe(tracefs, kprobe, None) {
                Ok(attached) => {
                    self.hooks += 1;
                    self.attached.push(attached);
                }
                // One that the kernel does not have is missed once, though two programs want it.
                Err(_) => {
                    let name = format!("kprobe:{}", kprobe.function);
                    if !self.missing.contains(&name) {
                        self.missing.push(name);
                    }
                }
            }
        }
    }

    fn attach_compat(&mut self, tracefs: &Tracefs) -> Result<(), StartError> {
        if self.kernel.compat == Trial::Absent {
            return Ok(());
        }
        self.compat = Compat::Unseen;
        for (place, call) in compat_forms::elements() {
            self.object.set_compat_call(place, &call).map_err(StartError::Settings)?;
        }
        for group in compat::KPROBES.into_iter().filter(|_| self.kernel.compat_kprobes) {
            let attached: Result<Vec<Attached>, io::Error> =
                group.iter().map(|kprobe| self.attach_kprobe(tracefs, *kprobe, None)).collect();
            // One that the kernel does not have, or lets nobody probe.
            let Ok(attached) = attached else { continue };
            self.hooks += attached.len();
            self.attached.extend(attached);
            self.compat = Compat::Seen;
            return Ok(());
        }
        if self.kernel.compat_kprobes {
            self.attach_compat_functions(tracefs);
        }
        Ok(())
    }

    /// Each of them by its own function, where there is none that all go through: all of these, or
    /// none.
    fn attach_compat_functions(&mut self, tracefs: &Tracefs) {
        let names = compat_forms::functions().flat_map(|(names, _)| names).collect();
        let Ok(known) = Functions::read(&names) else { return };
        let (mut all, mut missing) = (Vec::new(), Vec::new());
        for (functions, same) in compat_forms::functions() {
            // Of some calls the kernel has both, and uses one.
            let here: Vec<_> = functions.into_iter().filter(|name| known.has(name)).collect();
            if here.is_empty() && !self.missing.contains(&format!("syscalls:sys_exit_{same}")) {
                missing.push(format!("kprobe:{}", functions[1]));
            }
            for function in here {
                let probe = Kprobe { function, program: compat::PROGRAM, at_return: false };
                match self.attach_kprobe(tracefs, probe, known.address(function)) {
                    Ok(attached) => all.push(attached),
                    Err(_) => {
                        self.missing.push(format!("kprobe:{function}"));
                        return;
                    }
                }
            }
        }
        // Without any, the kernel has other names for them.
        if !all.is_empty() {
            self.hooks += all.len();
            self.attached.extend(all);
            self.missing.extend(missing);
            self.compat = Compat::Seen;
        }
    }

    /// Sees 32-bit system calls if nothing cheaper does: with a program at every system call.
    pub(super) fn watch_compat_calls(&mut self) -> Result<(), StartError> {
        if self.compat != Compat::Unseen {
            return Ok(());
        }
        self.compat = Compat::Failed;
        if self.kernel.compat != Trial::Works {
            return Ok(());
        }
        let tracefs = Tracefs::find_or_mount().map_err(StartError::Tracefs)?;
        let mut settings = self.settings;
        self.measure_compat(&tracefs, &mut settings)?;
        if settings.task_status_offset == 0 {
            return Ok(());
        }
        self.settings = settings;
        self.object.set_settings(&settings).map_err(StartError::Settings)?;
        if self.attach_or_note(&tracefs, hooks::RAW)? {
            self.compat = Compat::Seen;
        }
        Ok(())
    }

    fn attach_kprobe(
        &self,
        tracefs: &Tracefs,
        kprobe: Kprobe,
        address: Option<u64>,
    ) -> io::Result<Attached> {
        let program = self.object.program(kprobe.program).ok_or(io::ErrorKind::NotFound)?;
        let (definition, id) = Definition::add(tracefs, kprobe, address)?;
        let event = perf::attach_tracepoint(id, program, cpus::some()?)?;
        let hook = Hook { category: "kprobe", event: kprobe.function, program: kprobe.program };
        let program = AttachedProgram { hook, id: program_info::id(program).ok() };
        Ok(Attached { event, definition: Some(definition), program })
    }

    fn attach_or_note(&mut self, tracefs: &Tracefs, hook: Hook) -> Result<bool, StartError> {
        match self.attach(tracefs, hook)? {
            Some(attached) => {
                self.hooks += 1;
                self.attached.extend(attached);
                Ok(true)
            }
            None => {
                self.missing.push(hook.to_string());
                Ok(false)
            }
        }
    }

    /// `None`: this kernel does not have the tracepoint, or has it in another shape.
    pub(super) fn attach(
        &self,
        tracefs: &Tracefs,
        hook: Hook,
    ) -> Result<Option<Vec<Attached>>, StartError> {
        let format = tracefs
            .format(hook.category, hook.event)
            .map_err(|error| StartError::Format(FormatError::Read(hook.event, error)))?;
        let Some(format) = format else { return Ok(None) };
        let as_loaded = self.kernel.context == CallContext::Measured || formats::is_usual(&format);
        if hook.category == "syscalls" && !as_loaded {
            return Ok(None);
        }
        let failed = |error| StartError::Attach(hook.event, error);
        let cpu = cpus::some().map_err(StartError::CpuList)?;
        let mut attached = Vec::new();
        for run in self.object.runs(hook.program) {
            let event = perf::attach_tracepoint(format.id, run, cpu).map_err(failed)?;
            let program = AttachedProgram { hook, id: program_info::id(run).ok() };
            attached.push(Attached { event, definition: None, program });
        }
        if attached.is_empty() {
            return Err(failed(io::Error::other("no such program in the object")));
        }
        Ok(Some(attached))
    }
}
