/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Calls that mount, at once or in steps. They end in leave_system (system.c). */
#include "names.h"

/* A word of the caller, in the bytes of mode and value. */
INLINE void read_word(struct request *request, const void *from)
{
	u8 word[MOTE_WORD_BYTES] = {};
	u8 next = 0;

	if (from) {
		if (!is_user(from) || probe_read_str(word, sizeof(word), from) < 0)
			request->flags |= MOTE_FLAGS_UNREAD;
		else if (word[MOTE_WORD_BYTES - 2] &&
			 (probe_read(&next, 1, from + MOTE_WORD_BYTES - 1) || next))
			request->flags |= MOTE_WORD_CUT;
	}
	__builtin_memcpy(&request->mode, word, sizeof(u32));
	__builtin_memcpy(&request->value, word + sizeof(u32), sizeof(u64));
}

/* mount: (source, target, type, flags, data) */
CALL_PROGRAM(enter_mount)
{
	struct request request = REQUEST(.kind = MOTE_KIND_PAIR, .from = address(ctx, 0),
					 .path = address(ctx, 1), .call_flags = argument(ctx, 3));

	if (!request.from)
		request.flags |= MOTE_FROM_ABSENT;
	read_word(&request, address(ctx, 2));
	enter_other_call(ctx, &request, 1);
}

/* fsopen: (type of file system, flags) */
CALL_PROGRAM(enter_fsopen)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .call_flags = argument(ctx, 1));

	read_word(&request, address(ctx, 0));
	enter_other_call(ctx, &request, 0);
}

#define FSCONFIG_SET_STRING 1 /* include/uapi/linux/mount.h */

/* Whether an option is the one that mount(2) calls the source. Others may be passwords. */
INLINE int is_source(const struct request *request)
{
	u64 rest = request->value;

	/* Words of bytes, the lowest first. */
	return request->mode == 0x72756f73 /* "sour" */ && (rest & 0xffffff) == 0x6563; /* "ce" */
}

/* fsconfig: (fd, command, key, value, number) */
CALL_PROGRAM(enter_fsconfig)
{
	struct request request = REQUEST(.kind = MOTE_KIND_PAIR, .dirfd = argument(ctx, 0),
					 .call_flags = argument(ctx, 1),
					 .flags = MOTE_UNNAMED);

	read_word(&request, address(ctx, 2));
	if ((u32)argument(ctx, 1) == FSCONFIG_SET_STRING && is_source(&request))
		request.from = address(ctx, 3);
	if (!request.from)
		request.flags |= MOTE_FROM_ABSENT;
	enter_other_call(ctx, &request, 1);
}

/* fsmount: (fd, flags, attributes) */
CALL_PROGRAM(enter_fsmount)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .dirfd = argument(ctx, 0),
					 .call_flags = argument(ctx, 1),
					 .value = two_ids(argument(ctx, 2), 0));

	enter_other_call(ctx, &request, 0);
}

/* fspick: (dirfd, name, flags) */
CALL_PROGRAM(enter_fspick)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .dirfd = argument(ctx, 0),
					 .path = address(ctx, 1),
					 .call_flags = argument(ctx, 2));

	enter_other_call(ctx, &request, 1);
}

/* Linux 7.0 has the second: into a new mount namespace. */
#define OPEN_TREE_CLONE 1
#define OPEN_TREE_NAMESPACE 2

/* Without a copy it is an open that gives nothing. */
INLINE int copies_tree(u64 flags)
{
	return flags & (OPEN_TREE_CLONE | OPEN_TREE_NAMESPACE);
}

/* open_tree: (dirfd, name, flags) */
CALL_PROGRAM(enter_open_tree)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .dirfd = argument(ctx, 0),
					 .path = address(ctx, 1),
					 .call_flags = argument(ctx, 2));

	if (!copies_tree(argument(ctx, 2)))
		return;
	enter_other_call(ctx, &request, 1);
}

/* mount_setattr, open_tree_attr: (dirfd, name, flags, struct mount_attr *, bytes) */
CALL_PROGRAM(enter_mount_setattr)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .dirfd = argument(ctx, 0),
					 .path = address(ctx, 1),
					 .call_flags = argument(ctx, 2));
	const void *from = address(ctx, 3);
	struct {
		u64 set;
		u64 clear;
		u64 propagation;
	} attributes = {};

	/* It may be absent, of the second. */
	if (from && (!is_user(from) || probe_read(&attributes, sizeof(attributes), from)))
		request.flags |= MOTE_FLAGS_UNREAD;
	request.value = two_ids(attributes.set, attributes.clear);
	request.mode = attributes.propagation;
	enter_other_call(ctx, &request, 1);
}

/* move_mount: (dirfd, source, dirfd, target, flags) */
CALL_PROGRAM(enter_move_mount)
{
	struct request request = REQUEST(.kind = MOTE_KIND_PAIR, .from_dirfd = argument(ctx, 0),
					 .from = address(ctx, 1), .dirfd = argument(ctx, 2),
					 .path = address(ctx, 3), .call_flags = argument(ctx, 4));

	/* The descriptors alone, since 6.15. */
	if (!request.from)
		request.flags |= MOTE_FROM_ABSENT;
	if (!request.path)
		request.flags |= MOTE_UNNAMED;
	enter_other_call(ctx, &request, 1);
}
