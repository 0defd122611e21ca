/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The flood guard: how many events a process may have in the bulk rings, and how often it may move. */
#ifndef MOTE_FLOOD_H
#define MOTE_FLOOD_H

#include "send.h"

#define PID_BITS 22 /* PID_MAX_LIMIT, linux include/linux/threads.h */

struct flood {
	u64 owner; /* a window, and the process whose it is (flood_owner); 0: nobody's yet */
	u64 told;
	/* Of moves beyond the budget one of each call is told in a window: in this one, by these. */
	u64 unseen;
	u64 said;
	u64 said_entered; /* that were told when they were entered */
};

/*
 * By a hash that nobody can foresee. A place is the process's that was told there first in a
 * window; the events of others are not counted there, and so are told: none is silenced by
 * another one, and with many processes there are many budgets anyway.
 */
MAP(floods, MAP_ARRAY, struct flood, MOTE_FLOOD_PLACES);

INLINE u32 flood_hash(u32 pid, const struct mote_settings *set)
{
	return pid * set->secret_key;
}

INLINE struct flood *flood_at(u32 hash)
{
	u32 place = hash >> (32 - MOTE_FLOOD_PLACES_LOG2);

	return map_lookup(&floods, &place);
}

/* The hash is a number of nanoseconds too, by which the windows of processes begin apart: else
 * all that flood would have their budgets anew at the same moment. */
INLINE u64 flood_owner(u32 pid, u32 hash, u64 time_ns)
{
	return (time_ns + hash) >> MOTE_BULK_WINDOW_LOG2_NS << PID_BITS | pid;
}

/* Whether a process has had all of its budget. It asks for the time only if that may be so. */
INLINE int is_spent(u32 pid, const struct mote_settings *set)
{
	u32 hash = flood_hash(pid, set);
	const volatile struct flood *flood = set->bulk_budget ? flood_at(hash) : 0;

	if (!flood || flood->told < set->bulk_budget)
		return 0;
	return flood->owner == flood_owner(pid, hash, ktime_get_ns());
}

/* Takes one event from the budget of a process. Returns 0 if nothing is left of it. */
INLINE int spend(u32 pid, u64 time_ns, const struct mote_settings *set)
{
	u32 hash = flood_hash(pid, set);
	u64 owner = flood_owner(pid, hash, time_ns);
	volatile struct flood *flood = set->bulk_budget ? flood_at(hash) : 0;

	if (!flood)
		return 1;
	if (flood->owner != owner) {
		/* Another one's, or its own of a later window: it may be late. */
		if (flood->owner >> PID_BITS >= owner >> PID_BITS)
			return 1;
		flood->told = 0;
		flood->owner = owner;
	}
	if (flood->told >= set->bulk_budget)
		return 0;
	__sync_fetch_and_add(&flood->told, 1);
	return 1;
}

/* A process begins, executes a program or ends: another one is not silenced for what it did. Who
 * does so to have a budget anew is told with each. */
INLINE void renew_budget(u32 pid, const struct mote_settings *set)
{
	volatile struct flood *flood =
		set->bulk_budget ? flood_at(flood_hash(pid, set)) : 0;

	if (flood && (flood->owner & ((1 << PID_BITS) - 1)) == pid) {
		flood->told = 0;
		flood->unseen = 0;
	}
}

/* Whether a move beyond the budget is one of those that are told. Two CPUs may tell one each. */
INLINE int is_first_unseen(const struct mote_call *call, const struct mote_settings *set)
{
	u32 hash = flood_hash(call->header.pid, set);
	u64 owner = flood_owner(call->header.pid, hash, call->header.time_ns);
	volatile struct flood *flood = flood_at(hash);
	u64 bit = 1ULL << ((u32)call->header.syscall % MOTE_MOVE_CALLS);

	if (!flood)
		return 0;
	/* The window last: another CPU must not take what was said in the one before for this one's. */
	if (flood->unseen != owner) {
		flood->said = 0;
		flood->said_entered = 0;
		flood->unseen = owner;
	}
	if (call->header.flags & MOTE_RESULT_UNKNOWN) {
		if (flood->said_entered & bit)
			return 0;
		flood->said_entered |= bit;
	} else {
		if (flood->said & bit)
			return 0;
		flood->said |= bit;
	}
	return 1;
}

/* A call after which a process's names mean something else, and which is no event. Beyond the budget of
 * events one such call stands for all of its kind that follow in the window, and cannot be pushed out
 * by them. */
INLINE void send_move(void *ctx, struct mote_call *call, u64 bytes,
		      const struct mote_settings *set)
{
	if (spend(call->header.pid, call->header.time_ns, set)) {
		send_bulk(ctx, call, bytes);
	} else if (is_first_unseen(call, set)) {
		call->unseen = 1;
		send_priority(ctx, call, bytes);
	}
}

/* An event of a process that may have too many of them. */
INLINE void send_bounded(void *ctx, void *record, u64 bytes, const struct mote_settings *set)
{
	const struct mote_header *header = record;

	if (unlikely(!spend(header->pid, header->time_ns, set)))
		count_suppressed(header->pid, header->syscall);
	else
		send_bulk(ctx, record, bytes);
}

#endif
