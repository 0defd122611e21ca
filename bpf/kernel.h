/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The kernel's interface, as far as it is used: helpers by number (include/uapi/linux/bpf.h,
 * ABI), maps, and what every program does with them. No system header is needed.
 */
#ifndef MOTE_KERNEL_H
#define MOTE_KERNEL_H

#include "record.h"

typedef mote_u8 u8;
typedef mote_u16 u16;
typedef mote_u32 u32;
typedef mote_u64 u64;
typedef mote_s32 s32;
typedef mote_s64 s64;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define unlikely(x) __builtin_expect(!!(x), 0)
/* Keeps the compiler from checking one copy of a value and using another: verifiers before
 * 6.12 or so then lose the bound. */
#define KEEP_IN_REGISTER(value) asm volatile("" : "+r"(value))

_Static_assert(sizeof(struct mote_header) == 56, "mote_header");
_Static_assert(sizeof(struct mote_exec) == 56 + 16 + 2048, "mote_exec");
_Static_assert(sizeof(struct mote_fork) == 56 + 16, "mote_fork");
_Static_assert(sizeof(struct mote_exit) == 56 + 8, "mote_exit");
_Static_assert(sizeof(struct mote_signal) == 56 + 16, "mote_signal");
_Static_assert(sizeof(struct mote_socket) == 44, "mote_socket");
_Static_assert(sizeof(struct mote_call) == 56 + 40 + 1024 + 256, "mote_call");
_Static_assert(sizeof(struct mote_losses) == 64, "mote_losses");
_Static_assert(sizeof(struct mote_unsent) == 64, "mote_unsent");

static void *(*map_lookup)(void *map, const void *key) = (void *)1;
static long (*probe_read)(void *to, u32 bytes, const void *from) = (void *)4;
static u64 (*ktime_get_ns)(void) = (void *)5;
static u32 (*get_smp_processor_id)(void) = (void *)8;
static u64 (*get_current_pid_tgid)(void) = (void *)14;
static u64 (*get_current_uid_gid)(void) = (void *)15;
static long (*get_current_comm)(void *to, u32 bytes) = (void *)16;
static long (*perf_event_output)(void *ctx, void *map, u64 flags, void *data, u64 bytes) = (void *)25;
static u64 (*get_current_task)(void) = (void *)35;
static long (*unsafe_probe_read_str)(void *to, u32 bytes, const void *from) = (void *)45;

/*
 * No helpers: user space puts the kernel's functions bpf_preempt_disable and
 * bpf_preempt_enable here where programs can be preempted, and nothing elsewhere, before it
 * loads a program (source/ebpf/object.rs). The numbers are no helper's.
 */
static u64 (*preempt_disable)(void) = (void *)MOTE_PREEMPT_DISABLE;
static u64 (*preempt_enable)(void) = (void *)MOTE_PREEMPT_ENABLE;

/* A program of a syscalls:* tracepoint. */
#define CALL_PROGRAM(name)                                                      \
	INLINE void run_##name(void *ctx);                                      \
	SEC("tracepoint/" #name)                                                \
	int name(void *ctx)                                                     \
	{                                                                       \
		preempt_disable();                                              \
		run_##name(ctx);                                                \
		preempt_enable();                                               \
		return 0;                                                       \
	}                                                                       \
	INLINE void run_##name(void *ctx)

/* libbpf reads maps without BTF from this struct in the section `maps`. */
struct map {
	u32 type;
	u32 key_bytes;
	u32 value_bytes;
	u32 max_entries;
	u32 flags;
};

enum { MAP_ARRAY = 2, MAP_PERF_EVENT_ARRAY = 4, MAP_PERCPU_ARRAY = 6 };

#define MAP(name, map_type, value, entries)                                     \
	struct map SEC("maps") name = {                                         \
		.type = map_type,                                               \
		.key_bytes = sizeof(u32),                                       \
		.value_bytes = sizeof(value),                                   \
		.max_entries = entries,                                         \
	}

/* An element a CPU: user space sets their number before loading. */
MAP(priority, MAP_PERF_EVENT_ARRAY, u32, 1);
MAP(bulk, MAP_PERF_EVENT_ARRAY, u32, 1);
MAP(settings, MAP_ARRAY, struct mote_settings, 1);

/* Reads a string. Returns its bytes with NUL, or a negative error number.
 *
 * The verifiers of 4.18 to 5.6 take for granted that the helper does not fail (linux commit
 * 849fa50662fb, corrected by 100605035e15): they put an endless loop in place of what is done
 * if it fails. What was stored in between they know nothing of. */
INLINE long probe_read_str(void *to, u32 bytes, const void *from)
{
	volatile long got = unsafe_probe_read_str(to, bytes, from);

	return got;
}

/* bpf_probe_read falls back to kernel memory for an address that is not a user's (linux
 * kernel/trace/bpf_trace.c, bpf_probe_read_compat): a caller must not get that into a
 * record by passing such an address. x86-64 and arm64 have the kernel in the upper half. */
INLINE int is_user(const void *address)
{
	return (s64)address >= 0;
}

INLINE const struct mote_settings *get_settings(void)
{
	u32 zero = 0;

	return map_lookup(&settings, &zero);
}

/*
 * The number, the arguments and the result of a call, from the context of a syscalls:*
 * tracepoint (struct syscall_tp_t, kernel/trace/trace_syscalls.c). It is the same on all
 * kernels but RHEL 9's and real-time ones, where trace_entry is longer: by how much neither
 * tracefs nor the version tells (RHEL 9.3 has args at 24, tracefs says 16), so for those
 * there is a second object, which reads it where it was measured to be. It reads by helper:
 * the verifier takes constant offsets only, and only those that tracefs admits.
 */
#ifdef MOTE_MEASURED_CONTEXT
INLINE u64 context_word(void *ctx, u32 offset, u32 bytes)
{
	u64 word = 0;

	probe_read(&word, bytes, ctx + offset);
	return word;
}

INLINE s32 call_number(void *ctx)
{
	const struct mote_settings *set = get_settings();

	return set ? context_word(ctx, set->call_number_offset, sizeof(s32)) : 0;
}

INLINE u64 argument(void *ctx, u32 n)
{
	const struct mote_settings *set = get_settings();

	return set ? context_word(ctx, set->call_args_offset + n * sizeof(u64), sizeof(u64)) : 0;
}
#else
struct call_context {
	u64 common;
	s32 number;
	u32 padding;
	u64 args[6];
};

INLINE s32 call_number(void *ctx)
{
	return ((struct call_context *)ctx)->number;
}

INLINE u64 argument(void *ctx, u32 n)
{
	return ((struct call_context *)ctx)->args[n];
}
#endif

/* The address that a user's program means. arm64 leaves the top byte to programs, which may put
 * a tag there (linux Documentation/arch/arm64/tagged-address-abi.rst): bit 55 stands for all
 * of it, as in untagged_addr() (arch/arm64/include/asm/memory.h). The helpers take no tag. */
INLINE const void *untagged(const void *address)
{
#ifdef MOTE_ARM64
	return (void *)((s64)((u64)address << 8) >> 8);
#else
	return address;
#endif
}

/* An argument that is an address. */
INLINE const void *address(void *ctx, u32 n)
{
	return untagged((void *)argument(ctx, n));
}

/* The result stands where the first argument does. */
INLINE s64 call_result(void *ctx)
{
	return argument(ctx, 0);
}

/* The sensor must not report what reporting causes, nor anything once it is being detached. */
INLINE int is_ignored(const struct mote_settings *set, u64 id)
{
	return set->own_pid == (u32)(id >> 32) || set->off;
}

/* Microseconds between two times; 0 stands for less than one, MOTE_DURATION_UNKNOWN for what is not
 * known (`since_ns` 0) or does not fit. */
INLINE u32 duration_us(u64 since_ns, u64 until_ns)
{
	u64 us = (until_ns - since_ns) / 1000;

	return !since_ns || us > MOTE_DURATION_UNKNOWN ? MOTE_DURATION_UNKNOWN : us;
}

INLINE void set_identity(struct mote_header *header, u64 id)
{
	u64 ids = get_current_uid_gid();

	header->pid = id >> 32;
	header->tid = id;
	header->uid = ids;
	header->gid = ids >> 32;
	get_current_comm(header->comm, sizeof(header->comm));
}

/*
 * A place for a call between its enter and its exit, or for the counts of a process: the
 * first member of a map's value.
 *
 * Only one task may hold a slot. v1 atomics return nothing, so a claim is an addition
 * and a look: whoever finds 1 after its own addition is alone, since anybody who added
 * before or at the same time would have made it 2; who finds more steps back. Two
 * claims at once may both step back; they never both succeed.
 *
 * The holder of a call's slot gives it back when the call returns or its thread ends.
 *
 * From 7.x on the programs of system calls can be preempted (trace_call_bpf_faultable,
 * kernel/trace/bpf_trace.c), and the kernel skips a program on a CPU on which another task
 * is inside of it. There they forbid it first of all (preempt_disable), and, as that leaves
 * a moment before and after, each is loaded twice: the second run does what the first did
 * not do. A scratch slot of the CPU is claimed too.
 */
struct claim {
	u64 holders;
	u64 owner; /* what names a task as long as the call takes; 0: free */
};

/* arm64 keeps neither stores nor v1's atomics in order, so that the next claim may be seen
 * before this release: an owner that is changed by a difference comes out right in any
 * order. x86-64 keeps them. */
INLINE void change_owner(struct claim *claim, u64 from, u64 to)
{
#ifdef MOTE_ARM64
	__sync_fetch_and_add(&claim->owner, to - from);
#else
	*(volatile u64 *)&claim->owner = to;
#endif
}

INLINE int try_claim(struct claim *claim, u64 owner)
{
	/* Left by a call whose exit was not seen (a program skipped by the kernel). */
	if (claim->owner == owner)
		return 1;
	__sync_fetch_and_add(&claim->holders, 1);
	if (*(volatile u64 *)&claim->holders == 1) {
		change_owner(claim, 0, owner);
		return 1;
	}
	__sync_fetch_and_add(&claim->holders, -1);
	return 0;
}

INLINE void release(struct claim *claim)
{
	change_owner(claim, claim->owner, 0);
	__sync_fetch_and_add(&claim->holders, -1);
}

/* Ids of tasks that run at the same time are close to each other, which the first place
 * spreads; the second mixes in the high bits, in which ids that share a first place
 * differ. `slots` is a power of two. */
INLINE u32 first_place(u32 id, u32 slots)
{
	return id & (slots - 1);
}

INLINE u32 second_place(u32 id, u32 slots)
{
	return ((id * 0x9e3779b1u) >> 16) & (slots - 1);
}

/* A slot of `map` for `owner`, or null if both its places are taken. */
INLINE void *claim_slot(void *map, u32 slots, u32 id, u64 owner)
{
	u32 place = first_place(id, slots);
	struct claim *claim = map_lookup(map, &place);

	if (claim && try_claim(claim, owner))
		return claim;
	place = second_place(id, slots);
	claim = map_lookup(map, &place);
	if (claim && try_claim(claim, owner))
		return claim;
	return 0;
}

/* The slot that `owner` has claimed, or null. */
INLINE void *find_slot(void *map, u32 slots, u32 id, u64 owner)
{
	u32 place = first_place(id, slots);
	struct claim *claim = map_lookup(map, &place);

	if (claim && claim->owner == owner)
		return claim;
	place = second_place(id, slots);
	claim = map_lookup(map, &place);
	if (claim && claim->owner == owner)
		return claim;
	return 0;
}

/*
 * Where calls run twice: the tasks in a call that found no slot and was sent by the first
 * run, from its enter to its return. Two tasks that share a place push each other out: then
 * a call is sent twice, and none is missing.
 */
MAP(sent, MAP_ARRAY, u64, MOTE_SENT_MARKS);

INLINE volatile u64 *task_mark(void *map, u64 task)
{
	/* A task_struct takes kilobytes: its low bits say nothing. */
	u32 place = ((u32)(task >> 6) * 0x9e3779b1u) >> 16 & (MOTE_SENT_MARKS - 1);

	return map_lookup(map, &place);
}

INLINE int is_sent(u64 task)
{
	volatile u64 *mark = task_mark(&sent, task);

	return mark && *mark == task;
}

INLINE void mark_sent(u64 task)
{
	volatile u64 *mark = task_mark(&sent, task);

	if (mark)
		*mark = task;
}

/* When the call of the current task returns, or the task ends. */
INLINE void unmark_returning(void)
{
	const struct mote_settings *set = get_settings();
	u64 task = get_current_task();
	volatile u64 *mark = set && set->calls_run_twice ? task_mark(&sent, task) : 0;

	if (mark && *mark == task)
		*mark = 0;
}

#endif
