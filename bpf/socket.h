/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Sockets as the kernel has them, at offsets that user space measured
 * (src/source/ebpf/sockets.rs): what a call was asked for may be changed by the caller while
 * it runs, or by the kernel (port 0, the address of any interface, a proxy's BPF program).
 */
#ifndef MOTE_SOCKET_H
#define MOTE_SOCKET_H

#include "kernel.h"

/* linux include/linux/socket.h */
#define AF_UNSPEC 0
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16

/* Fills what `file` tells, which may be no socket: struct socket knows its file. */
INLINE void read_socket(const struct mote_settings *set, const u8 *file, struct mote_socket *to)
{
	const u8 *next = 0;
	/* In a row in struct socket (include/linux/net.h). */
	struct {
		const u8 *file;
		const u8 *sk;
	} socket = {};
	/* The beginning of struct sock_common, include/net/sock.h. */
	struct {
		u32 peer;
		u32 local;
		u32 hash;
		u16 peer_port;
		u16 local_port;
		u16 family;
		u16 padding;
	} sock = {};
	u8 narrow = 0;

	if (!file || !set->socket_file_offset)
		return;
	if (probe_read(&next, sizeof(next), file + set->file_private_data_offset) ||
	    probe_read(&socket, sizeof(socket), next + set->socket_file_offset) ||
	    socket.file != file || probe_read(&sock, sizeof(sock), socket.sk))
		return;
	/* Behind its state from 2.6 to today. */
	probe_read(&to->socket_type, sizeof(to->socket_type), next + sizeof(u32));
	to->family = sock.family;
	/* One byte before 5.6 (commit bf9765145b85), two since. */
	if (set->sock_protocol_bytes == 1) {
		probe_read(&narrow, sizeof(narrow), socket.sk + set->sock_protocol_offset);
		to->protocol = narrow;
	} else if (set->sock_protocol_bytes == 2) {
		probe_read(&to->protocol, sizeof(to->protocol),
			   socket.sk + set->sock_protocol_offset);
	}
	if (sock.family == AF_INET) {
		__builtin_memcpy(to->peer, &sock.peer, sizeof(sock.peer));
		__builtin_memcpy(to->local, &sock.local, sizeof(sock.local));
	} else if (sock.family != AF_INET6 || !set->sock_v6_offset ||
		   probe_read(to->peer, sizeof(to->peer) + sizeof(to->local),
			      socket.sk + set->sock_v6_offset)) {
		return;
	}
	/* An address without them is not told. */
	to->peer_port = sock.peer_port;
	to->local_port = sock.local_port;
}

#endif
