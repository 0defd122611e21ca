/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Records to the rings, and counts of what user space never sees. */
#ifndef MOTE_SEND_H
#define MOTE_SEND_H

#include "kernel.h"

/* An element a CPU, as user space sets it before loading (of `unsent`: and as many more). They
 * are no per-CPU arrays, since only plain ones can be mapped. */
MAP(losses, MAP_ARRAY, struct mote_losses, 1);
MAP(unsent, MAP_ARRAY, struct mote_unsent, MOTE_UNSENT_SLOTS + 1);
MAP(unsent_calls, MAP_ARRAY, u64, MOTE_UNSENT_CALLS);

/* This CPU's counters. They are added to atomically: on some kernels a program can be
 * preempted (see struct claim). */
INLINE struct mote_losses *get_losses(void)
{
	u32 cpu = get_smp_processor_id();

	return map_lookup(&losses, &cpu);
}

/* Where events of a process are counted: its slot, or the CPU's. */
INLINE struct mote_unsent *get_unsent(u32 pid)
{
	struct mote_unsent *slot = find_slot(&unsent, MOTE_UNSENT_SLOTS, pid, pid);
	u32 place;

	if (!slot)
		slot = claim_slot(&unsent, MOTE_UNSENT_SLOTS, pid, pid);
	if (slot)
		return slot;
	place = MOTE_UNSENT_SLOTS + get_smp_processor_id();
	return map_lookup(&unsent, &place);
}

/* `number`: -1 of what is no system call. */
INLINE void count_unsent_call(s32 number)
{
	u32 place = number;
	u64 *count;

	if (place > MOTE_UNSENT_NO_CALL)
		place = MOTE_UNSENT_NO_CALL;
	count = map_lookup(&unsent_calls, &place);
	if (count)
		__sync_fetch_and_add(count, 1);
}

/* A record that does not get to user space: in one of the ways of enum mote_loss. */
INLINE void count_loss(u32 which, u32 pid, s32 number)
{
	struct mote_losses *own = get_losses();
	struct mote_unsent *slot = get_unsent(pid);

	if (own)
		__sync_fetch_and_add(&own->counts[which], 1);
	if (slot)
		__sync_fetch_and_add(&slot->lost, 1);
	count_unsent_call(number);
}

/* A call of an excluded process. */
INLINE void count_excluded(u32 pid, s32 number)
{
	struct mote_unsent *slot = get_unsent(pid);

	if (slot)
		__sync_fetch_and_add(&slot->excluded, 1);
	count_unsent_call(number);
}

/* An event of a process that has had its budget (bpf/flood.h). */
INLINE void count_suppressed(u32 pid, s32 number)
{
	struct mote_unsent *slot = get_unsent(pid);

	if (slot)
		__sync_fetch_and_add(&slot->suppressed, 1);
	count_unsent_call(number);
}

#define ENOSPC 28
#define CURRENT_CPU 0xffffffffULL

/* `full` and `output`: how it is counted if it fails. */
INLINE void send(void *ctx, void *ring, void *record, u64 bytes, u32 full, u32 output)
{
	const struct mote_header *header = record;
	long err = perf_event_output(ctx, ring, CURRENT_CPU, record, bytes);

	if (unlikely(err))
		count_loss(err == -ENOSPC ? full : output, header->pid, header->syscall);
}

INLINE void send_priority(void *ctx, void *record, u64 bytes)
{
	send(ctx, &priority, record, bytes, MOTE_LOSS_PRIORITY_FULL, MOTE_LOSS_PRIORITY_OUTPUT);
}

/* To one of both, with the code of one. */
INLINE void send_either(void *ctx, void *record, u64 bytes, int is_priority)
{
	const struct mote_header *header = record;
	long err = is_priority ? perf_event_output(ctx, &priority, CURRENT_CPU, record, bytes)
			       : perf_event_output(ctx, &bulk, CURRENT_CPU, record, bytes);
	u64 which = is_priority ? MOTE_LOSS_PRIORITY_FULL : MOTE_LOSS_BULK_FULL;

	if (err && err != -ENOSPC)
		which += MOTE_LOSS_PRIORITY_OUTPUT - MOTE_LOSS_PRIORITY_FULL;
	KEEP_IN_REGISTER(which);
	if (unlikely(err))
		count_loss(which & (MOTE_LOSS_ROOM - 1), header->pid, header->syscall);
}

INLINE void send_bulk(void *ctx, void *record, u64 bytes)
{
	send(ctx, &bulk, record, bytes, MOTE_LOSS_BULK_FULL, MOTE_LOSS_BULK_OUTPUT);
}

#endif
