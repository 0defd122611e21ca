/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Where descriptors lead: paths from the kernel's own directory entries, at offsets that
 * user space measured (src/source/ebpf/files.rs). /proc tells it too late, when the process
 * may be gone and its descriptor another one's.
 */
#ifndef MOTE_DESCRIPTOR_H
#define MOTE_DESCRIPTOR_H

#include "kernel.h"

/* struct path, include/linux/path.h; zeros: not known. */
struct place {
	const u8 *mount; /* a struct vfsmount, inside of a struct mount */
	const u8 *dentry;
};

/* The beginning of struct fdtable, include/linux/fdtable.h. */
struct fdtable {
	u32 max_fds;
	u32 padding;
	const u8 *files;
};

/* The struct file of a descriptor of the current task, or null; and by how many tasks its
 * descriptors can be changed: `count` is the first of struct files_struct
 * (include/linux/fdtable.h). */
INLINE const u8 *find_file(const struct mote_settings *set, s32 fd, u32 *users)
{
	struct fdtable table = {};
	const u8 *next = 0;

	if (fd < 0 || !set->task_files_offset)
		return 0;
	if (probe_read(&next, sizeof(next), (void *)get_current_task() + set->task_files_offset) ||
	    probe_read(users, sizeof(*users), next) ||
	    probe_read(&next, sizeof(next), next + set->files_fdt_offset) ||
	    probe_read(&table, sizeof(table), next) || (u32)fd >= table.max_fds ||
	    probe_read(&next, sizeof(next), table.files + (u64)(u32)fd * sizeof(next)))
		return 0;
	return next;
}

/* Finds what a descriptor of the current task is open on, now, and by how many tasks that can be
 * changed. */
INLINE void find_opened(const struct mote_settings *set, s32 fd, struct place *place, u32 *users)
{
	const u8 *file = find_file(set, fd, users);

	place->mount = 0;
	place->dentry = 0;
	if (file && probe_read(place, sizeof(*place), file + set->file_path_offset))
		place->dentry = 0;
}

/* The same, but not if other threads can change it at any time: then it need not be what the call
 * uses, even if it is the same before and after. */
INLINE void find_place(const struct mote_settings *set, s32 fd, struct place *place)
{
	u32 users = 0;

	find_opened(set, fd, place, &users);
	if (users != 1)
		place->dentry = 0;
}

/* A way upwards, and where its names go. It is kept in a map and not in registers, so that
 * every step begins alike for the verifier (see read_arg). */
struct way {
	struct place at;
	const u8 *root; /* of the mount */
	u64 used;	/* bytes of `data` */
	u64 tree;	/* enum mote_tree */
};

/* Components and mounts. */
#define STEPS_MAX 20
#define KEPT(field) (*(volatile __typeof__(field) *)&(field))

/* Takes a way to another mount. Returns whether it leads on. */
INLINE int go_to_mount(struct way *way, const u8 *mount, const u8 *dentry)
{
	const u8 *root = 0;

	/* mnt_root is the first of struct vfsmount. */
	if (probe_read(&root, sizeof(root), mount))
		return 0;
	KEPT(way->root) = root;
	KEPT(way->at.mount) = mount;
	KEPT(way->at.dentry) = dentry;
	return 1;
}

/* One step towards the root. Returns whether it leads on. */
INLINE int step_up(struct way *way, u8 *data, const struct mote_settings *set)
{
	const u8 *mount = KEPT(way->at.mount);
	const u8 *dentry = KEPT(way->at.dentry);
	/* Just before the vfsmount in struct mount, fs/mount.h. */
	struct {
		const u8 *parent;
		const u8 *mountpoint;
	} above = {};
	/* d_parent and d_name of struct dentry, include/linux/dcache.h. */
	struct {
		const u8 *parent;
		u32 hash;
		u32 length;
		const u8 *name;
	} entry = {};
	u64 used;
	long bytes;

	if (dentry == KEPT(way->root)) {
		if (probe_read(&above, sizeof(above), mount - sizeof(above)))
			return 0;
		above.parent += set->mount_offset;
		if (above.parent != mount)
			return go_to_mount(way, above.parent, above.mountpoint);
		way->tree = mount == (void *)set->host_mount ? MOTE_TREE_HOST : MOTE_TREE_OTHER;
		return 0;
	}
	if (probe_read(&entry, sizeof(entry), dentry + set->dentry_parent_offset))
		return 0;
	/* A root that is not the mount's: no path leads to what is open, but in another mount of the
	 * file system. */
	if (entry.parent == dentry) {
		way->tree = MOTE_TREE_DOUBTFUL;
		return 0;
	}
	used = KEPT(way->used);
	if (used >= MOTE_NAME_BYTES)
		return 0;
	KEEP_IN_REGISTER(used);
	used &= MOTE_NAME_BYTES - 1;
	bytes = probe_read_str(data + used, MOTE_COMPONENT_BYTES, entry.name);
	/* Else it was just being renamed. */
	if (bytes <= 1 || (u64)bytes != (u64)entry.length + 1)
		return 0;
	KEPT(way->used) = used + bytes;
	KEPT(way->at.dentry) = entry.parent;
	return 1;
}

/* Appends the names from a place up to the root to `data`. Returns their bytes, and sets `tree`. */
INLINE u16 read_way(struct way *way, const struct place *from, u8 *data, u8 *tree,
		    const struct mote_settings *set)
{
	u64 before = KEPT(way->used);

	*tree = MOTE_TREE_UNKNOWN;
	way->tree = MOTE_TREE_UNKNOWN;
	if (!from->dentry || !go_to_mount(way, from->mount, from->dentry))
		return 0;
#pragma clang loop unroll(full)
	for (int i = 0; i < STEPS_MAX; i++)
		if (!step_up(way, data, set))
			break;
	*tree = KEPT(way->tree);
	/* One that was found by its handle may have no name at all yet. */
	if (*tree == MOTE_TREE_DOUBTFUL && KEPT(way->used) == before)
		*tree = MOTE_TREE_UNKNOWN;
	if (*tree == MOTE_TREE_UNKNOWN) {
		KEPT(way->used) = before;
		return 0;
	}
	return KEPT(way->used) - before;
}

/* The same of a descriptor, if it is open on what it was when the call began: what a slot
 * remembers of an earlier call, whose return was not seen, may be freed. */
INLINE u16 read_place(struct way *way, const struct place *began, s32 fd, u8 *data, u8 *tree,
		      const struct mote_settings *set)
{
	struct place place;

	*tree = MOTE_TREE_UNKNOWN;
	if (!began->dentry)
		return 0;
	find_place(set, fd, &place);
	if (place.dentry != began->dentry || place.mount != began->mount)
		return 0;
	return read_way(way, &place, data, tree, set);
}

#endif
