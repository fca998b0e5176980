/*
 * timed FILE COMMAND [ARG...]: runs a command and writes one line to FILE: wall, user and system time in microseconds, peak
 * memory in KiB, exit status (128 + the signal for one that was killed). Times and memory are those of wait4(2) and take in
 * every process that the command waited for.
 *
 * A process as small as this one must do the forking: before it executes anything a child counts its parent's memory as its
 * own peak.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long microseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fputs("usage: timed FILE COMMAND [ARG...]\n", stderr);
		return 2;
	}
	long long start = microseconds();
	pid_t child = fork();
	if (child < 0) {
		perror("timed: fork");
		return 1;
	}
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* who kills this process for being late means the command */
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	int status;
	struct rusage used;
	if (wait4(child, &status, 0, &used) < 0) {
		perror("timed: wait4");
		return 1;
	}
	long long wall = microseconds() - start;
	FILE *file = fopen(argv[1], "w");
	if (!file) {
		perror(argv[1]);
		return 1;
	}
	fprintf(file, "%lld %lld %lld %ld %d\n", wall,
	    used.ru_utime.tv_sec * 1000000LL + used.ru_utime.tv_usec,
	    used.ru_stime.tv_sec * 1000000LL + used.ru_stime.tv_usec,
	    used.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	if (fclose(file)) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}
