/*
 * copy-tree DIR OUT: the floor under every maker of images from directories. Walks DIR, reads each regular file once
 * (further names of a hard link not again) and writes the bytes to OUT, each file from a boundary of 4096 on, in writes of
 * 8 MiB. No metadata, no order, no check: what reading a tree and writing as many bytes costs on this kernel.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROOM = 8 << 20, BLOCK = 4096 };

static char room[ROOM];
static size_t used;
static int out;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void flush(void)
{
	for (size_t done = 0; done < used;) {
		ssize_t count = write(out, room + done, used - done);
		if (count < 0)
			fail("write");
		done += count;
	}
	used = 0;
}

/* Inodes with several names, in an open table of a power of two; 0 is a free place. */
static uint64_t *linked;
static size_t places, taken;

static int met(ino_t inode)
{
	if (2 * taken >= places) {
		uint64_t *old = linked;
		size_t count = places;
		places = places ? 2 * places : 1024;
		linked = calloc(places, sizeof *linked);
		if (!linked)
			fail("calloc");
		taken = 0;
		for (size_t i = 0; i < count; i++)
			if (old[i])
				met(old[i]);
		free(old);
	}
	size_t at = (inode * 0x9e3779b97f4a7c15u >> 20) & (places - 1);
	for (; linked[at]; at = (at + 1) & (places - 1))
		if (linked[at] == inode)
			return 1;
	linked[at] = inode;
	taken++;
	return 0;
}

static void copy(int directory, const char *name)
{
	int file = openat(directory, name, O_RDONLY | O_NOFOLLOW);
	if (file < 0)
		fail(name);
	for (;;) {
		if (used == ROOM)
			flush();
		ssize_t count = read(file, room + used, ROOM - used);
		if (count < 0)
			fail(name);
		if (count == 0)
			break;
		used += count;
	}
	close(file);
	size_t end = (used + BLOCK - 1) / BLOCK * BLOCK;
	memset(room + used, 0, end - used);
	used = end;
}

static void walk(int descriptor)
{
	DIR *directory = fdopendir(descriptor);
	if (!directory)
		fail("fdopendir");
	for (struct dirent *entry; (entry = readdir(directory));) {
		const char *name = entry->d_name;
		struct stat status;
		if (!strcmp(name, ".") || !strcmp(name, ".."))
			continue;
		if (fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW))
			fail(name);
		if (S_ISDIR(status.st_mode)) {
			int below = openat(descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
			if (below < 0)
				fail(name);
			walk(below);
		} else if (S_ISREG(status.st_mode) && status.st_size > 0 && !(status.st_nlink > 1 && met(status.st_ino))) {
			copy(descriptor, name);
		}
	}
	closedir(directory);
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fputs("usage: copy-tree DIR OUT\n", stderr);
		return 2;
	}
	int top = open(argv[1], O_RDONLY | O_DIRECTORY);
	if (top < 0)
		fail(argv[1]);
	out = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (out < 0)
		fail(argv[2]);
	walk(top);
	flush();
	if (close(out))
		fail(argv[2]);
	return 0;
}
