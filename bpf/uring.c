/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Operations that are asked for through io_uring, which no system call tells:
 * io_uring:io_uring_submit_req, before 6.3 io_uring_submit_sqe. The kernel has taken over what it
 * was given by then, and has its own copies of names (io_*_prep in io_uring/ of linux; fs/io_uring.c
 * before 6.0), so they are read there. User space measures whether they are where these programs
 * look (src/source/ebpf/uring.rs). An operation may go on for any time: it is told when it begins.
 */
/* Included behind file.c and network.c, for what these look at in their calls. */
#include "names.h"
#include "socket.h"

/* enum io_uring_op, include/uapi/linux/io_uring.h: those that are system calls which are told. */
enum operation {
	URING_SENDMSG = 9,
	URING_ACCEPT = 13,
	URING_CONNECT = 16,
	URING_OPENAT = 18,
	URING_OPENAT2 = 28,
	URING_RENAMEAT = 35,
	URING_UNLINKAT = 36,
	URING_MKDIRAT = 37,
	URING_SYMLINKAT = 38,
	URING_LINKAT = 39,
	URING_FSETXATTR = 41,
	URING_SETXATTR = 42,
	URING_SENDMSG_ZC = 48,
	URING_FTRUNCATE = 55,
	URING_BIND = 56,
	URING_LISTEN = 57,
};

/* By opcode the number of the system call that does the same, as user space says; 0: it is not
 * told. No such call has this number. */
MAP(uring_calls, MAP_ARRAY, u32, MOTE_URING_OPCODES);

INLINE int is_open(u8 opcode)
{
	return opcode == URING_OPENAT || opcode == URING_OPENAT2;
}

INLINE int is_send(u8 opcode)
{
	return opcode == URING_SENDMSG || opcode == URING_SENDMSG_ZC;
}

/* Calls that have an address beside their socket, or find out about one only later. */
INLINE int is_on_socket(u8 opcode)
{
	return is_send(opcode) || opcode == URING_ACCEPT || opcode == URING_CONNECT ||
	       opcode == URING_BIND || opcode == URING_LISTEN;
}

INLINE int has_no_address(u8 opcode)
{
	return opcode == URING_ACCEPT || opcode == URING_LISTEN;
}

INLINE int is_on_attribute(u8 opcode)
{
	return opcode == URING_FSETXATTR || opcode == URING_SETXATTR;
}

INLINE int is_on_two_names(u8 opcode)
{
	return is_on_attribute(opcode) || opcode == URING_RENAMEAT || opcode == URING_LINKAT ||
	       opcode == URING_SYMLINKAT;
}

INLINE int is_on_descriptor(u8 opcode)
{
	return opcode == URING_FSETXATTR || opcode == URING_FTRUNCATE;
}

/* The beginning of struct io_kiocb: a struct file, then what io_open, io_rename, io_connect and the
 * like of linux io_uring/ begin with, from 5.14 to today. */
struct asked {
	const u8 *file; /* null from 6.0 on: it is looked up later */
	union {
		s32 fds[2];
		u64 first;
	};
	u64 words[5];
};

#define FIXED_FILE 1 /* REQ_F_FIXED_FILE: the descriptor is a place in a table of the ring's */

/* What is asked for, and of which descriptor: -1, not known. Returns whether it could be read. */
INLINE int read_asked(void *ctx, const struct mote_settings *set, struct asked *asked, s32 *fd)
{
	const u8 *request = 0;
	u32 flags = FIXED_FILE;

	if (!set->uring_request_offset ||
	    probe_read(&request, sizeof(request), ctx + set->uring_request_offset) ||
	    probe_read(asked, sizeof(*asked), request))
		return 0;
	probe_read(&flags, sizeof(flags), ctx + set->uring_flags_offset);
	if (!(flags & FIXED_FILE) && set->uring_fd_offset)
		probe_read(fd, sizeof(*fd), request + set->uring_fd_offset);
	return 1;
}

/* What is asked for as a call would ask for it, but for names, which are the kernel's here: those
 * of files each in a struct filename. */
INLINE void fill_request(struct request *request, u8 opcode, const struct asked *asked, s32 fd,
			 const struct mote_settings *set)
{
	switch (opcode) {
	case URING_OPENAT:
	case URING_OPENAT2:
		request->dirfd = asked->fds[0];
		request->path = (void *)asked->words[0];
		request->call_flags = asked->words[1];
		request->mode = asked->words[2];
		if (asked->words[3] & RESOLVE_IN_ROOT)
			request->flags |= MOTE_ROOTED;
		break;
	case URING_MKDIRAT:
		request->dirfd = asked->fds[0];
		request->mode = (u16)asked->fds[1];
		request->path = (void *)asked->words[0];
		break;
	case URING_UNLINKAT:
		request->dirfd = asked->fds[0];
		request->call_flags = asked->fds[1];
		request->path = (void *)asked->words[0];
		break;
	case URING_SYMLINKAT:
		request->dirfd = set->uring_symlink_second ? asked->fds[1] : asked->fds[0];
		request->from = (void *)asked->words[0];
		request->path = (void *)asked->words[1];
		break;
	case URING_RENAMEAT:
	case URING_LINKAT:
		request->from_dirfd = asked->fds[0];
		request->dirfd = asked->fds[1];
		request->from = (void *)asked->words[0];
		request->path = (void *)asked->words[1];
		request->call_flags = asked->words[2];
		break;
	case URING_FSETXATTR:
	case URING_SETXATTR:
		request->from = (void *)asked->words[2];
		request->path = (void *)asked->words[4];
		break;
	case URING_FTRUNCATE:
		request->value = asked->first;
		break;
	case URING_CONNECT:
		request->path = (void *)asked->first;
		request->mode = asked->words[0];
		break;
	case URING_LISTEN:
		request->call_flags = asked->first;
		break;
	case URING_SENDMSG:
	case URING_SENDMSG_ZC:
		request->from = (void *)asked->first;
		break;
	}
	if (is_on_descriptor(opcode)) {
		request->dirfd = fd;
		request->flags |= fd < 0 ? MOTE_PATH_UNREAD : MOTE_UNNAMED;
	} else if (is_on_socket(opcode)) {
		request->dirfd = fd;
	}
}

/* Reads the kernel's copy of a name: struct filename begins with where it is. */
INLINE u64 read_filename(u8 *to, u32 capacity, const void *filename, u16 *flags, u16 unread,
			 u16 cut)
{
	const u8 *name = 0;

	if (probe_read(&name, sizeof(name), filename)) {
		*flags |= unread;
		return 0;
	}
	return read_name(to, capacity, name, flags, unread, cut);
}

INLINE void read_one_name(struct call_slot *slot)
{
	struct mote_call *call = &slot->call;
	u16 flags = call->header.flags;

	if (!(flags & MOTE_UNNAMED))
		call->path_bytes = read_filename(call->data, MOTE_NAME_BYTES, slot->path, &flags,
						 MOTE_PATH_UNREAD, MOTE_PATH_CUT);
	call->header.flags = flags;
}

/* The first of two may be an attribute's, which stands by itself (struct xattr_name). */
INLINE void read_two_names(struct call_slot *slot, u8 opcode)
{
	struct mote_call *call = &slot->call;
	u16 flags = call->header.flags;
	const u8 *first = slot->from;
	u8 *second;
	u64 used;

	if (!is_on_attribute(opcode) && probe_read(&first, sizeof(first), slot->from))
		first = 0;
	used = read_name(call->data, MOTE_PAIR_BYTES, first, &flags, MOTE_FROM_UNREAD,
			 MOTE_FROM_CUT);
	second = behind(call->data, used);
	call->from_bytes = used;
	if (!(flags & MOTE_UNNAMED))
		call->path_bytes = read_filename(second, MOTE_PAIR_BYTES, slot->path, &flags,
						 MOTE_PATH_UNREAD, MOTE_PATH_CUT);
	call->header.flags = flags;
}

/* A socket, and the address that goes with it, which is still the caller's. Returns whether there
 * is something to tell. */
INLINE int read_on_socket(struct call_slot *slot, const struct mote_settings *set,
			  const u8 *file)
{
	u32 users = 0;

	read_request(slot, MOTE_KIND_SOCKET, 1);
	if (!file)
		file = find_file(set, slot->call.dirfd, &users);
	read_socket(set, file, (void *)slot->call.data);
	if (!slot->from)
		return 1;
	if (!read_message(slot, slot->from))
		return 0;
	slot->call.header.flags &= ~MOTE_READ_LATE;
	return 1;
}

/* Sends what is complete but for its names. */
INLINE void send_operation(void *ctx, struct call_slot *slot, const struct mote_settings *set,
			   u8 opcode, const u8 *file)
{
	struct mote_call *call = &slot->call;

	call->header.ret = 0;
	call->header.time_ns = ktime_get_ns();
	if (is_on_socket(opcode)) {
		if (!read_on_socket(slot, set, file) || is_netlink(call) ||
		    (opcode == URING_ACCEPT && is_within_host(call)))
			return;
		if (is_send(opcode)) {
			send_new(ctx, slot, set);
			return;
		}
	} else if (is_on_two_names(opcode)) {
		read_two_names(slot, opcode);
	} else {
		read_one_name(slot);
	}
	send_bounded(ctx, call, call_bytes(call), set);
}

/* io_uring:io_uring_submit_req, io_uring:io_uring_submit_sqe */
SEC("tracepoint/uring_submit")
int uring_submit(void *ctx)
{
	const struct mote_settings *set = get_settings();
	u64 id = get_current_pid_tgid();
	struct request request = REQUEST(.kind = MOTE_KIND_NAME);
	struct asked asked = {};
	struct call_slot *slot;
	const u32 *number;
	u32 place = 0;
	u8 opcode = 0;
	s32 fd = -1;

	if (!set || is_ignored(set, id))
		return 0;
	probe_read(&opcode, sizeof(opcode), ctx + set->uring_opcode_offset);
	place = opcode;
	number = map_lookup(&uring_calls, &place);
	if (!number || !*number)
		return 0;
	request.flags = MOTE_URING | MOTE_RESULT_UNKNOWN;
	if (is_on_socket(opcode))
		request.kind = MOTE_KIND_SOCKET;
	else if (is_on_two_names(opcode))
		request.kind = MOTE_KIND_PAIR;
	if (read_asked(ctx, set, &asked, &fd)) {
		if (is_open(opcode) && !can_change(asked.words[1]))
			return 0;
		fill_request(&request, opcode, &asked, fd, set);
	} else if (is_send(opcode)) {
		/* Which would be every message of a connection too. */
		return 0;
	} else {
		request.flags |= MOTE_FLAGS_UNREAD;
	}
	if (has_no_address(opcode))
		request.flags |= MOTE_UNNAMED;
	if (unlikely(is_excluded(id >> 32))) {
		count_excluded(id >> 32, *number);
		return 0;
	}
	if (!is_on_socket(opcode) && unlikely(is_spent(id >> 32, set))) {
		count_suppressed(id >> 32, *number);
		return 0;
	}
	slot = claim_overflow(id, *number);
	if (!slot)
		return 0;
	fill_call(slot, *number, id, &request);
	send_operation(ctx, slot, set, opcode, asked.file);
	release(&slot->claim);
	return 0;
}
