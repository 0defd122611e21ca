/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Signals to the sensor. */
#include "send.h"

/* include/uapi/asm-generic/siginfo.h: kill(2), sigqueue(3), tgkill(2). The kernel's own have others,
 * and come in the context of anybody. */
#define SI_USER 0
#define SI_QUEUE -1
#define SI_TKILL -6

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
	if (sent.code != SI_USER && sent.code != SI_QUEUE && sent.code != SI_TKILL)
		return 0;
	probe_read(&sent.number, sizeof(sent.number), ctx + set->signal_number_offset);
	sent.header.kind = MOTE_KIND_SIGNAL;
	sent.header.syscall = -1;
	set_identity(&sent.header, id);
	sent.header.time_ns = ktime_get_ns();
	send_priority(ctx, &sent, sizeof(sent));
	return 0;
}
