/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Calls under way, and their strings. */
#ifndef MOTE_NAMES_H
#define MOTE_NAMES_H

#include "descriptor.h"
#include "exclude.h"
#include "flood.h"

struct call_slot {
	struct claim claim;
	const void *path; /* the caller's pointers, for a second reading */
	const void *from;
	const u8 *file; /* of the socket, when the call began */
	u64 entered_ns; /* 0: where the process works does not matter */
	struct place place; /* of the descriptors, when the call began */
	struct place from_place;
	struct way way;
	struct mote_call call;
};

MAP(calls, MAP_ARRAY, struct call_slot, MOTE_CALL_SLOTS);
/* For a call that finds both its places taken: it is sent at once, without its result. */
MAP(call_overflow, MAP_PERCPU_ARRAY, struct call_slot, 1);

/* A thread keeps its id as long as a call takes, but for execve. */
INLINE struct call_slot *claim_call(u64 id)
{
	return claim_slot(&calls, MOTE_CALL_SLOTS, id, id);
}

INLINE struct call_slot *find_call(u64 id)
{
	return find_slot(&calls, MOTE_CALL_SLOTS, id, id);
}

/* Reads a string of the caller to `to`. Returns its bytes with NUL, 0 if unread. */
INLINE u64 read_name(u8 *to, u32 capacity, const void *from, u16 *flags, u16 unread, u16 cut)
{
	long bytes = probe_read_str(to, capacity, from);
	u8 last = 0;

	if (bytes < 0) {
		*flags |= unread;
		return 0;
	}
	if (bytes == 0) {
		/* Up to 6.12 the helper says so of an empty string of user space. */
		to[0] = 0;
		return 1;
	}
	if (bytes >= capacity) {
		/* Full: cut, unless the string ends just here. */
		if (probe_read(&last, 1, from + capacity - 1) || last)
			*flags |= cut;
		return capacity;
	}
	return bytes;
}

/* The same for an address that the caller chose. */
INLINE u64 read_user_name(u8 *to, u32 capacity, const void *from, u16 *flags, u16 unread,
			  u16 cut)
{
	if (!is_user(from)) {
		*flags |= unread;
		return 0;
	}
	return read_name(to, capacity, from, flags, unread, cut);
}

/* Where the second of two names goes. The sum is made here and now: of a number that is put on the
 * stack in between, verifiers before 5.9 or so forget the bound; of an address they do not. */
INLINE u8 *behind(u8 *data, u64 bytes)
{
	u8 *second;

	KEEP_IN_REGISTER(bytes);
	bytes &= MOTE_PAIR_BYTES;
	second = data + bytes;
	KEEP_IN_REGISTER(second);
	return second;
}

/* Fills the names of a slot from the caller's memory. */
INLINE void read_names(struct call_slot *slot, u16 kind)
{
	struct mote_call *call = &slot->call;
	u16 flags = call->header.flags;
	/* What a call does not have is not unread. */
	u16 path_unread = flags & MOTE_UNNAMED ? 0 : MOTE_PATH_UNREAD;
	u16 from_unread = flags & MOTE_FROM_ABSENT ? 0 : MOTE_FROM_UNREAD;
	u64 from_bytes = 0;
	u8 *second;

	if (kind == MOTE_KIND_PAIR) {
		from_bytes = read_user_name(call->data, MOTE_PAIR_BYTES, slot->from, &flags,
					    from_unread, MOTE_FROM_CUT);
		second = behind(call->data, from_bytes);
		call->path_bytes = read_user_name(second, MOTE_PAIR_BYTES, slot->path, &flags,
						  path_unread, MOTE_PATH_CUT);
	} else {
		call->path_bytes = read_user_name(call->data, MOTE_NAME_BYTES, slot->path, &flags,
					     path_unread, MOTE_PATH_CUT);
	}
	call->from_bytes = from_bytes;
	call->header.flags = flags;
}

INLINE u64 call_bytes(const struct mote_call *call)
{
	u64 bytes = __builtin_offsetof(struct mote_call, data);

	bytes += call->from_bytes;
	bytes += call->path_bytes;
	bytes += call->opened_bytes;
	bytes += call->from_opened_bytes;
	KEEP_IN_REGISTER(bytes);
	if (bytes > sizeof(struct mote_call))
		bytes = sizeof(struct mote_call);
	return bytes;
}

INLINE u64 two_ids(u64 first, u64 second)
{
	return (u32)first | second << 32;
}

#define NO_TIME 0xffffffff /* in the place of nanoseconds */

/* The kernel refuses a second or more, which must not look like less. */
INLINE u32 nanoseconds(u64 fraction, u32 ns_in_fraction)
{
	return fraction < NO_TIME / ns_in_fraction ? fraction * ns_in_fraction : NO_TIME;
}

/* What a call asks for, before its names are read. Programs fill it by assignment only: were its
 * address given to a helper, clang would not know any more what kind it is, and old verifiers not
 * follow what is left. */
struct request {
	const void *path;
	const void *from;
	s32 dirfd;
	s32 from_dirfd;
	u32 call_flags;
	u32 mode; /* of a call on a socket: the size of the address */
	u64 value;
	u16 kind;
	u16 flags;
	u32 reserved;
};

#define AT_FDCWD -100
/* What a program does not set keeps its default. */
#define REQUEST(...) ((struct request){ .dirfd = AT_FDCWD, .from_dirfd = AT_FDCWD, __VA_ARGS__ })

INLINE void fill_call(struct call_slot *slot, s32 number, u64 id,
		      const struct request *request)
{
	struct mote_call *call = &slot->call;

	slot->path = request->path;
	slot->from = request->from;
	call->header.syscall = number;
	call->header.kind = request->kind;
	call->header.flags = request->flags;
	call->dirfd = request->dirfd;
	call->from_dirfd = request->from_dirfd;
	call->call_flags = request->call_flags;
	call->mode = request->mode;
	call->value = request->value;
	call->from_bytes = 0;
	call->path_bytes = 0;
	call->duration_us = 0;
	call->opened_bytes = 0;
	call->from_opened_bytes = 0;
	call->opened_tree = MOTE_TREE_UNKNOWN;
	call->from_opened_tree = MOTE_TREE_UNKNOWN;
	call->unseen = 0;
	set_identity(&call->header, id);
}

/* Reads the address of a call on a socket, which stands behind the socket. */
INLINE void read_address(struct call_slot *slot)
{
	struct mote_call *call = &slot->call;
	u64 bytes = call->mode; /* as the caller says */

	KEEP_IN_REGISTER(bytes);
	if (bytes > MOTE_ADDRESS_BYTES)
		bytes = MOTE_ADDRESS_BYTES;
	call->path_bytes = bytes;
	if (bytes == 0 || !is_user(slot->path) ||
	    probe_read(call->data + sizeof(struct mote_socket), bytes, slot->path)) {
		call->header.flags |= MOTE_PATH_UNREAD;
		call->path_bytes = 0;
	}
}

/* Reads what the request points at. `kind` and `named` are constants where it is used. */
INLINE void read_request(struct call_slot *slot, u16 kind, int named)
{
	struct mote_call *call = &slot->call;

	if (kind == MOTE_KIND_SOCKET) {
		call->from_bytes = sizeof(struct mote_socket);
		__builtin_memset(call->data, 0, sizeof(struct mote_socket));
		if (!(call->header.flags & MOTE_UNNAMED))
			read_address(slot);
	} else if (named) {
		read_names(slot, kind);
	}
}

/* Whether a name, or one that was not read, may start at the working directory. */
INLINE int is_relative(const struct mote_call *call)
{
	/* Read again: what 3.10's verifier knew of it is forgotten if it was on the stack. */
	u64 second = *(volatile u16 *)&call->from_bytes;

	KEEP_IN_REGISTER(second);
	second &= MOTE_NAME_BYTES - 1;
	if (call->header.kind == MOTE_KIND_PAIR)
		return call->data[0] != '/' || call->path_bytes == 0 ||
		       call->data[second] != '/';
	return call->header.kind == MOTE_KIND_NAME && call->data[0] != '/';
}

/* Whether the enter of this call was seen already, by the other run of this program. */
INLINE int is_entered(const struct call_slot *slot, void *ctx, u64 id,
		      const struct request *request)
{
	const struct mote_call *call = &slot->call;

	return call->header.syscall == call_number(ctx) && call->header.pid == (u32)(id >> 32) &&
	       call->header.tid == (u32)id && slot->path == request->path &&
	       slot->from == request->from && call->dirfd == request->dirfd &&
	       call->from_dirfd == request->from_dirfd && call->mode == request->mode &&
	       call->value == request->value;
}

/* Which calls are dropped at their beginning. */
enum drops {
	DROPS_NONE,
	DROPS_NO_MOVES, /* none either; they are no events */
	DROPS_EXCLUDED, /* those of excluded processes */
	DROPS_FLOODS,   /* and those of processes that have had their budget of bulk events */
};

/* This CPU's scratch slot, to be released. */
INLINE struct call_slot *claim_overflow(u64 id, s32 number)
{
	u32 zero = 0;
	struct call_slot *slot = map_lookup(&call_overflow, &zero);

	if (slot && !try_claim(&slot->claim, id)) {
		count_loss(MOTE_LOSS_BULK_BUSY, id >> 32, number);
		return 0;
	}
	return slot;
}

/* For a call without a slot: it is sent at once. */
INLINE void send_without_slot(void *ctx, u64 id, const struct request *request, int named,
			      enum drops drops, const struct mote_settings *set)
{
	s32 number = call_number(ctx);
	struct call_slot *slot = claim_overflow(id, number);

	if (!slot)
		return;
	if (set->calls_run_twice)
		mark_sent(get_current_task());
	fill_call(slot, number, id, request);
	read_request(slot, request->kind, named);
	slot->call.header.flags |= MOTE_RESULT_UNKNOWN;
	slot->call.header.ret = 0;
	slot->call.header.time_ns = ktime_get_ns();
	/* One on a socket is told here, whatever comes of it. */
	if (drops == DROPS_FLOODS || request->kind == MOTE_KIND_SOCKET)
		send_bounded(ctx, &slot->call, call_bytes(&slot->call), set);
	else if (drops == DROPS_NO_MOVES)
		send_move(ctx, &slot->call, call_bytes(&slot->call), set);
	else
		send_bulk(ctx, &slot->call, call_bytes(&slot->call));
	release(&slot->claim);
}

/* Counts a call that is not reported: of an excluded process, or of one that has had its
 * budget. */
INLINE void drop_call(void *ctx, u64 id, const struct mote_settings *set, int excluded)
{
	struct call_slot *slot = find_call(id);

	/* Left by a call whose return was not seen: the return of this one would send it. */
	if (slot)
		release(&slot->claim);
	if (set->calls_run_twice)
		mark_sent(get_current_task());
	if (excluded)
		count_excluded(id >> 32, call_number(ctx));
	else
		count_suppressed(id >> 32, call_number(ctx));
}

/* The beginning of a call. `drops` is a constant where it is used. */
INLINE void enter(void *ctx, const struct request *request, int named, enum drops drops)
{
	const struct mote_settings *set = get_settings();
	u64 id = get_current_pid_tgid();
	struct call_slot *slot;
	int excluded;
	u32 users;

	if (!set || is_ignored(set, id))
		return;
	if (unlikely(set->calls_run_twice)) {
		slot = find_call(id);
		if ((slot && is_entered(slot, ctx, id, request)) || is_sent(get_current_task()))
			return;
	}
	excluded = drops >= DROPS_EXCLUDED && unlikely(is_excluded(id >> 32));
	if (excluded || (drops == DROPS_FLOODS && unlikely(is_spent(id >> 32, set)))) {
		drop_call(ctx, id, set, excluded);
		return;
	}
	slot = claim_call(id);
	if (unlikely(!slot)) {
		send_without_slot(ctx, id, request, named, drops, set);
		return;
	}
	fill_call(slot, call_number(ctx), id, request);
	read_request(slot, request->kind, named);
	/* Another thread may change the directory before the call returns. */
	slot->entered_ns = drops == DROPS_NO_MOVES || request->kind == MOTE_KIND_SOCKET ||
					   is_relative(&slot->call)
				   ? ktime_get_ns()
				   : 0;
	if (request->kind == MOTE_KIND_SOCKET)
		slot->file = find_file(set, request->dirfd, &users);
	else
		find_place(set, request->dirfd, &slot->place);
	if (request->kind == MOTE_KIND_PAIR)
		find_place(set, request->from_dirfd, &slot->from_place);
}

/* A call that is reported, which ends in leave_call: it is told, or lost. */
INLINE void enter_call(void *ctx, const struct request *request, int named)
{
	enter(ctx, request, named, DROPS_FLOODS);
}

/* A call that is reported, which ends elsewhere: of which is known only there whether it is told,
 * or whether it is a bulk event. */
INLINE void enter_other_call(void *ctx, const struct request *request, int named)
{
	enter(ctx, request, named, DROPS_EXCLUDED);
}

/* A call that changes what names mean, which ends in leave_relocation: it is told of every
 * process, since an exclusion may end before the process does. */
INLINE void enter_relocation(void *ctx, const struct request *request, int named)
{
	enter(ctx, request, named, DROPS_NO_MOVES);
}

/* The same of one that is an event too, which ends in leave_namespaces. */
INLINE void enter_namespaces(void *ctx, const struct request *request)
{
	enter(ctx, request, 0, DROPS_NONE);
}

/* A page that was not resident at enter has been faulted in by the call itself. */
INLINE void read_late(struct call_slot *slot)
{
	struct mote_header *header = &slot->call.header;
	u16 kind = header->kind;

	if (!(header->flags & (MOTE_PATH_UNREAD | MOTE_FROM_UNREAD)))
		return;
	header->flags &= ~(MOTE_PATH_UNREAD | MOTE_FROM_UNREAD | MOTE_PATH_CUT | MOTE_FROM_CUT);
	header->flags |= MOTE_READ_LATE;
	if (kind == MOTE_KIND_PAIR)
		read_request(slot, MOTE_KIND_PAIR, 1);
	else
		read_request(slot, MOTE_KIND_NAME, 1);
}

#endif
