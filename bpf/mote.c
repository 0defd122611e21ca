/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The one object: every hook family, and what is measured at the start. */
#include "process.c"
#include "exit.c"
#include "file.c"
#include "attribute.c"
#include "system.c"
#include "mount.c"
#include "signal.c"
#include "network.c"
#include "uring.c"
#include "compat.c"
#include "measure.c"

char mote_license[] SEC("license") = "Dual MIT/GPL";
