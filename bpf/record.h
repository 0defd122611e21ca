/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What crosses the perf rings and what user space sets: the only definition of it.
 * The kernel side includes this file; build.rs turns it into Rust with assertions on
 * every size and offset. It needs no other header, and every padding byte has a name.
 */
#ifndef MOTE_RECORD_H
#define MOTE_RECORD_H

typedef unsigned char mote_u8;
typedef unsigned short mote_u16;
typedef unsigned int mote_u32;
typedef unsigned long long mote_u64;
typedef int mote_s32;
typedef long long mote_s64;

#define MOTE_COMM_BYTES 16   /* TASK_COMM_LEN, include/linux/sched.h */
#define MOTE_NAME_BYTES 1024 /* one name with its NUL */
/* Where something starts behind something else, verifiers before 5.10 or so take a mask
 * only, and no comparison: so these are one less than a power of two. */
#define MOTE_PAIR_BYTES 511  /* each of two names */
#define MOTE_ARGS_BYTES 1023 /* all arguments, each with its NUL */
#define MOTE_EXEC_PATH_BYTES 512
#define MOTE_ARGS_MAX 32
#define MOTE_COMPONENT_BYTES 256 /* NAME_MAX, include/uapi/linux/limits.h, and its NUL */
#define MOTE_WORD_BYTES 12 /* of the type or an option of a mount */
#define MOTE_ADDRESS_BYTES 128 /* sizeof(struct sockaddr_storage) */

/* Which struct a record is. */
enum mote_kind {
	MOTE_KIND_EXEC = 1,
	MOTE_KIND_FORK = 2,
	MOTE_KIND_EXIT = 3,
	MOTE_KIND_NAME = 4,    /* a call on one name, or on a descriptor */
	MOTE_KIND_PAIR = 5,    /* a call with two strings, the old name first */
	MOTE_KIND_SOCKET = 6,  /* a call on a socket: with an address, or none */
	MOTE_KIND_SIGNAL = 7,  /* a signal to the sensor */
};

/* Whose mounts a descriptor leads to. */
enum mote_tree {
	MOTE_TREE_UNKNOWN = 0, /* where it leads is not known */
	MOTE_TREE_HOST = 1,
	MOTE_TREE_OTHER = 2, /* another namespace's, or no one's */
	/* What a mount does not show, from the root of its file system; or it may be another
	 * thread's doing. */
	MOTE_TREE_DOUBTFUL = 3,
};

/* mote_header.flags */
enum mote_flag {
	MOTE_PATH_UNREAD = 1 << 0, /* the page of the name was not resident, or not mapped */
	MOTE_FROM_UNREAD = 1 << 1,
	MOTE_PATH_CUT = 1 << 2,
	MOTE_FROM_CUT = 1 << 3,
	MOTE_ARGS_UNREAD = 1 << 4,
	MOTE_ARGS_CUT = 1 << 5,
	MOTE_READ_LATE = 1 << 6,     /* read when the call returned */
	MOTE_RESULT_UNKNOWN = 1 << 7, /* sent when the call was entered */
	MOTE_FLAGS_UNREAD = 1 << 8,  /* what the call points at beside names: struct open_how, times */
	MOTE_WORD_CUT = 1 << 9,
	MOTE_STATUS_UNKNOWN = 1 << 10, /* exit: status not read */
	MOTE_ROOTED = 1 << 11, /* openat2: an absolute name starts at dirfd, RESOLVE_IN_ROOT */
	MOTE_UNNAMED = 1 << 12, /* the call is on dirfd itself, and has no name */
	MOTE_FROM_ABSENT = 1 << 13, /* nor has it the other string */
	MOTE_URING = 1 << 14, /* an operation of io_uring: as the system call that does the same */
	MOTE_COMPAT = 1 << 15, /* a 32-bit system call: as the 64-bit one. The last bit there is. */
};

struct mote_header {
	mote_u64 time_ns; /* bpf_ktime_get_ns: CLOCK_MONOTONIC, when the record was sent */
	mote_u32 pid;     /* tgid, initial pid namespace */
	mote_u32 tid;
	mote_u32 uid; /* real ids, initial user namespace */
	mote_u32 gid;
	mote_s64 ret;
	mote_s32 syscall; /* -1: none */
	mote_u16 kind;
	mote_u16 flags;
	mote_u8 comm[MOTE_COMM_BYTES];
};

/* In the place of a duration. */
#define MOTE_DURATION_UNKNOWN 0xffffffff

struct mote_exec {
	struct mote_header header; /* syscall -1: the arguments were not seen */
	mote_s32 dirfd;            /* of a failed execveat */
	mote_u16 args_bytes;
	mote_u16 args_count;
	mote_u16 path_bytes; /* with NUL; 0: none */
	mote_u16 reserved;
	mote_u32 duration_us; /* since the call was entered, or MOTE_DURATION_UNKNOWN */
	/* args_bytes of arguments, then path_bytes of path. Twice the room lets the last
	 * argument be read without a variable size, which old verifiers refuse. */
	mote_u8 data[2 * (MOTE_ARGS_BYTES + 1)];
};

/* Of a thread (CLONE_THREAD) only if it does not share its process's directory. */
struct mote_fork {
	struct mote_header header; /* of the parent */
	mote_u64 clone_flags;
	mote_u32 child_pid;
	mote_u32 reserved;
};

struct mote_exit {
	struct mote_header header;
	mote_u32 status; /* as wait(2) has it */
	mote_u32 reserved;
};

struct mote_signal {
	struct mote_header header; /* of the sender */
	mote_u32 number;
	mote_s32 code; /* SI_* */
	mote_u32 target; /* thread id, initial pid namespace */
	mote_u32 reserved;
};

/* A socket as the kernel has it; zeros: not known, or it has none. Ports and addresses are those
 * of IPv4, in the first bytes, and of IPv6. */
struct mote_socket {
	mote_u16 family;     /* AF_* */
	mote_u16 protocol;   /* IPPROTO_* */
	mote_u16 peer_port;  /* network byte order */
	mote_u16 local_port; /* the host's */
	mote_u16 socket_type; /* SOCK_* */
	mote_u16 reserved;
	mote_u8 peer[16];
	mote_u8 local[16];
};

struct mote_call {
	struct mote_header header;
	mote_s32 dirfd; /* of the (new) name; the socket; of accept the new one */
	mote_s32 from_dirfd;
	mote_u32 call_flags;
	/* The size of an address; of utime and a clock nanoseconds, of which a second has
	 * less if there is no time; of setresuid the saved id; of mount_setattr MS_*. */
	mote_u32 mode;
	/* Of mknod the device; of chown the user, with the group above it; of truncate the size in
	 * bytes; of utime and a clock the second; of setuid and the like the real id, with the
	 * effective one above it; of ptrace the other process; of sendmmsg the
	 * number of messages; of fsmount and mount_setattr attributes, with those that are cleared
	 * above them. Of mount and fsopen the bytes of mode and value are the type, of fsconfig the
	 * option: MOTE_WORD_BYTES. */
	mote_u64 value;
	mote_u16 from_bytes; /* with NUL, or of struct mote_socket; 0: none */
	mote_u16 path_bytes; /* with NUL; of an address: its size, without */
	mote_u32 duration_us; /* since it was entered, where it matters where the process works */
	mote_u16 opened_bytes; /* components of what dirfd is open on, from it to the root */
	mote_u16 from_opened_bytes;
	mote_u8 opened_tree; /* enum mote_tree */
	mote_u8 from_opened_tree;
	mote_u16 unseen; /* of what moves: 1: others of its window are not told (bpf/flood.h) */
	/* Old name, then name; or struct mote_socket, then the address. Then the components of
	 * dirfd, those of from_dirfd, each with NUL: the last one begins within
	 * MOTE_NAME_BYTES. */
	mote_u8 data[MOTE_NAME_BYTES + MOTE_COMPONENT_BYTES];
};

/* Slots for calls under way, by the low bits of the thread id. */
#define MOTE_CALL_SLOTS 256
#define MOTE_EXEC_SLOTS 64

/* Marks of tasks whose call was sent without a slot, where calls run twice. A power of two. */
#define MOTE_SENT_MARKS 1024

/* The map `settings`, one element. Offsets are of fields in a tracepoint's record, as
 * the running kernel's tracefs gives them; 0: the kernel has no such field. */
struct mote_settings {
	mote_u32 own_pid;
	mote_u32 exec_filename_offset;
	mote_u32 newtask_pid_offset;
	mote_u32 newtask_clone_flags_offset;
	mote_u32 exit_group_dead_offset;
	mote_u32 signal_number_offset;
	mote_u32 signal_code_offset;
	mote_u32 signal_pid_offset;
	/* In struct task_struct, measured at start; 0: not known. */
	mote_u32 task_exit_code_offset;
	mote_u32 task_signal_offset;
	mote_u32 task_leader_offset;
	mote_u32 task_mm_offset;
	mote_u32 mm_arg_start_offset; /* known if that of mm is */
	mote_u32 signal_exit_code_offset; /* of group_exit_code in struct signal_struct */
	/* In the context of syscalls:* tracepoints; for the object that needs them. */
	mote_u32 call_number_offset;
	mote_u32 call_args_offset;
	mote_u32 probe_pid; /* whose task_struct or context the measurement copies */
	/* Every program of a call runs twice: the second run is for the first one that was
	 * skipped. */
	mote_u32 calls_run_twice;
	/* Measured at start, to follow descriptors; 0: not known. */
	mote_u32 task_files_offset;
	mote_u32 files_fdt_offset;
	mote_u32 file_path_offset;
	mote_u32 dentry_parent_offset;
	mote_u32 mount_offset; /* of the vfsmount in struct mount */
	/* Measured at start, to read sockets (bpf/socket.h); 0: not known. */
	mote_u32 file_private_data_offset;
	mote_u32 socket_file_offset; /* in struct socket; sk follows */
	mote_u32 sock_protocol_offset;
	mote_u32 sock_protocol_bytes;
	mote_u32 sock_v6_offset; /* of skc_v6_daddr; skc_v6_rcv_saddr follows */
	/* In the record of io_uring's tracepoint; 0: the kernel does not tell, or it was not measured
	 * what stands in a request. */
	mote_u32 uring_opcode_offset;
	mote_u32 uring_request_offset;
	mote_u32 uring_flags_offset;
	mote_u32 uring_fd_offset; /* in struct io_kiocb */
	mote_u32 uring_symlink_second; /* symlinkat has its descriptor where renameat has the new one */
	mote_u32 reserved;
	mote_u32 task_status_offset; /* of thread_info.status in struct task_struct, x86-64 */
	/* In the record of raw_syscalls:sys_enter. */
	mote_u32 raw_number_offset;
	mote_u32 raw_args_offset;
	mote_u32 off; /* no program does anything any more: they are being detached */
	mote_u32 secret_key; /* odd, and known to nobody else, for hashes */
	mote_u32 bulk_budget; /* bulk events that a process may have in a window; 0: any number */
	mote_u64 host_mount; /* the vfsmount that all the host's paths begin at */
	mote_u64 peer_window_ns; /* in which a process's datagrams to a peer are told once */
};

/* The map `uring_calls`. */
#define MOTE_URING_OPCODES 256

/* The map `compat_calls`: what a 32-bit system call is, by its number; then, by theirs, the calls
 * of socketcall(2). */
#define MOTE_COMPAT_SOCKET_CALLS 512
#define MOTE_COMPAT_CALLS 544

/* Where something that a call is given stands: 0 to 5 is an argument. */
#define MOTE_GIVEN_NOTHING 6
#define MOTE_GIVEN_NO_ID 7
#define MOTE_GIVEN_CWD 8
#define MOTE_GIVEN_CREAT 9 /* the flags of creat(2) */
#define MOTE_GIVEN_WORDS 16

enum mote_compat_route {
	MOTE_COMPAT_BULK = 0,   /* as far as there is a budget */
	MOTE_COMPAT_SYSTEM = 1, /* with the process events, as far as there is a budget of them */
	MOTE_COMPAT_NAMES = 2,  /* only tells what names mean, as far as there is a budget */
};

/* Which of these calls are told. */
enum mote_compat_filter {
	MOTE_COMPAT_ALL = 0,
	MOTE_COMPAT_CHANGES = 1, /* opens that can write or create */
	MOTE_COMPAT_PTRACE = 2,
	MOTE_COMPAT_LOADS = 3, /* of bpf(2) */
	MOTE_COMPAT_SENDS = 4, /* to an address, once */
	MOTE_COMPAT_HOW = 5, /* opens, whose flags are where call_flags points */
	MOTE_COMPAT_ACCEPTS = 6,
	MOTE_COMPAT_COPIES = 7, /* of open_tree(2) */
};

struct mote_compat_call {
	mote_s32 syscall; /* the 64-bit call that does the same */
	mote_u16 kind;    /* enum mote_kind; 0: it is not told */
	mote_u16 flags;
	mote_u8 path; /* MOTE_GIVEN_*, as what follows */
	mote_u8 from;
	mote_u8 dirfd;
	mote_u8 from_dirfd;
	mote_u8 call_flags;
	mote_u8 mode;
	mote_u8 value;
	mote_u8 value_high;
	mote_u8 named; /* whether it has names */
	mote_u8 route;
	mote_u8 filter;
	mote_u8 moves; /* whether it changes what names mean: it is told of every process */
	mote_u8 words; /* of socketcall: how many arguments are in memory */
	mote_u8 narrow; /* whether its ids have 16 bits */
	mote_u8 reserved[2];
};

/* The window of bulk_budget: a second or so. */
#define MOTE_BULK_WINDOW_LOG2_NS 30
#define MOTE_FLOOD_PLACES_LOG2 12
#define MOTE_FLOOD_PLACES (1 << MOTE_FLOOD_PLACES_LOG2)
/* The calls that move a process have numbers of which none is another one's modulo this. */
#define MOTE_MOVE_CALLS 61

/* Calls that are replaced before a program is loaded (bpf/kernel.h). */
#define MOTE_PREEMPT_DISABLE 0x7001
#define MOTE_PREEMPT_ENABLE 0x7002

/* Counters in struct mote_losses. */
enum mote_loss {
	MOTE_LOSS_PRIORITY_FULL = 0, /* the helper said ENOSPC (kernels from 5.1 on) */
	MOTE_LOSS_PRIORITY_OUTPUT = 1,
	MOTE_LOSS_BULK_FULL = 2,
	MOTE_LOSS_BULK_OUTPUT = 3,
	/* The CPU's scratch slot was in use by a program that was preempted. */
	MOTE_LOSS_PRIORITY_BUSY = 4,
	MOTE_LOSS_BULK_BUSY = 5,
	MOTE_LOSS_COUNT = 6,
};

#define MOTE_LOSS_ROOM 8

/* The map `losses`, an element a CPU, a cache line each. */
struct mote_losses {
	mote_u64 counts[MOTE_LOSS_ROOM]; /* MOTE_LOSS_COUNT of them are used */
};

/*
 * Excluded processes, by the low bits of their id. The map `programs` has, in nanoseconds of
 * bpf_ktime_get_ns, when a process of that place last began, executed a program or ended;
 * only programs write it. The map `excluded` has which process is excluded from which of
 * these times on (exclusion_of in bpf/exclude.h), 0: none; only user space writes it. So an
 * exclusion ends by itself with the program it was made for.
 */
#define MOTE_PROGRAM_SLOTS 4096
/* Of a process id the bits that the place does not tell, in the highest bits of a word:
 * PID_MAX_LIMIT is 2^22 (linux include/linux/threads.h). */
#define MOTE_EXCLUSION_SHIFT 54

/* The map `unsent_calls`: events that user space never sees, since they were excluded,
 * suppressed or lost, by the number of the system call. Whatever is counted elsewhere is counted
 * here after that: as long as nothing changes here, nothing has there (on x86-64). */
#define MOTE_UNSENT_CALLS 512
/* In the place of a number: of what is no system call. No call has it yet. */
#define MOTE_UNSENT_NO_CALL (MOTE_UNSENT_CALLS - 1)

/* The map `unsent`: the same by process, found as calls under way are, but kept until user
 * space has seen that the process is gone. Behind these slots is one a CPU, for processes
 * that find no slot free. */
#define MOTE_UNSENT_SLOTS 1024

struct mote_unsent {
	mote_u64 holders; /* struct claim of bpf/kernel.h */
	mote_u64 owner; /* tgid; 0: free */
	/* These only grow, whoever owns the slot. */
	mote_u64 excluded;
	mote_u64 lost;
	mote_u64 suppressed; /* by the flood guard, bpf/flood.h */
	/* A cache line each: processes that flood at the same time may be neighbours. */
	mote_u64 reserved[3];
};

/* The map `probe`: bytes of a task_struct, read in chunks since its end may lie beyond
 * mapped memory.
 * On 6.18 the fields that are looked for lie within these bytes; where they do not, the
 * measurement finds nothing and says so. */
#define MOTE_PROBE_CHUNK_BYTES 512
#define MOTE_PROBE_CHUNKS 12
/* And what some of its pointers point at: where each is in task_struct, and the first
 * bytes there. */
#define MOTE_PROBE_POINTERS 64
#define MOTE_PROBE_TARGET_BYTES 16

/* Of a request of io_uring: where pointers to struct filename may stand, and how many. */
#define MOTE_PROBE_NAMES_OFFSET 16
#define MOTE_PROBE_NAMES 2

/* The context of a call has at most this many bytes that matter. */
#define MOTE_PROBE_CONTEXT_BYTES 64

struct mote_probe {
	mote_u32 done;
	mote_u32 pointers;
	mote_u32 pointer_offsets[MOTE_PROBE_POINTERS];
	mote_u8 targets[MOTE_PROBE_POINTERS * MOTE_PROBE_TARGET_BYTES];
	mote_u8 task[MOTE_PROBE_CHUNKS * MOTE_PROBE_CHUNK_BYTES];
	mote_u8 context[MOTE_PROBE_CONTEXT_BYTES];
};

/* The map `peek`: bytes of the kernel's memory, read in chunks as a task_struct is. What
 * cannot be read is 0. */
#define MOTE_PEEK_CHUNK_BYTES 64
#define MOTE_PEEK_CHUNKS 4

struct mote_peek {
	mote_u64 done;
	mote_u64 address;
	mote_u64 task; /* the caller's task_struct */
	mote_u8 bytes[MOTE_PEEK_CHUNKS * MOTE_PEEK_CHUNK_BYTES];
};

#endif
