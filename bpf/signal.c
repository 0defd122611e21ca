/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Signals to the sensor. Included behind system.c, whose budget they have. */
#include "send.h"

/* include/uapi/asm-generic/siginfo.h: from a terminal, for one. Such a signal and SIGCHLD come in
 * the context of anybody. Whoever sends one by himself can give it any other code. */
#define SI_KERNEL 0x80
#define SIGCHLD 17

/* signal:signal_generate, in the process that sends it. What it may not send does not get here. */
SEC("tracepoint/signal_sent")
int signal_sent(void *ctx)
{
	const struct mote_settings *set = get_settings();
	u64 id = get_current_pid_tgid();
	struct mote_signal sent = {};

	if (!set || set->off || !set->signal_pid_offset ||
	    probe_read(&sent.target, sizeof(sent.target), ctx + set->signal_pid_offset) ||
	    sent.target != set->own_pid || set->own_pid == (u32)(id >> 32))
		return 0;
	probe_read(&sent.code, sizeof(sent.code), ctx + set->signal_code_offset);
	probe_read(&sent.number, sizeof(sent.number), ctx + set->signal_number_offset);
	if (sent.code == SI_KERNEL || sent.number == SIGCHLD)
		return 0;
	sent.header.kind = MOTE_KIND_SIGNAL;
	sent.header.syscall = -1;
	set_identity(&sent.header, id);
	sent.header.time_ns = ktime_get_ns();
	send_either(ctx, &sent, sizeof(sent), has_budget(&sent.header, set));
	return 0;
}
