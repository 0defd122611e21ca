/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Calls on a file's owner, size, times and extended attributes. As in file.c. */
#include "names.h"

/* chown, lchown: (name, user, group) */
CALL_PROGRAM(enter_chown)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .path = address(ctx, 0),
					 .value = two_ids(argument(ctx, 1), argument(ctx, 2)));

	enter_call(ctx, &request, 1);
}

/* fchown: (fd, user, group) */
CALL_PROGRAM(enter_fchown)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .dirfd = argument(ctx, 0),
					 .value = two_ids(argument(ctx, 1), argument(ctx, 2)),
					 .flags = MOTE_UNNAMED);

	enter_call(ctx, &request, 0);
}

/* fchownat: (dirfd, name, user, group, flags) */
CALL_PROGRAM(enter_fchownat)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .dirfd = argument(ctx, 0),
					 .path = address(ctx, 1),
					 .value = two_ids(argument(ctx, 2), argument(ctx, 3)),
					 .call_flags = argument(ctx, 4));

	enter_call(ctx, &request, 1);
}

/* truncate: (name, bytes) */
CALL_PROGRAM(enter_truncate)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .path = address(ctx, 0),
					 .value = argument(ctx, 1));

	enter_call(ctx, &request, 1);
}

/* ftruncate: (fd, bytes) */
CALL_PROGRAM(enter_ftruncate)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .dirfd = argument(ctx, 0),
					 .value = argument(ctx, 1), .flags = MOTE_UNNAMED);

	enter_call(ctx, &request, 0);
}

#define UTIME_NOW 0x3fffffff /* include/linux/stat.h */

/* When the file is said to have been modified, which stands behind when it was accessed: seconds
 * and a fraction. Without times it is now. */
INLINE void read_times(struct request *request, const void *times, u32 ns_in_fraction)
{
	struct {
		u64 second;
		u64 fraction;
	} modified = {};

	request->mode = UTIME_NOW;
	if (!times)
		return;
	if (!is_user(times) || probe_read(&modified, sizeof(modified), times + sizeof(modified))) {
		request->flags |= MOTE_FLAGS_UNREAD;
		return;
	}
	request->value = modified.second;
	request->mode = nanoseconds(modified.fraction, ns_in_fraction);
}

/* A call on a descriptor has no name. */
INLINE void enter_times(void *ctx, struct request *request)
{
	if (!request->path)
		request->flags |= MOTE_UNNAMED;
	enter_call(ctx, request, 1);
}

/* utime: (name, struct utimbuf *), include/uapi/linux/utime.h: seconds only */
CALL_PROGRAM(enter_utime)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .path = address(ctx, 0));
	const void *times = address(ctx, 1);
	u64 modified = 0;

	if (!times)
		request.mode = UTIME_NOW;
	else if (!is_user(times) || probe_read(&modified, sizeof(modified), times + sizeof(u64)))
		request.flags |= MOTE_FLAGS_UNREAD;
	request.value = modified;
	enter_call(ctx, &request, 1);
}

/* utimes: (name, struct timeval [2]) */
CALL_PROGRAM(enter_utimes)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .path = address(ctx, 0));

	read_times(&request, address(ctx, 1), 1000);
	enter_call(ctx, &request, 1);
}

/* futimesat: (dirfd, name, struct timeval [2]) */
CALL_PROGRAM(enter_futimesat)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .dirfd = argument(ctx, 0),
					 .path = address(ctx, 1));

	read_times(&request, address(ctx, 2), 1000);
	enter_times(ctx, &request);
}

/* utimensat: (dirfd, name, struct timespec [2], flags) */
CALL_PROGRAM(enter_utimensat)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .dirfd = argument(ctx, 0),
					 .path = address(ctx, 1), .call_flags = argument(ctx, 3));

	read_times(&request, address(ctx, 2), 1);
	enter_times(ctx, &request);
}

/* setxattr, lsetxattr, removexattr, lremovexattr: (name, attribute, ...) */
CALL_PROGRAM(enter_xattr)
{
	struct request request = REQUEST(.kind = MOTE_KIND_PAIR, .path = address(ctx, 0),
					 .from = address(ctx, 1));

	enter_call(ctx, &request, 1);
}

/* fsetxattr, fremovexattr: (fd, attribute, ...) */
CALL_PROGRAM(enter_fxattr)
{
	struct request request = REQUEST(.kind = MOTE_KIND_PAIR, .dirfd = argument(ctx, 0),
					 .from = address(ctx, 1), .flags = MOTE_UNNAMED);

	enter_call(ctx, &request, 1);
}

/* setxattrat, removexattrat: (dirfd, name, flags, attribute, ...) */
CALL_PROGRAM(enter_xattrat)
{
	struct request request = REQUEST(.kind = MOTE_KIND_PAIR, .dirfd = argument(ctx, 0),
					 .path = address(ctx, 1), .call_flags = argument(ctx, 2),
					 .from = address(ctx, 3));

	if (!request.path)
		request.flags |= MOTE_UNNAMED;
	enter_call(ctx, &request, 1);
}
