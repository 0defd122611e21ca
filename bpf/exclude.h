/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Processes whose calls are not reported. */
#ifndef MOTE_EXCLUDE_H
#define MOTE_EXCLUDE_H

#include "kernel.h"

MAP(programs, MAP_ARRAY, u64, MOTE_PROGRAM_SLOTS);
MAP(excluded, MAP_ARRAY, u64, MOTE_PROGRAM_SLOTS);

/* The word that excludes a process from a time on; src/source/ebpf/excluded.rs has the same.
 * One word, so that nobody finds one half of it. Two of them are alike only if two times are
 * apart by 2^54 ns (208 days) or a multiple, to the nanosecond. It is inverted: a process of a
 * low id of whose beginning no program knows would have 0. */
INLINE u64 exclusion_of(u32 pid, u64 since_ns)
{
	return ~(since_ns ^ (u64)(pid / MOTE_PROGRAM_SLOTS) << MOTE_EXCLUSION_SHIFT);
}

/* Whether user space has excluded a process, and nothing has ended that since. One of another
 * process in its place costs a second look, and no more. */
INLINE int is_excluded(u32 pid)
{
	u32 place = pid & (MOTE_PROGRAM_SLOTS - 1);
	const volatile u64 *exclusion = map_lookup(&excluded, &place);
	const volatile u64 *since_ns;
	u64 word = exclusion ? *exclusion : 0;

	if (!word)
		return 0;
	since_ns = map_lookup(&programs, &place);
	return since_ns && word == exclusion_of(pid, *since_ns);
}

/* A process begins, executes a program, or ends: what user space knows of it is true no
 * longer. `time_ns` is that of the record which tells of it. */
INLINE void end_exclusion(u32 pid, u64 time_ns)
{
	u32 place = pid & (MOTE_PROGRAM_SLOTS - 1);
	volatile u64 *since_ns = map_lookup(&programs, &place);

	if (since_ns)
		*since_ns = time_ns;
}

#endif
