/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Calls on sockets. */
#include "names.h"

/* connect: (fd, address, size) */
CALL_PROGRAM(enter_connect)
{
	struct request request = REQUEST(.kind = MOTE_KIND_CONNECT, .dirfd = argument(ctx, 0),
					 .path = address(ctx, 1), .mode = argument(ctx, 2));

	enter_call(ctx, &request, 1);
}

#define TCP_SYN_SENT 2 /* include/net/tcp_states.h */
#define IPPROTO_TCP 6

/* sock:inet_sock_set_state runs inside connect(2): it tells TCP from the rest. */
SEC("tracepoint/socket_state")
int socket_state(void *ctx)
{
	const struct mote_settings *set = get_settings();
	struct call_slot *slot;
	u32 state = 0;
	u16 protocol = 0;
	u8 narrow = 0;

	if (!set || set->off || !set->sock_newstate_offset)
		return 0;
	if (probe_read(&state, sizeof(state), ctx + set->sock_newstate_offset) ||
	    state != TCP_SYN_SENT)
		return 0;
	/* One byte before 5.6 (commit bf9765145b85), two since. */
	if (set->sock_protocol_bytes == 1) {
		probe_read(&narrow, 1, ctx + set->sock_protocol_offset);
		protocol = narrow;
	} else {
		probe_read(&protocol, 2, ctx + set->sock_protocol_offset);
	}
	if (protocol != IPPROTO_TCP)
		return 0;
	slot = find_call(get_current_pid_tgid());
	if (slot && slot->call.header.kind == MOTE_KIND_CONNECT)
		slot->call.header.flags |= MOTE_TCP;
	return 0;
}
