/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The arguments of a program. */
#ifndef MOTE_ARGS_H
#define MOTE_ARGS_H

#include "names.h"

/* Reads an argument behind the others. Returns whether there is room for another one.
 *
 * What is known so far is kept in the record and not in registers: so every turn begins
 * alike for the verifier, which else walks each way through all turns (3.10.el7 gives up
 * after 131,072 instructions). */
INLINE int append_arg(struct mote_exec *exec, const void *arg)
{
	u64 used = exec->args_bytes;
	long bytes;

	if (exec->args_count >= MOTE_ARGS_MAX || used >= MOTE_ARGS_BYTES) {
		exec->header.flags |= MOTE_ARGS_CUT;
		return 0;
	}
	/* What it is by now: said to the verifier in a way that is not optimized away. */
	KEEP_IN_REGISTER(used);
	used &= MOTE_ARGS_BYTES;
	bytes = is_user(arg) ? probe_read_str(exec->data + used, MOTE_ARGS_BYTES, arg) : -1;
	if (bytes < 0)
		exec->header.flags |= MOTE_ARGS_UNREAD;
	if (bytes <= 0) {
		/* Keeps its place, empty; it is, where the helper says 0 (read_name). */
		exec->data[used] = 0;
		bytes = 1;
	}
	if (bytes >= MOTE_ARGS_BYTES) {
		exec->header.flags |= MOTE_ARGS_CUT;
		bytes = MOTE_ARGS_BYTES;
	}
	exec->args_bytes = used + bytes;
	exec->args_count += 1;
	return 1;
}

/* Reads the next argument. Returns whether there may be another one. */
INLINE int read_arg(struct mote_exec *exec, const void *const *from)
{
	const void *arg = 0;

	if (!is_user(from) || probe_read(&arg, sizeof(arg), from)) {
		exec->header.flags |= MOTE_ARGS_UNREAD;
		return 0;
	}
	return arg ? append_arg(exec, untagged(arg)) : 0;
}

INLINE void begin_args(struct mote_exec *exec)
{
	exec->args_bytes = 0;
	exec->args_count = 0;
	exec->header.flags = 0;
}

INLINE void end_args(struct mote_exec *exec)
{
	if (exec->args_bytes > MOTE_ARGS_BYTES) {
		exec->header.flags |= MOTE_ARGS_CUT;
		exec->args_bytes = MOTE_ARGS_BYTES;
	}
}

INLINE void read_args(struct mote_exec *exec, const void *const *argv)
{
	begin_args(exec);
#pragma clang loop unroll(full)
	for (int i = 0; i <= MOTE_ARGS_MAX; i++)
		if (!read_arg(exec, argv + i))
			break;
	end_args(exec);
}

#ifdef MOTE_ARM64
/*
 * An arm64 CPU before ARMv8.1 does not mark pages as accessed by itself: the kernel does, when
 * the fault comes, and a program's read takes no faults. So what a process has not touched since
 * its fork cannot be read when it calls exec. The new program has the kernel's own copy on its
 * stack, from mm_struct.arg_start to arg_end, one behind the other. Of a script it begins with
 * the interpreter.
 */
INLINE void copy_args(struct mote_exec *exec, const struct mote_settings *set)
{
	struct {
		const u8 *start;
		const u8 *end;
	} args = {};
	const u8 *mm = 0;
	u8 first;

	if (!(exec->header.flags & MOTE_ARGS_UNREAD) || !set->task_mm_offset ||
	    probe_read(&mm, sizeof(mm), (void *)get_current_task() + set->task_mm_offset) ||
	    probe_read(&args, sizeof(args), mm + set->mm_arg_start_offset) ||
	    probe_read(&first, sizeof(first), args.start))
		return;
	begin_args(exec);
#pragma clang loop unroll(full)
	for (int i = 0; i <= MOTE_ARGS_MAX; i++) {
		const u8 *next = args.start + exec->args_bytes;

		if (next >= args.end || !append_arg(exec, next))
			break;
	}
	end_args(exec);
}
#else
INLINE void copy_args(struct mote_exec *exec, const struct mote_settings *set)
{
}
#endif

#endif
