/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Calls on files. Each program fits the argument list of the calls it is attached to:
 * the kernel refuses one that reads past a tracepoint's last field. */
#include "names.h"

#define O_ACCMODE 3
#define O_WRONLY 1
#define O_CREAT 0100
#define O_TRUNC 01000

/* An open is reported when it can write or create. */
INLINE int can_change(u64 flags)
{
	return (flags & O_ACCMODE) || (flags & (O_CREAT | O_TRUNC));
}

/* unlink, rmdir: (name) */
CALL_PROGRAM(enter_name)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .path = address(ctx, 0));

	enter_call(ctx, &request, 1);
}

/* chdir, chroot: (name); pivot_root: (new root, place of the old one) */
CALL_PROGRAM(enter_directory)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .path = address(ctx, 0));

	enter_relocation(ctx, &request, 1);
}

/* mkdir, chmod: (name, mode) */
CALL_PROGRAM(enter_name_mode)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .path = address(ctx, 0),
					 .mode = argument(ctx, 1));

	enter_call(ctx, &request, 1);
}

/* mkdirat, fchmodat: (dirfd, name, mode) */
CALL_PROGRAM(enter_at_mode)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .dirfd = argument(ctx, 0),
					 .path = address(ctx, 1), .mode = argument(ctx, 2));

	enter_call(ctx, &request, 1);
}

/* fchmodat2: (dirfd, name, mode, flags) */
CALL_PROGRAM(enter_at_mode_flags)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .dirfd = argument(ctx, 0),
					 .path = address(ctx, 1),
					 .mode = argument(ctx, 2), .call_flags = argument(ctx, 3));

	enter_call(ctx, &request, 1);
}

/* unlinkat: (dirfd, name, flags) */
CALL_PROGRAM(enter_at_flags)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .dirfd = argument(ctx, 0),
					 .path = address(ctx, 1),
					 .call_flags = argument(ctx, 2));

	enter_call(ctx, &request, 1);
}

/* fchdir: (fd) */
CALL_PROGRAM(enter_fd)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .dirfd = argument(ctx, 0));

	enter_relocation(ctx, &request, 0);
}

/* unshare: (flags) */
CALL_PROGRAM(enter_unshare)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .call_flags = argument(ctx, 0));

	enter_namespaces(ctx, &request);
}

/* setns: (fd, type of namespace) */
CALL_PROGRAM(enter_setns)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .call_flags = argument(ctx, 1));

	enter_namespaces(ctx, &request);
}

/* fchmod: (fd, mode) */
CALL_PROGRAM(enter_fd_mode)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .dirfd = argument(ctx, 0),
					 .mode = argument(ctx, 1), .flags = MOTE_UNNAMED);

	enter_call(ctx, &request, 0);
}

/* creat: (name, mode) */
CALL_PROGRAM(enter_creat)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .path = address(ctx, 0),
					 .call_flags = O_CREAT | O_WRONLY | O_TRUNC,
					 .mode = argument(ctx, 1));

	enter_call(ctx, &request, 1);
}

/* open: (name, flags, mode) */
CALL_PROGRAM(enter_open)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .path = address(ctx, 0),
					 .call_flags = argument(ctx, 1), .mode = argument(ctx, 2));

	if (!can_change(argument(ctx, 1)))
		return;
	enter_call(ctx, &request, 1);
}

/* openat: (dirfd, name, flags, mode) */
CALL_PROGRAM(enter_openat)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .dirfd = argument(ctx, 0),
					 .path = address(ctx, 1),
					 .call_flags = argument(ctx, 2), .mode = argument(ctx, 3));

	if (!can_change(argument(ctx, 2)))
		return;
	enter_call(ctx, &request, 1);
}

#define RESOLVE_IN_ROOT 0x10

/* openat2: (dirfd, name, struct open_how *, size), include/uapi/linux/openat2.h */
CALL_PROGRAM(enter_openat2)
{
	struct {
		u64 flags;
		u64 mode;
		u64 resolve;
	} how = {};
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .dirfd = argument(ctx, 0),
					 .path = address(ctx, 1));

	/* Not resident: whether it can write is not known, so it is reported. */
	if (!is_user(address(ctx, 2)) ||
	    probe_read(&how, sizeof(how), address(ctx, 2)))
		request.flags |= MOTE_FLAGS_UNREAD;
	else if (!can_change(how.flags))
		return;
	if (how.resolve & RESOLVE_IN_ROOT)
		request.flags |= MOTE_ROOTED;
	request.call_flags = how.flags;
	request.mode = how.mode;
	enter_call(ctx, &request, 1);
}

/* open_by_handle_at: (fd on the file system, handle, flags). Few may make it, and it reaches what no
 * name leads to: it is told whatever it is for. */
CALL_PROGRAM(enter_handle)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .dirfd = argument(ctx, 0),
					 .call_flags = argument(ctx, 2), .flags = MOTE_UNNAMED);

	enter_call(ctx, &request, 0);
}

/* rename, link: (old, new); symlink: (target, name) */
CALL_PROGRAM(enter_rename)
{
	struct request request = REQUEST(.kind = MOTE_KIND_PAIR, .from = address(ctx, 0),
					 .path = address(ctx, 1));

	enter_call(ctx, &request, 1);
}

/* renameat: (old dirfd, old, new dirfd, new) */
CALL_PROGRAM(enter_renameat)
{
	struct request request = REQUEST(.kind = MOTE_KIND_PAIR, .from_dirfd = argument(ctx, 0),
					 .from = address(ctx, 1), .dirfd = argument(ctx, 2),
					 .path = address(ctx, 3));

	enter_call(ctx, &request, 1);
}

/* renameat2, linkat: (old dirfd, old, new dirfd, new, flags) */
CALL_PROGRAM(enter_renameat2)
{
	struct request request = REQUEST(.kind = MOTE_KIND_PAIR, .from_dirfd = argument(ctx, 0),
					 .from = address(ctx, 1), .dirfd = argument(ctx, 2),
					 .path = address(ctx, 3),
					 .call_flags = argument(ctx, 4));

	enter_call(ctx, &request, 1);
}

/* symlinkat: (target, dirfd, name) */
CALL_PROGRAM(enter_symlinkat)
{
	struct request request = REQUEST(.kind = MOTE_KIND_PAIR, .from = address(ctx, 0),
					 .dirfd = argument(ctx, 1), .path = address(ctx, 2));

	enter_call(ctx, &request, 1);
}

/* mknod: (name, mode, device) */
CALL_PROGRAM(enter_mknod)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .path = address(ctx, 0),
					 .mode = argument(ctx, 1), .value = argument(ctx, 2));

	enter_call(ctx, &request, 1);
}

/* mknodat: (dirfd, name, mode, device) */
CALL_PROGRAM(enter_mknodat)
{
	struct request request = REQUEST(.kind = MOTE_KIND_NAME, .dirfd = argument(ctx, 0),
					 .path = address(ctx, 1), .mode = argument(ctx, 2),
					 .value = argument(ctx, 3));

	enter_call(ctx, &request, 1);
}

/* Where the descriptors lead that the names start at. `pairs`: whether there may be two. */
INLINE void read_places(struct call_slot *slot, int pairs, const struct mote_settings *set)
{
	struct mote_call *call = &slot->call;
	u16 kind = call->header.kind;

	slot->way.used = (u64)call->from_bytes + call->path_bytes;
	call->opened_bytes = read_place(&slot->way, &slot->place, call->dirfd, call->data,
					&call->opened_tree, set);
	if (pairs && kind == MOTE_KIND_PAIR)
		call->from_opened_bytes =
			read_place(&slot->way, &slot->from_place, call->from_dirfd, call->data,
				   &call->from_opened_tree, set);
}

/* The slot of the call that returns. */
INLINE struct call_slot *find_entered(void *ctx, const struct mote_settings *set)
{
	u64 id = get_current_pid_tgid();
	struct call_slot *slot;

	if (!set || is_ignored(set, id))
		return 0;
	slot = find_call(id);
	if (!slot) {
		unmark_returning();
		return 0;
	}
	/* Left by another call, whose return was not seen. */
	if (slot->call.header.syscall != call_number(ctx)) {
		release(&slot->claim);
		return 0;
	}
	slot->call.header.ret = call_result(ctx);
	return slot;
}

/* The same with its names, complete but for its time. */
INLINE struct call_slot *find_returning(void *ctx, const struct mote_settings *set)
{
	struct call_slot *slot = find_entered(ctx, set);

	if (!slot)
		return 0;
	read_late(slot);
	if (slot->entered_ns)
		slot->call.duration_us = duration_us(slot->entered_ns, ktime_get_ns());
	return slot;
}

/* Every call that is reported. */
CALL_PROGRAM(leave_call)
{
	const struct mote_settings *set = get_settings();
	struct call_slot *slot = find_returning(ctx, set);

	if (!slot)
		return;
	read_places(slot, 1, set);
	slot->call.header.time_ns = ktime_get_ns();
	send_bounded(ctx, &slot->call, call_bytes(&slot->call), set);
	release(&slot->claim);
}

/* Where the descriptor leads that a call returned. It is new, so that another thread has hardly had
 * the time to put another one in its place. */
INLINE void read_opened(struct call_slot *slot, const struct mote_settings *set)
{
	struct mote_call *call = &slot->call;
	u32 users = 0;

	call->dirfd = call->header.ret;
	slot->way.used = 0;
	find_opened(set, call->dirfd, &slot->place, &users);
	call->opened_bytes = read_way(&slot->way, &slot->place, call->data, &call->opened_tree, set);
	if (users != 1 && call->opened_tree != MOTE_TREE_UNKNOWN)
		call->opened_tree = MOTE_TREE_DOUBTFUL;
}

/* open_by_handle_at: (fd on the file system, handle, flags) */
CALL_PROGRAM(leave_handle)
{
	const struct mote_settings *set = get_settings();
	struct call_slot *slot = find_returning(ctx, set);

	if (!slot)
		return;
	if (slot->call.header.ret >= 0)
		read_opened(slot, set);
	slot->call.header.time_ns = ktime_get_ns();
	send_bounded(ctx, &slot->call, call_bytes(&slot->call), set);
	release(&slot->claim);
}

/* chdir, fchdir, chroot, pivot_root: what a process's names mean from now on. */
CALL_PROGRAM(leave_relocation)
{
	const struct mote_settings *set = get_settings();
	struct call_slot *slot = find_returning(ctx, set);

	if (!slot)
		return;
	if (slot->call.header.ret == 0) {
		read_places(slot, 0, set);
		slot->call.header.time_ns = ktime_get_ns();
		send_move(ctx, &slot->call, call_bytes(&slot->call), set);
	}
	release(&slot->claim);
}
