/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * 32-bit system calls on x86-64, of 32-bit programs and by `int 0x80` of any other: the
 * syscalls:* tracepoints leave them out (trace_get_syscall_nr, kernel/trace/trace_syscalls.c). They
 * are told when they are entered. What each of them is given user space says, in the map
 * `compat_calls` (src/source/ebpf/compat_forms.rs).
 */
/* Included behind file.c, network.c, system.c and mount.c, for what these look at in their calls. */
#ifndef MOTE_ARM64
#include "names.h"
#include "socket.h"

MAP(compat_calls, MAP_ARRAY, struct mote_compat_call, MOTE_COMPAT_CALLS);

/* What a call can be given: its arguments, then constants. Nothing else runs on the CPU while a
 * program fills and uses it: kprobes (kprobe_perf_func, kernel/trace/trace_kprobe.c) and this
 * tracepoint's (perf_trace_sys_enter, include/trace/perf.h) forbid preemption, on 7.x too. */
struct given {
	u32 words[MOTE_GIVEN_WORDS];
};

MAP(given, MAP_PERCPU_ARRAY, struct given, 1);

#define COMPAT_ARGUMENTS 6
#define SOCKETCALL 102
#define SOCKETCALL_MASK (MOTE_COMPAT_CALLS - MOTE_COMPAT_SOCKET_CALLS - 1)

INLINE u32 get_given(const struct given *given, u8 which)
{
	u64 place = which;

	KEEP_IN_REGISTER(place);
	place &= MOTE_GIVEN_WORDS - 1;
	return given->words[place];
}

INLINE const void *given_address(const struct given *given, u8 which)
{
	return (void *)(u64)get_given(given, which);
}

/* What a call is; null: it is not told. */
INLINE const struct mote_compat_call *find_compat(u32 number, const struct given *given)
{
	const struct mote_compat_call *call;
	u32 place = number;

	if (number == SOCKETCALL) {
		if (given->words[0] > SOCKETCALL_MASK)
			return 0;
		place = MOTE_COMPAT_SOCKET_CALLS + given->words[0];
	} else if (number >= MOTE_COMPAT_SOCKET_CALLS) {
		return 0;
	}
	call = map_lookup(&compat_calls, &place);
	return call && call->kind ? call : 0;
}

/* Reads the arguments of socketcall(2), which are in memory, as many as the kernel reads. Returns
 * 0 if they cannot be read: they may be resident when the kernel does. */
INLINE int read_socketcall(struct given *given, const struct mote_compat_call *call)
{
	const void *from = (void *)(u64)given->words[1];
	u64 bytes = call->words * sizeof(u32);

	KEEP_IN_REGISTER(bytes);
	if (bytes > sizeof(u32) * COMPAT_ARGUMENTS)
		bytes = sizeof(u32) * COMPAT_ARGUMENTS;
	return bytes && !probe_read(given->words, bytes, from);
}

/* Whether a call of this kind is told that is given this. */
INLINE int is_wanted(const struct mote_compat_call *call, const struct request *request)
{
	if (call->filter == MOTE_COMPAT_CHANGES || call->filter == MOTE_COMPAT_HOW)
		return request->flags & MOTE_FLAGS_UNREAD || can_change(request->call_flags);
	if (call->filter == MOTE_COMPAT_PTRACE)
		return changes_other(request->call_flags) ||
		       request->call_flags == 19 /* SETFPXREGS */ ||
		       request->call_flags == 26 /* SET_THREAD_AREA */;
	if (call->filter == MOTE_COMPAT_LOADS)
		return request->call_flags == BPF_PROG_LOAD;
	if (call->filter == MOTE_COMPAT_COPIES)
		return copies_tree(request->call_flags);
	return 1;
}

/* The flags of openat2, which stand in memory as they do for 64-bit calls: struct open_how. */
INLINE void read_compat_how(struct request *request)
{
	struct {
		u64 flags;
		u64 mode;
		u64 resolve;
	} how = {};

	if (probe_read(&how, sizeof(how), (void *)(u64)request->call_flags))
		request->flags |= MOTE_FLAGS_UNREAD;
	if (how.resolve & RESOLVE_IN_ROOT)
		request->flags |= MOTE_ROOTED;
	request->call_flags = how.flags;
	request->mode = how.mode;
}

/* The address of a message, struct compat_msghdr of include/net/compat.h. Returns 0 if it has
 * none; one that cannot be read may have one. */
INLINE int read_compat_message(struct request *request)
{
	struct {
		u32 address;
		u32 bytes;
	} message = {};
	int is_unread = probe_read(&message, sizeof(message), request->from);

	request->path = (void *)(u64)message.address;
	request->mode = message.bytes;
	request->from = 0;
	return is_unread || (message.address && message.bytes);
}

/* Where nothing is pointed at, a call on a descriptor or with nothing to mount. */
INLINE u16 absent_flags(const struct mote_compat_call *call, const struct request *request)
{
	if (call->kind == MOTE_KIND_NAME && call->named && !request->path &&
	    call->dirfd < COMPAT_ARGUMENTS)
		return MOTE_UNNAMED;
	if (call->kind == MOTE_KIND_PAIR && call->route == MOTE_COMPAT_SYSTEM)
		return (request->from ? 0 : MOTE_FROM_ABSENT) |
		       (request->path || call->dirfd >= COMPAT_ARGUMENTS ? 0 : MOTE_UNNAMED);
	return 0;
}

/* Of 16-bit ids the kernel looks at the lower half, in which -1 is another number. */
INLINE u32 widened(u32 id)
{
	return (u16)id == 0xffff ? NO_ID : (u16)id;
}

/* `kind` is a constant where it is used. */
INLINE void send_compat(void *ctx, struct call_slot *slot, const struct mote_settings *set, u16 kind,
			const struct mote_compat_call *call)
{
	struct mote_call *record = &slot->call;
	u32 users = 0;

	record->header.ret = 0;
	if (kind == MOTE_KIND_SOCKET) {
		read_request(slot, MOTE_KIND_SOCKET, 1);
		read_socket(set, find_file(set, record->dirfd, &users), (void *)record->data);
	} else if (call->named) {
		read_names(slot, kind);
	}
	record->header.time_ns = ktime_get_ns();
	if (kind == MOTE_KIND_SOCKET &&
	    (is_netlink(record) || (call->filter == MOTE_COMPAT_ACCEPTS && is_within_host(record))))
		return;
	if (call->filter == MOTE_COMPAT_SENDS)
		send_new(ctx, slot, set);
	else if (call->route == MOTE_COMPAT_BULK)
		send_bounded(ctx, record, call_bytes(record), set);
	else if (kind == MOTE_KIND_NAME && call->route == MOTE_COMPAT_NAMES)
		send_move(ctx, record, call_bytes(record), set);
	/* Whether it fails is not known: anybody could fill the ring, but for root. */
	else
		send_either(ctx, record, call_bytes(record),
			    call->route == MOTE_COMPAT_SYSTEM &&
				    (record->header.uid == 0 || has_budget(&record->header, set)));
}

/* A call of this number that has just been entered, with its arguments in `given`. */
INLINE void tell_compat(void *ctx, u32 number, struct given *given)
{
	const struct mote_settings *set = get_settings();
	u64 id = get_current_pid_tgid();
	struct request request = {};
	const struct mote_compat_call *call;
	struct call_slot *slot;
	int is_unread = 0;

	if (!set || is_ignored(set, id))
		return;
	call = find_compat(number, given);
	if (!call)
		return;
	request.flags = call->flags | MOTE_COMPAT | MOTE_RESULT_UNKNOWN;
	if (number == SOCKETCALL && !read_socketcall(given, call)) {
		is_unread = 1;
		given->words[0] = -1;
		__builtin_memset(given->words + 1, 0, (COMPAT_ARGUMENTS - 1) * sizeof(u32));
	}
	given->words[MOTE_GIVEN_NOTHING] = 0;
	given->words[MOTE_GIVEN_NO_ID] = NO_ID;
	given->words[MOTE_GIVEN_CWD] = AT_FDCWD;
	given->words[MOTE_GIVEN_CREAT] = O_CREAT | O_WRONLY | O_TRUNC;
	request.kind = call->kind;
	request.path = given_address(given, call->path);
	request.from = given_address(given, call->from);
	request.dirfd = get_given(given, call->dirfd);
	request.from_dirfd = get_given(given, call->from_dirfd);
	request.call_flags = get_given(given, call->call_flags);
	request.mode = get_given(given, call->mode);
	request.value = two_ids(get_given(given, call->value), get_given(given, call->value_high));
	if (call->narrow) {
		request.value = two_ids(widened(request.value), widened(request.value >> 32));
		request.mode = widened(request.mode);
	}
	request.flags |= absent_flags(call, &request);
	if (call->filter == MOTE_COMPAT_HOW)
		read_compat_how(&request);
	if (!is_wanted(call, &request))
		return;
	if (call->filter == MOTE_COMPAT_SENDS && !is_unread &&
	    (request.from ? !read_compat_message(&request) : !request.path))
		return;
	request.from = request.kind == MOTE_KIND_SOCKET ? 0 : request.from;
	if (!call->moves && unlikely(is_excluded(id >> 32))) {
		count_excluded(id >> 32, call->syscall);
		return;
	}
	if (call->route == MOTE_COMPAT_BULK && call->kind != MOTE_KIND_SOCKET &&
	    unlikely(is_spent(id >> 32, set))) {
		count_suppressed(id >> 32, call->syscall);
		return;
	}
	slot = claim_overflow(id, call->syscall);
	if (!slot)
		return;
	fill_call(slot, call->syscall, id, &request);
	if (call->kind == MOTE_KIND_SOCKET)
		send_compat(ctx, slot, set, MOTE_KIND_SOCKET, call);
	else if (call->kind == MOTE_KIND_PAIR)
		send_compat(ctx, slot, set, MOTE_KIND_PAIR, call);
	else
		send_compat(ctx, slot, set, MOTE_KIND_NAME, call);
	release(&slot->claim);
}

/* struct pt_regs from bp on, as far as a 32-bit call is in it. */
struct compat_registers {
	u64 bp;
	u64 bx;
	u64 not_used[5];
	u64 cx;
	u64 dx;
	u64 si;
	u64 di;
	u64 number;
};

#define COMPAT_REGISTERS_OFFSET 32

INLINE void tell_registers(void *ctx, const u8 *registers)
{
	struct compat_registers from = {};
	u32 zero = 0;
	struct given *given_here = map_lookup(&given, &zero);

	if (!given_here ||
	    probe_read(&from, sizeof(from), registers + COMPAT_REGISTERS_OFFSET))
		return;
	given_here->words[0] = from.bx;
	given_here->words[1] = from.cx;
	given_here->words[2] = from.dx;
	given_here->words[3] = from.si;
	given_here->words[4] = from.di;
	given_here->words[5] = from.bp;
	tell_compat(ctx, from.number, given_here);
}

/* ia32_sys_call, do_int80_syscall_32, do_fast_syscall_32, __ia32_sys_open and others: (struct
 * pt_regs *, ...). Where each is: src/source/ebpf/compat.rs. */
SEC("kprobe/probe_compat")
int probe_compat(struct registers *regs)
{
	tell_registers(regs, (void *)regs->di);
	return 0;
}

#define TS_COMPAT 2 /* arch/x86/include/asm/thread_info.h */

/* raw_syscalls:sys_enter, of all calls: where no function can be probed. */
SEC("tracepoint/enter_compat")
int enter_compat(void *ctx)
{
	const struct mote_settings *set = get_settings();
	struct given *given_here;
	u64 args[COMPAT_ARGUMENTS] = {};
	u32 number = 0;
	u32 status = 0;
	u32 zero = 0;

	if (!set || !set->task_status_offset ||
	    probe_read(&status, sizeof(status),
		       (void *)get_current_task() + set->task_status_offset) ||
	    !(status & TS_COMPAT))
		return 0;
	given_here = map_lookup(&given, &zero);
	if (!given_here || probe_read(&number, sizeof(number), ctx + set->raw_number_offset) ||
	    probe_read(args, sizeof(args), ctx + set->raw_args_offset))
		return 0;
#pragma clang loop unroll(full)
	for (int i = 0; i < COMPAT_ARGUMENTS; i++)
		given_here->words[i] = args[i];
	tell_compat(ctx, number, given_here);
	return 0;
}
#endif
