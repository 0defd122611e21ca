/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The one object: every hook family. */
#include "process.c"
#include "file.c"
#include "network.c"

char mote_license[] SEC("license") = "Dual MIT/GPL";
