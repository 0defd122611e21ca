/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Calls on sockets. */
#include "names.h"
#include "socket.h"

#define SOCKET(...) REQUEST(.kind = MOTE_KIND_SOCKET, __VA_ARGS__)

/* connect, bind: (fd, address, size) */
CALL_PROGRAM(enter_address)
{
	struct request request = SOCKET(.dirfd = argument(ctx, 0), .path = address(ctx, 1),
					.mode = argument(ctx, 2));

	enter_other_call(ctx, &request, 1);
}

/* listen: (fd, backlog) */
CALL_PROGRAM(enter_listen)
{
	struct request request = SOCKET(.dirfd = argument(ctx, 0), .call_flags = argument(ctx, 1),
					.flags = MOTE_UNNAMED);

	enter_other_call(ctx, &request, 1);
}

#define PEERS_LOG2 12

/* Whom a process has sent to, in vain or not. */
struct peer {
	u32 pid;
	u16 family;
	u16 port;
	u64 ip[2];
	u64 failed;
	u64 told_ns;
};

/* By a hash of all but the time. Two peers that share a place are told more often. */
MAP(peers, MAP_ARRAY, struct peer, 1 << PEERS_LOG2);

/* Nobody can foresee the place: else a process could have another one's peers told without end. */
INLINE u32 peer_place(const struct peer *peer, const struct mote_settings *set)
{
	u64 factor = set->secret_key * 0x9e3779b97f4a7c15ULL;
	u64 hash = peer->pid * factor;

	hash = (hash ^ (peer->family | (u64)peer->port << 16 | peer->failed << 32)) * factor;
	hash = (hash ^ peer->ip[0]) * factor;
	hash = (hash ^ peer->ip[1]) * factor;
	return hash >> (64 - PEERS_LOG2);
}

/* struct sockaddr_in6, with struct sockaddr_in in its beginning. */
struct internet_address {
	u16 family;
	u16 port;
	u32 v4;
	u64 v6[2];
};

#define V4_BYTES 16 /* sizeof(struct sockaddr_in) */
#define V6_BYTES 24 /* SIN6_LEN_RFC2133, include/net/ipv6.h: the scope may be missing */

/* Whether the kernel takes it for an internet address, and the same one in every call. */
INLINE int is_whole(const struct internet_address *to, u32 bytes)
{
	return (to->family == AF_INET && bytes >= V4_BYTES) ||
	       (to->family == AF_INET6 && bytes >= V6_BYTES);
}

/* Whether it is one at all. What the kernel makes of one without a family depends on the socket. */
INLINE int is_internet(const struct internet_address *to)
{
	return to->family == AF_INET || to->family == AF_INET6 || to->family == AF_UNSPEC;
}

/* Whether the program that the process runs has sent to a whole address a short time ago, and that
 * was told; if not, and if `remembers`, it is told now. */
INLINE int is_told(const struct mote_settings *set, const struct internet_address *to, u64 failed,
		   int remembers)
{
	struct peer peer = { .pid = get_current_pid_tgid() >> 32, .family = to->family,
			     .port = to->port, .failed = failed, .told_ns = ktime_get_ns() };
	u32 place = peer.pid & (MOTE_PROGRAM_SLOTS - 1);
	const volatile u64 *began_ns = map_lookup(&programs, &place);
	struct peer *told;

	if (to->family == AF_INET) {
		peer.ip[0] = to->v4;
	} else {
		peer.ip[0] = to->v6[0];
		peer.ip[1] = to->v6[1];
	}
	place = peer_place(&peer, set);
	told = map_lookup(&peers, &place);
	if (!told || !began_ns)
		return 0;
	if (told->pid == peer.pid && told->family == peer.family && told->port == peer.port &&
	    told->ip[0] == peer.ip[0] && told->ip[1] == peer.ip[1] && told->failed == failed &&
	    told->told_ns > *began_ns && peer.told_ns - told->told_ns < set->peer_window_ns)
		return 1;
	if (remembers)
		*told = peer;
	return 0;
}

#define MSG_FASTOPEN 0x20000000 /* include/linux/socket.h: it connects */

/* Whether what is sent to this address may have to be told. */
INLINE int may_be_new(const struct mote_settings *set, const struct request *request)
{
	struct internet_address to = {};
	u32 bytes = request->mode;

	if (request->call_flags & MSG_FASTOPEN || !is_user(request->path))
		return 1;
	if (bytes >= sizeof(to) ? probe_read(&to, sizeof(to), request->path)
				: probe_read(&to, 8, request->path))
		return 1;
	if (!is_whole(&to, bytes))
		return is_internet(&to);
	return !is_told(set, &to, 0, 0);
}

/* A call that is not reported. */
INLINE void forget_call(void)
{
	u64 id = get_current_pid_tgid();
	struct call_slot *slot = find_call(id);

	/* As in drop_call. */
	if (slot)
		release(&slot->claim);
}

/* sendto: (fd, data, size, flags, address, size of the address) */
CALL_PROGRAM(enter_sendto)
{
	const struct mote_settings *set = get_settings();
	struct request request = SOCKET(.dirfd = argument(ctx, 0), .path = address(ctx, 4),
					.mode = argument(ctx, 5), .call_flags = argument(ctx, 3));

	if (set && request.path && may_be_new(set, &request))
		enter_other_call(ctx, &request, 1);
	else
		forget_call();
}

/* The beginning of struct user_msghdr, include/linux/socket.h. */
struct message {
	const void *address;
	u32 bytes;
	u32 padding;
};

/* sendmsg: (fd, message, flags). One that cannot be read now is read when the call returns. */
CALL_PROGRAM(enter_sendmsg)
{
	const struct mote_settings *set = get_settings();
	struct request request = SOCKET(.dirfd = argument(ctx, 0), .call_flags = argument(ctx, 2));
	const void *from = address(ctx, 1);
	struct message message = {};
	int may_have = 1;

	if (is_user(from) && !probe_read(&message, sizeof(message), from)) {
		request.path = untagged(message.address);
		request.mode = message.bytes;
		/* The kernel does not look at an address of no size. */
		may_have = set && request.path && request.mode && may_be_new(set, &request);
	} else {
		request.from = from;
	}
	if (may_have)
		enter_other_call(ctx, &request, 1);
	else
		forget_call();
}

/* sendmmsg: (fd, messages, number, flags). Which of them are sent the call's result tells. */
CALL_PROGRAM(enter_sendmmsg)
{
	struct request request = SOCKET(.dirfd = argument(ctx, 0), .from = address(ctx, 1),
					.value = argument(ctx, 2), .call_flags = argument(ctx, 3),
					.flags = MOTE_UNNAMED);

	enter_other_call(ctx, &request, 1);
}

/* Reads the socket of a call as the kernel has it now, if it is the one of its beginning: another
 * thread may have closed it and opened it anew. */
INLINE void read_ends(struct call_slot *slot, const struct mote_settings *set)
{
	u32 users = 0;

	if (slot->file && slot->file == find_file(set, slot->call.dirfd, &users))
		read_socket(set, slot->file, (void *)slot->call.data);
}

/* Sends a record of what was sent to the address in it, if that is new. */
INLINE void send_new(void *ctx, struct call_slot *slot, const struct mote_settings *set)
{
	struct mote_call *call = &slot->call;
	struct internet_address to = {};

	probe_read(&to, sizeof(to), call->data + sizeof(struct mote_socket));
	if (call->path_bytes >= sizeof(to.family) && !(call->call_flags & MSG_FASTOPEN)) {
		if (!is_internet(&to))
			return;
		if (is_whole(&to, call->path_bytes) &&
		    is_told(set, &to, (u64)call->header.ret >> 63, 1))
			return;
	}
	send_bounded(ctx, call, call_bytes(call), set);
}

/* Takes the address of a message when the call returns. Returns 0 if it has none. */
INLINE int read_message(struct call_slot *slot, const void *from)
{
	struct mote_header *header = &slot->call.header;
	struct message message = {};

	header->flags &= ~MOTE_PATH_UNREAD;
	header->flags |= MOTE_READ_LATE;
	if (!is_user(from) || probe_read(&message, sizeof(message), from)) {
		header->flags |= MOTE_PATH_UNREAD;
		slot->call.path_bytes = 0;
		return 1;
	}
	slot->path = untagged(message.address);
	slot->call.mode = message.bytes;
	if (!slot->path || !message.bytes)
		return 0;
	read_address(slot);
	return 1;
}

/* The same of an address, which the call has made resident, if there is one. */
INLINE void read_address_late(struct call_slot *slot)
{
	slot->call.header.flags &= ~MOTE_PATH_UNREAD;
	slot->call.header.flags |= MOTE_READ_LATE;
	read_address(slot);
}

/* sendto, sendmsg */
CALL_PROGRAM(leave_send)
{
	const struct mote_settings *set = get_settings();
	struct call_slot *slot = find_entered(ctx, set);
	int has_address = 1;

	if (!slot)
		return;
	if (slot->from)
		has_address = read_message(slot, slot->from);
	else if (slot->call.header.flags & MOTE_PATH_UNREAD)
		read_address_late(slot);
	if (has_address) {
		read_ends(slot, set);
		slot->call.header.time_ns = ktime_get_ns();
		send_new(ctx, slot, set);
	}
	release(&slot->claim);
}

#define MESSAGE_BYTES 64 /* sizeof(struct mmsghdr) */

/* The message of this number, if it was sent, or is why the call failed. */
INLINE void leave_message(void *ctx, struct call_slot *slot, const struct mote_settings *set,
			  s64 number)
{
	if (number >= (u32)slot->call.value || (number && number >= slot->call.header.ret))
		return;
	if (read_message(slot, slot->from + number * MESSAGE_BYTES))
		send_new(ctx, slot, set);
}

CALL_PROGRAM(leave_sendmmsg)
{
	const struct mote_settings *set = get_settings();
	struct call_slot *slot = find_entered(ctx, set);

	if (!slot)
		return;
	read_ends(slot, set);
	slot->call.header.flags &= ~MOTE_UNNAMED;
	slot->call.header.time_ns = ktime_get_ns();
	leave_message(ctx, slot, set, 0);
	leave_message(ctx, slot, set, 1);
	leave_message(ctx, slot, set, 2);
	leave_message(ctx, slot, set, 3);
	release(&slot->claim);
}

INLINE u16 family_of(const struct mote_call *call)
{
	return ((const struct mote_socket *)call->data)->family;
}

/* Whether a program asks the kernel something, as they do all the time. Not by the socket alone,
 * which another thread may have put in the place of another one. */
INLINE int is_netlink(const struct mote_call *call)
{
	const u16 *family = (const void *)(call->data + sizeof(struct mote_socket));

	return family_of(call) == AF_NETLINK && call->path_bytes >= sizeof(*family) &&
	       *family == AF_NETLINK;
}

/* connect, bind, listen */
CALL_PROGRAM(leave_socket)
{
	const struct mote_settings *set = get_settings();
	struct call_slot *slot = find_entered(ctx, set);

	if (!slot)
		return;
	if (slot->call.header.flags & MOTE_PATH_UNREAD)
		read_address_late(slot);
	read_ends(slot, set);
	slot->call.header.time_ns = ktime_get_ns();
	/* A unix socket's name may be relative. */
	slot->call.duration_us = duration_us(slot->entered_ns, slot->call.header.time_ns);
	if (!is_netlink(&slot->call))
		send_bounded(ctx, &slot->call, call_bytes(&slot->call), set);
	release(&slot->claim);
}

/* Where calls run twice: the tasks whose accept was told, until they enter the next one. Of two
 * that share a place one may be told twice, and none is missing. */
MAP(accepted, MAP_ARRAY, u64, MOTE_SENT_MARKS);

/* accept, accept4: (fd, address, its size). It may wait for days, and needs nothing of its
 * arguments, so it takes no slot. */
CALL_PROGRAM(enter_accept)
{
	const struct mote_settings *set = get_settings();
	u64 task = get_current_task();
	volatile u64 *mark = set && set->calls_run_twice ? task_mark(&accepted, task) : 0;

	if (mark && *mark == task)
		*mark = 0;
}

#define EAGAIN 11

/* Who accepts on a unix socket is told when it is bound, and who connects when he does. */
INLINE int is_within_host(const struct mote_call *call)
{
	return family_of(call) == AF_UNIX;
}

/* What a new socket is, of the kernel: many programs do not ask for its address. Servers ask until
 * there is nothing more. */
CALL_PROGRAM(leave_accept)
{
	const struct mote_settings *set = get_settings();
	u64 id = get_current_pid_tgid();
	u64 task = get_current_task();
	s32 number = call_number(ctx);
	struct request request = SOCKET(.dirfd = call_result(ctx), .flags = MOTE_UNNAMED);
	struct call_slot *slot;
	volatile u64 *mark;
	u32 users = 0;

	if (!set || is_ignored(set, id) || call_result(ctx) == -EAGAIN)
		return;
	if (unlikely(set->calls_run_twice)) {
		mark = task_mark(&accepted, task);
		if (mark && *mark == task)
			return;
		if (mark)
			*mark = task;
	}
	if (unlikely(is_excluded(id >> 32))) {
		count_excluded(id >> 32, number);
		return;
	}
	slot = claim_overflow(id, number);
	if (!slot)
		return;
	fill_call(slot, number, id, &request);
	read_request(slot, MOTE_KIND_SOCKET, 1);
	slot->call.header.ret = call_result(ctx);
	slot->call.header.time_ns = ktime_get_ns();
	read_socket(set, find_file(set, request.dirfd, &users), (void *)slot->call.data);
	if (!is_within_host(&slot->call))
		send_bounded(ctx, &slot->call, call_bytes(&slot->call), set);
	release(&slot->claim);
}
