/* Moves the wall clock of a process and of its children by CLOCK_SHIFT_SECONDS. Loaded with LD_PRELOAD by
 * `.ci/clock/at`.
 *
 * The program, the simulators and PostgreSQL are all moved by the same number of seconds, so that `now()` in SQL
 * agrees with the clock of the program. Timers and monotonic clocks stay as they are.
 *
 * Why not libfaketime: it returns the real time inside a signal handler that interrupts a wait. PostgreSQL reads the
 * clock there, so its lock_timeout and statement_timeout would never fire. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t shift;

__attribute__((constructor)) static void read_shift(void) {
    const char *seconds = getenv("CLOCK_SHIFT_SECONDS");
    shift = seconds ? (time_t)strtoll(seconds, NULL, 10) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += shift;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int failed = (int)syscall(SYS_gettimeofday, now, zone);
    if (!failed) now->tv_sec += shift;
    return failed;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *now, int base) {
    if (base != TIME_UTC || clock_gettime(CLOCK_REALTIME, now)) return 0;
    return base;
}
