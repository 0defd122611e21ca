/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* How processes end. Included after process.c, whose slots the end of a thread gives back. */
#include "exclude.h"
#include "names.h"

/* Whether no thread of the process is left, of those that have not begun to end.
 *
 * `live` follows `sigcnt` in struct signal_struct from 2.6 to today (linux
 * include/linux/sched/signal.h), and is counted down before the tracepoint. Threads that end
 * at once may all find it 0, and tell the same status: user space takes the first. */
INLINE int is_group_dead(void *ctx, const struct mote_settings *set, u64 id)
{
	const u8 *signal = 0;
	u32 live = 1;
	u8 group_dead = 0;

	if (set->exit_group_dead_offset) {
		probe_read(&group_dead, 1, ctx + set->exit_group_dead_offset);
		return group_dead;
	}
	if (set->task_signal_offset &&
	    !probe_read(&signal, sizeof(signal), (void *)get_current_task() + set->task_signal_offset) &&
	    !probe_read(&live, sizeof(live), signal + sizeof(u32)))
		return live == 0;
	/* The first thread stands for the process. */
	return (u32)id == (u32)(id >> 32);
}

/* In a row in struct signal_struct from 2.6 to today. */
struct group_exit {
	u32 code;
	s32 notify_count;
	u64 task;
	s32 stop_count;
	u32 flags;
};

#define SIGNAL_GROUP_EXIT 4 /* include/linux/sched/signal.h, earlier sched.h */

/* Whose exit_code wait(2) reports (wait_task_zombie, kernel/exit.c): if the process was ended
 * as a whole, its own, which goes to `group` and is certain by now, as no thread is left that
 * could change it. Else that of its first thread, even if that ended long ago; from 6.0 on
 * (linux commit d80f7d7b2c75) every process ends as a whole.
 *
 * Returns the task to read, or null if the first thread is still to come: it sets its
 * exit_code after `live` is counted down, and before it loses its mm, both before the
 * tracepoint. As it then finds `live` 0 as well, it tells the status itself. Where tracefs has
 * group_dead, the tracepoint comes before the mm is lost, and only one thread has it. */
INLINE const u8 *find_status(const struct mote_settings *set, u64 id, struct group_exit *group)
{
	const u8 *task = (void *)get_current_task();
	const u8 *from = 0;

	if (!set->signal_exit_code_offset ||
	    probe_read(&from, sizeof(from), task + set->task_signal_offset) ||
	    probe_read(group, sizeof(*group), from + set->signal_exit_code_offset)) {
		group->flags = 0;
		return task;
	}
	if (group->flags & SIGNAL_GROUP_EXIT || (u32)id == (u32)(id >> 32) ||
	    !set->task_leader_offset)
		return task;
	if (probe_read(&from, sizeof(from), task + set->task_leader_offset))
		return task;
	task = from;
	if (!set->exit_group_dead_offset &&
	    !probe_read(&from, sizeof(from), task + set->task_mm_offset) && from)
		return 0;
	return task;
}

/* sched:sched_process_exit, once a thread. */
SEC("tracepoint/thread_exit")
int thread_exit(void *ctx)
{
	const struct mote_settings *set = get_settings();
	u64 id = get_current_pid_tgid();
	struct call_slot *call = find_call(id);
	struct exec_slot *exec = find_exec(id);
	struct mote_exit exit = {};
	struct group_exit group = {};
	const u8 *task;

	/* Killed inside a call: it will not return. */
	if (call)
		release(&call->claim);
	if (exec)
		release(&exec->claim);
	unmark_returning();
	if (!set || is_ignored(set, id))
		return 0;
	if (!is_group_dead(ctx, set, id))
		return 0;
	task = find_status(set, id, &group);
	if (!task)
		return 0;
	exit.header.kind = MOTE_KIND_EXIT;
	exit.header.syscall = -1;
	if (group.flags & SIGNAL_GROUP_EXIT)
		exit.status = group.code;
	else if (!set->task_exit_code_offset ||
		 probe_read(&exit.status, sizeof(exit.status), task + set->task_exit_code_offset))
		exit.header.flags = MOTE_STATUS_UNKNOWN;
	set_identity(&exit.header, id);
	/* The process, not the thread that happened to be last. */
	exit.header.tid = exit.header.pid;
	exit.header.time_ns = ktime_get_ns();
	end_program(id >> 32, exit.header.time_ns, set);
	send_priority(ctx, &exit, sizeof(exit));
	return 0;
}
