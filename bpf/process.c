/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Processes: exec, fork. */
#include "args.h"
#include "exclude.h"
#include "flood.h"

/* A process begins, executes a program or ends: what holds of it ends too. */
INLINE void end_program(u32 pid, u64 time_ns, const struct mote_settings *set)
{
	end_exclusion(pid, time_ns);
	renew_budget(pid, set);
}

struct exec_slot {
	struct claim claim;
	const void *path;
	u64 entered_ns;
	struct mote_exec exec;
};

MAP(execs, MAP_ARRAY, struct exec_slot, MOTE_EXEC_SLOTS);
/* For an exec whose enter was not seen, or found both its places taken. */
MAP(exec_overflow, MAP_PERCPU_ARRAY, struct exec_slot, 1);

/* A thread that calls exec takes the id of its group's leader on the way, and may be
 * killed before or after: its task_struct is what stays the same, and its process. */
INLINE struct exec_slot *claim_exec(u64 id)
{
	return claim_slot(&execs, MOTE_EXEC_SLOTS, id >> 32, get_current_task());
}

INLINE struct exec_slot *find_exec(u64 id)
{
	struct exec_slot *slot = find_slot(&execs, MOTE_EXEC_SLOTS, id >> 32, get_current_task());

	/* The task_struct of a task whose end was not seen may be another process's now. */
	return slot && slot->exec.header.pid == (u32)(id >> 32) ? slot : 0;
}

/* This CPU's scratch slot, to be released. */
INLINE struct exec_slot *claim_exec_overflow(u64 id, s32 number)
{
	u32 zero = 0;
	struct exec_slot *slot = map_lookup(&exec_overflow, &zero);

	if (!slot)
		return 0;
	if (!try_claim(&slot->claim, get_current_task())) {
		count_loss(MOTE_LOSS_PRIORITY_BUSY, id >> 32, number);
		return 0;
	}
	return slot;
}

/* Reads the executed path behind the arguments. */
INLINE void read_exec_path(struct mote_exec *exec, const void *from)
{
	u64 used = *(volatile u16 *)&exec->args_bytes;
	u16 flags = exec->header.flags & ~(MOTE_PATH_UNREAD | MOTE_PATH_CUT);

	KEEP_IN_REGISTER(used);
	used &= MOTE_ARGS_BYTES;
	exec->path_bytes = read_name(exec->data + used, MOTE_EXEC_PATH_BYTES, from, &flags,
				     MOTE_PATH_UNREAD, MOTE_PATH_CUT);
	exec->header.flags = flags;
}

INLINE u64 exec_bytes(const struct mote_exec *exec)
{
	u64 bytes = __builtin_offsetof(struct mote_exec, data);

	bytes += exec->args_bytes;
	bytes += exec->path_bytes;
	KEEP_IN_REGISTER(bytes);
	if (bytes > sizeof(*exec))
		bytes = sizeof(*exec);
	return bytes;
}

/* An attempt changes nothing, and costs its caller next to nothing: a flood of them must
 * not push out what happened. `bounded`: it failed, which is one of the process's bulk events. */
INLINE void send_attempt(void *ctx, struct exec_slot *slot, u64 id,
			 const struct mote_settings *set, int bounded)
{
	struct mote_exec *exec = &slot->exec;

	exec->header.kind = MOTE_KIND_EXEC;
	set_identity(&exec->header, id);
	exec->header.time_ns = ktime_get_ns();
	exec->duration_us = duration_us(slot->entered_ns, exec->header.time_ns);
	if (bounded)
		send_bounded(ctx, exec, exec_bytes(exec), set);
	else
		send_bulk(ctx, exec, exec_bytes(exec));
}

INLINE int enter_exec(void *ctx, s32 number, s32 dirfd, const void *path, const void *argv)
{
	const struct mote_settings *set = get_settings();
	u64 id = get_current_pid_tgid();
	struct exec_slot *slot;
	int overflow = 0;

	if (!set || is_ignored(set, id))
		return 0;
	if (unlikely(set->calls_run_twice)) {
		slot = find_exec(id);
		if (slot && slot->path == path && slot->exec.header.syscall == number)
			return 0;
		if (is_sent(get_current_task()))
			return 0;
	}
	slot = claim_exec(id);
	if (unlikely(!slot)) {
		slot = claim_exec_overflow(id, number);
		if (!slot)
			return 0;
		if (set->calls_run_twice)
			mark_sent(get_current_task());
		overflow = 1;
	}
	slot->path = path;
	slot->entered_ns = ktime_get_ns();
	slot->exec.header.syscall = number;
	slot->exec.header.pid = id >> 32;
	slot->exec.header.tid = id;
	slot->exec.dirfd = dirfd;
	read_args(&slot->exec, argv);
	/* For an exec that fails: one that succeeds gets the kernel's own copy. */
	if (is_user(path)) {
		read_exec_path(&slot->exec, path);
	} else {
		slot->exec.path_bytes = 0;
		slot->exec.header.flags |= MOTE_PATH_UNREAD;
	}
	/* Whether it succeeds is not known yet. If it does, exec_done tells it once more,
	 * without the arguments. */
	if (unlikely(overflow)) {
		slot->exec.header.flags |= MOTE_RESULT_UNKNOWN;
		slot->exec.header.ret = 0;
		send_attempt(ctx, slot, id, set, 0);
		release(&slot->claim);
	}
	return 0;
}

CALL_PROGRAM(enter_execve)
{
	enter_exec(ctx, call_number(ctx), AT_FDCWD, address(ctx, 0), address(ctx, 1));
}

CALL_PROGRAM(enter_execveat)
{
	enter_exec(ctx, call_number(ctx), argument(ctx, 0), address(ctx, 1), address(ctx, 2));
}

/* execve and execveat return only when they fail, or after exec_done was run. */
INLINE int return_exec(void *ctx, s64 ret)
{
	const struct mote_settings *set = get_settings();
	u64 id = get_current_pid_tgid();
	struct exec_slot *slot = find_exec(id);

	if (!slot) {
		unmark_returning();
		return 0;
	}
	if (!set || is_ignored(set, id)) {
		release(&slot->claim);
		return 0;
	}
	if ((slot->exec.header.flags & MOTE_PATH_UNREAD) && is_user(slot->path)) {
		read_exec_path(&slot->exec, slot->path);
		slot->exec.header.flags |= MOTE_READ_LATE;
	}
	slot->exec.header.ret = ret;
	send_attempt(ctx, slot, id, set, ret < 0);
	/* The kernel skipped exec_done, which else gives the slot back. */
	if (ret == 0)
		end_program(id >> 32, slot->exec.header.time_ns, set);
	release(&slot->claim);
	return 0;
}

CALL_PROGRAM(leave_exec)
{
	return_exec(ctx, call_result(ctx));
}

/*
 * The same for kernels that have no syscalls:* tracepoints of execve: x86-64 up to 4.16
 * (arch/x86/entry/entry_64.S called them through stubs), whose sys_execve and sys_execveat
 * take their arguments in registers as the caller passed them.
 */

/* struct pt_regs, arch/x86/include/asm/ptrace.h, as far as it is used. */
struct registers {
	u64 not_used[10];
	u64 ax;
	u64 cx;
	u64 dx;
	u64 si;
	u64 di;
};

#define X86_64_EXECVE 59
#define X86_64_EXECVEAT 322

SEC("kprobe/probe_execve")
int probe_execve(struct registers *regs)
{
	return enter_exec(regs, X86_64_EXECVE, AT_FDCWD, (void *)regs->di, (void *)regs->si);
}

SEC("kprobe/probe_execveat")
int probe_execveat(struct registers *regs)
{
	return enter_exec(regs, X86_64_EXECVEAT, regs->di, (void *)regs->si, (void *)regs->dx);
}

SEC("kprobe/probe_exec_return")
int probe_exec_return(struct registers *regs)
{
	return return_exec(regs, regs->ax);
}

/* sched:sched_process_exec: the point of no return is passed. */
SEC("tracepoint/exec_done")
int exec_done(void *ctx)
{
	const struct mote_settings *set = get_settings();
	u64 id = get_current_pid_tgid();
	u64 now_ns = ktime_get_ns();
	struct exec_slot *slot;
	u32 location = 0;

	if (!set || is_ignored(set, id))
		return 0;
	end_program(id >> 32, now_ns, set);
	slot = find_exec(id);
	if (!slot) {
		slot = claim_exec_overflow(id, -1);
		if (!slot)
			return 0;
		slot->exec.header.syscall = -1;
		slot->exec.header.flags = MOTE_ARGS_UNREAD;
		slot->exec.args_bytes = 0;
		slot->exec.args_count = 0;
		slot->exec.dirfd = AT_FDCWD;
		slot->entered_ns = 0;
	} else {
		copy_args(&slot->exec, set);
		/* Another thread than the first, whose id it has by now: the first may have changed
		 * the directory since it was entered. */
		if (slot->exec.header.tid != (u32)id)
			slot->entered_ns = 0;
	}
	/* __data_loc: the low half is an offset from the record (include/trace/trace_events.h). */
	probe_read(&location, sizeof(location), ctx + set->exec_filename_offset);
	read_exec_path(&slot->exec, ctx + (location & 0xffff));
	slot->exec.header.kind = MOTE_KIND_EXEC;
	slot->exec.header.ret = 0;
	set_identity(&slot->exec.header, id);
	slot->exec.duration_us = duration_us(slot->entered_ns, now_ns);
	slot->exec.header.time_ns = now_ns;
	send_priority(ctx, &slot->exec, exec_bytes(&slot->exec));
	release(&slot->claim);
	return 0;
}

#define CLONE_FS 0x00000200
#define CLONE_THREAD 0x00010000

/* task:task_newtask, in the parent. */
SEC("tracepoint/fork_done")
int fork_done(void *ctx)
{
	const struct mote_settings *set = get_settings();
	u64 id = get_current_pid_tgid();
	struct mote_fork fork = {};

	if (!set || is_ignored(set, id))
		return 0;
	probe_read(&fork.clone_flags, sizeof(fork.clone_flags),
		   ctx + set->newtask_clone_flags_offset);
	if ((fork.clone_flags & CLONE_THREAD) && (fork.clone_flags & CLONE_FS))
		return 0;
	probe_read(&fork.child_pid, sizeof(fork.child_pid), ctx + set->newtask_pid_offset);
	fork.header.kind = MOTE_KIND_FORK;
	fork.header.syscall = -1;
	fork.header.ret = fork.child_pid;
	set_identity(&fork.header, id);
	fork.header.time_ns = ktime_get_ns();
	if (!(fork.clone_flags & CLONE_THREAD))
		end_program(fork.child_pid, fork.header.time_ns, set);
	send_priority(ctx, &fork, sizeof(fork));
	return 0;
}
