/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the sensor measures at its start: offsets that this kernel does not tell (see
 * src/source/ebpf/measure.rs). */
#include "names.h"

MAP(probe, MAP_ARRAY, struct mote_probe, 1);
MAP(peek, MAP_ARRAY, struct mote_peek, 1);

/* Where the copy goes, in the process that is being measured. */
INLINE void *get_target(void *map)
{
	const struct mote_settings *set = get_settings();
	u32 zero = 0;

	if (!set || set->probe_pid != (u32)get_current_pid_tgid())
		return 0;
	return map_lookup(map, &zero);
}

/* Copies the task_struct of a child that ends, and what user space asks for of its
 * pointers. */
SEC("tracepoint/probe_exit")
int probe_exit(void *ctx)
{
	const u8 *task = (void *)get_current_task();
	struct mote_probe *copy = get_target(&probe);

	if (!copy)
		return 0;
#pragma unroll
	for (int i = 0; i < MOTE_PROBE_CHUNKS; i++)
		probe_read(copy->task + i * MOTE_PROBE_CHUNK_BYTES, MOTE_PROBE_CHUNK_BYTES,
			   task + i * MOTE_PROBE_CHUNK_BYTES);
#pragma unroll
	for (u32 i = 0; i < MOTE_PROBE_POINTERS; i++) {
		const void *target = 0;

		if (i >= copy->pointers)
			break;
		probe_read(&target, sizeof(target), task + copy->pointer_offsets[i]);
		probe_read(copy->targets + i * MOTE_PROBE_TARGET_BYTES, MOTE_PROBE_TARGET_BYTES,
			   target);
	}
	copy->done = 1;
	return 0;
}

/* Where tracefs does not tell: copies the context of a call that the sensor makes with
 * agreed arguments. */
SEC("tracepoint/probe_call")
int probe_call(void *ctx)
{
	struct mote_probe *copy = get_target(&probe);

	if (!copy)
		return 0;
	probe_read(copy->context, sizeof(copy->context), ctx);
	copy->done = 1;
	return 0;
}

/* Copies what user space asks for of the kernel's memory, at the first call after that, which the
 * sensor makes for it. */
SEC("tracepoint/probe_memory")
int probe_memory(void *ctx)
{
	struct mote_peek *copy = get_target(&peek);
	const u8 *from;

	if (!copy || copy->done)
		return 0;
	from = (void *)copy->address;
#pragma unroll
	for (int i = 0; i < MOTE_PEEK_CHUNKS; i++)
		probe_read(copy->bytes + i * MOTE_PEEK_CHUNK_BYTES, MOTE_PEEK_CHUNK_BYTES,
			   from + i * MOTE_PEEK_CHUNK_BYTES);
	copy->task = get_current_task();
	copy->done = 1;
	return 0;
}

/* Copies what an operation of io_uring that the sensor asks for is in the kernel, and the names
 * that two of its pointers lead to. */
SEC("tracepoint/probe_uring")
int probe_uring(void *ctx)
{
	const struct mote_settings *set = get_settings();
	struct mote_probe *copy = get_target(&probe);
	const u8 *request = 0;

	if (!copy || !set ||
	    probe_read(&request, sizeof(request), ctx + set->uring_request_offset))
		return 0;
	probe_read(copy->task, MOTE_PROBE_CHUNK_BYTES, request);
#pragma unroll
	for (u32 i = 0; i < MOTE_PROBE_NAMES; i++) {
		const u8 *name = 0;

		if (probe_read(&name, sizeof(name), request + MOTE_PROBE_NAMES_OFFSET + i * 8) ||
		    probe_read(&name, sizeof(name), name))
			name = 0;
		probe_read(copy->targets + i * MOTE_PROBE_TARGET_BYTES, MOTE_PROBE_TARGET_BYTES,
			   name);
	}
	copy->done = 1;
	return 0;
}
