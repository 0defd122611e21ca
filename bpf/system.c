/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Calls that change what a process may do, or the system. As in file.c. */
#include "names.h"

/* What a call is given that has no name. */
#define PLAIN(...) REQUEST(.kind = MOTE_KIND_NAME, __VA_ARGS__)

/* setsid: (); setgroups: (count, groups); pidfd_getfd: (pidfd, fd, flags) */
CALL_PROGRAM(enter_plain)
{
	struct request request = PLAIN();

	enter_other_call(ctx, &request, 0);
}

#define NO_ID 0xffffffff

/* setuid, setgid: (id), which is the effective one at least */
CALL_PROGRAM(enter_id)
{
	struct request request = PLAIN(.value = two_ids(NO_ID, argument(ctx, 0)), .mode = NO_ID);

	enter_other_call(ctx, &request, 0);
}

/* setreuid, setregid: (real, effective) */
CALL_PROGRAM(enter_two_ids)
{
	struct request request = PLAIN(.value = two_ids(argument(ctx, 0), argument(ctx, 1)),
				       .mode = NO_ID);

	enter_other_call(ctx, &request, 0);
}

/* setresuid, setresgid: (real, effective, saved) */
CALL_PROGRAM(enter_three_ids)
{
	struct request request = PLAIN(.value = two_ids(argument(ctx, 0), argument(ctx, 1)),
				       .mode = argument(ctx, 2));

	enter_other_call(ctx, &request, 0);
}

/* PTRACE_* of include/uapi/linux/ptrace.h and of the architectures: those that give power over
 * the other process, or change it. A debugger asks a thousand other things a second. */
INLINE int changes_other(u64 request)
{
	return request == 0 /* TRACEME */ || request == 4 /* POKETEXT */ ||
	       request == 5 /* POKEDATA */ || request == 6 /* POKEUSR */ ||
	       request == 8 /* KILL */ || request == 13 /* SETREGS */ ||
	       request == 15 /* SETFPREGS */ || request == 16 /* ATTACH */ ||
	       request == 30 /* ARCH_PRCTL, x86 */ || request == 34 /* POKEMTETAGS, arm64 */ ||
	       request == 0x4203 /* SETSIGINFO */ || request == 0x4205 /* SETREGSET */ ||
	       request == 0x4206 /* SEIZE */ || request == 0x420b /* SETSIGMASK */ ||
	       request == 0x4212 /* SET_SYSCALL_INFO */;
}

/* ptrace: (request, pid, address, data) */
CALL_PROGRAM(enter_ptrace)
{
	struct request request = PLAIN(.call_flags = argument(ctx, 0), .value = argument(ctx, 1));

	if (!changes_other(argument(ctx, 0)))
		return;
	enter_other_call(ctx, &request, 0);
}

/* process_vm_writev: (pid, ...) */
CALL_PROGRAM(enter_pid)
{
	struct request request = PLAIN(.value = argument(ctx, 0));

	enter_other_call(ctx, &request, 0);
}

/* init_module: (image, bytes, parameters) */
CALL_PROGRAM(enter_init_module)
{
	struct request request = REQUEST(.kind = MOTE_KIND_PAIR, .from = address(ctx, 2),
					 .dirfd = -1, .flags = MOTE_UNNAMED);

	enter_other_call(ctx, &request, 1);
}

/* finit_module: (fd, parameters, flags) */
CALL_PROGRAM(enter_finit_module)
{
	struct request request = REQUEST(.kind = MOTE_KIND_PAIR, .dirfd = argument(ctx, 0),
					 .from = address(ctx, 1), .call_flags = argument(ctx, 2),
					 .flags = MOTE_UNNAMED);

	enter_other_call(ctx, &request, 1);
}

/* kexec_file_load: (kernel's fd, initrd's fd, bytes of the command line, command line, flags) */
CALL_PROGRAM(enter_kexec_file)
{
	struct request request = REQUEST(.kind = MOTE_KIND_PAIR, .dirfd = argument(ctx, 0),
					 .from = address(ctx, 3), .call_flags = argument(ctx, 4),
					 .flags = MOTE_UNNAMED);

	if (!request.from)
		request.flags |= MOTE_FROM_ABSENT;
	enter_other_call(ctx, &request, 1);
}

/* kexec_load: (entry, segments, segments' addresses, flags) */
CALL_PROGRAM(enter_kexec)
{
	struct request request = PLAIN(.call_flags = argument(ctx, 3));

	enter_other_call(ctx, &request, 0);
}

/* delete_module, memfd_create, umount: (name, flags) */
CALL_PROGRAM(enter_name_flags)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .path = address(ctx, 0),
					 .call_flags = argument(ctx, 1));

	enter_other_call(ctx, &request, 1);
}

#define BPF_PROG_LOAD 5
#define PROG_NAME_OFFSET 48 /* of prog_name in union bpf_attr, include/uapi/linux/bpf.h */
#define PROG_NAME_BYTES 16

/* bpf: (command, attributes, bytes). A program has a name since 4.15. */
CALL_PROGRAM(enter_bpf)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME);
	const void *attributes = address(ctx, 1);
	u32 type = 0;

	/* The kernel takes the lower half of both numbers. */
	if ((u32)argument(ctx, 0) != BPF_PROG_LOAD)
		return;
	if (!is_user(attributes) || probe_read(&type, sizeof(type), attributes))
		request.flags |= MOTE_FLAGS_UNREAD;
	request.call_flags = type;
	if ((u32)argument(ctx, 2) < PROG_NAME_OFFSET + PROG_NAME_BYTES)
		request.flags |= MOTE_UNNAMED;
	else
		request.path = attributes + PROG_NAME_OFFSET;
	enter_other_call(ctx, &request, 1);
}

/* A time in seconds and a fraction, from where it is to be set. */
INLINE void enter_clock(void *ctx, u32 clock, const void *from, u32 ns_in_fraction)
{
	struct request request = PLAIN(.call_flags = clock);
	struct {
		u64 second;
		u64 fraction;
	} time = {};

	if (!is_user(from) || !from || probe_read(&time, sizeof(time), from))
		request.flags |= MOTE_FLAGS_UNREAD;
	request.value = time.second;
	request.mode = nanoseconds(time.fraction, ns_in_fraction);
	enter_other_call(ctx, &request, 0);
}

/* clock_settime: (clock, struct timespec *) */
CALL_PROGRAM(enter_clock_settime)
{
	enter_clock(ctx, argument(ctx, 0), address(ctx, 1), 1);
}

#define CLOCK_REALTIME 0

/* settimeofday: (struct timeval *, struct timezone *). Without a time it sets the zone, and may
 * step the clock by it (kernel/time/time.c, do_sys_settimeofday64). */
CALL_PROGRAM(enter_settimeofday)
{
	struct request request = PLAIN(.call_flags = CLOCK_REALTIME, .mode = NO_TIME);

	if (argument(ctx, 0))
		enter_clock(ctx, CLOCK_REALTIME, address(ctx, 0), 1000);
	else
		enter_other_call(ctx, &request, 0);
}

#define ADJ_SETOFFSET 0x0100

/* A step of the clock: what a time daemon does else, it does every second. */
INLINE void enter_adjust(void *ctx, u32 clock, const void *timex)
{
	struct request request = PLAIN(.call_flags = clock, .mode = NO_TIME);
	u32 modes = 0;

	/* It may be one. */
	if (!is_user(timex) || probe_read(&modes, sizeof(modes), timex))
		request.flags |= MOTE_FLAGS_UNREAD;
	else if (!(modes & ADJ_SETOFFSET))
		return;
	enter_other_call(ctx, &request, 0);
}

/* adjtimex: (struct timex *) */
CALL_PROGRAM(enter_adjtimex)
{
	enter_adjust(ctx, CLOCK_REALTIME, address(ctx, 0));
}

/* clock_adjtime: (clock, struct timex *) */
CALL_PROGRAM(enter_clock_adjtime)
{
	enter_adjust(ctx, argument(ctx, 0), address(ctx, 1));
}

#define URING_FLAGS_OFFSET 8 /* struct io_uring_params, include/uapi/linux/io_uring.h */

/* io_uring_setup: (entries, parameters) */
CALL_PROGRAM(enter_io_uring)
{
	struct request request = PLAIN();
	const void *parameters = address(ctx, 1);
	u32 flags = 0;

	if (!is_user(parameters) || probe_read(&flags, sizeof(flags),
					       parameters + URING_FLAGS_OFFSET))
		request.flags |= MOTE_FLAGS_UNREAD;
	request.call_flags = flags;
	enter_other_call(ctx, &request, 0);
}

#define BUDGET_SLOTS_LOG2 10
#define BUDGET_WINDOW_LOG2_NS 30 /* a second or so */
#define BUDGET_CALLS 64

struct budget {
	u64 window;
	u64 used;
};

MAP(budgets, MAP_ARRAY, struct budget, 1 << BUDGET_SLOTS_LOG2);

/*
 * Calls that change what a process may do, or the system, travel with the process events, where no
 * flood of files or connections pushes them out. But any user can make most of them without end
 * (memfd_create, unshare; in namespaces of his own also mount and setuid), so a process has a
 * budget, and what is beyond it travels with the files. Processes are told apart by a hash that
 * nobody can foresee: else one could be made to use up another one's. Two that share a place share a
 * budget, and not as in flood.h: what one of them has too many of is told all the same.
 */
INLINE int has_budget(const struct mote_header *header, const struct mote_settings *set)
{
	u32 place = header->pid * set->secret_key >> (32 - BUDGET_SLOTS_LOG2);
	u64 window = header->time_ns >> BUDGET_WINDOW_LOG2_NS;
	struct budget *budget = map_lookup(&budgets, &place);

	if (!budget)
		return 0;
	if (budget->window != window) {
		budget->window = window;
		budget->used = 0;
	}
	if (budget->used >= BUDGET_CALLS)
		return 0;
	__sync_fetch_and_add(&budget->used, 1);
	return 1;
}

/* `bounded`: whether any user may make it. */
INLINE void send_system(void *ctx, struct call_slot *slot, const struct mote_settings *set,
			int bounded)
{
	struct mote_call *call = &slot->call;
	int is_priority = 0;
	int is_told = 1;

	call->header.time_ns = ktime_get_ns();
	/* An attempt that fails changes nothing. */
	if (call->header.ret >= 0)
		is_priority = !bounded || has_budget(&call->header, set);
	else
		is_told = spend(call->header.pid, call->header.time_ns, set);
	if (is_told)
		send_either(ctx, call, call_bytes(call), is_priority);
	else
		count_suppressed(call->header.pid, call->header.syscall);
	release(&slot->claim);
}

/* Calls that change namespaces, and so what names mean. */
CALL_PROGRAM(leave_namespaces)
{
	const struct mote_settings *set = get_settings();
	struct call_slot *slot = find_returning(ctx, set);

	if (slot)
		send_system(ctx, slot, set, 1);
}

/* Other calls that any user may make, if only among his own processes or in his namespaces. */
CALL_PROGRAM(leave_system)
{
	const struct mote_settings *set = get_settings();
	struct call_slot *slot = find_returning(ctx, set);

	if (!slot)
		return;
	read_places(slot, 1, set);
	send_system(ctx, slot, set, 1);
}

/* Calls that need privileges in the first user namespace: modules, kernels, clocks. */
CALL_PROGRAM(leave_privileged)
{
	const struct mote_settings *set = get_settings();
	struct call_slot *slot = find_returning(ctx, set);

	if (!slot)
		return;
	read_places(slot, 0, set);
	send_system(ctx, slot, set, 0);
}
