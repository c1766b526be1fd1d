/* The twin in C of bench/p2p: the same flags, loops, counts and lines, over MPI.
 * The two are changed together. It also is the empty program (-t empty). */
#define _GNU_SOURCE
#include <getopt.h>
#include <math.h>
#include <mpi.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DATA = 1, CONTROL = 2, ALIGNMENT = 2 << 20, MOST = 1 << 24, UNIT = 1000 };
enum { STOP, WHOLE, TRANSFER, COMPUTE };

static const char *test = "latency";
static long low = 0, high = 64 << 20, iters = 0, warmup = 0, window_asked = 0, repeats = 10, validate = 0;
static int64_t target = 5000000, compute_time = 50000000; /* ns */

static int rank, size, partner, leads, window;
static long runs;
static unsigned char *out, *in;
static MPI_Request *requests;
static double x;

typedef struct { int64_t elapsed, complete, allocs; } report;
typedef int64_t (*loop)(int mode, long n, int bytes);

static void fail(const char *format, ...) {
	va_list list;
	va_start(list, format);
	fprintf(stderr, "rank %d: ", rank);
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
	va_end(list);
	MPI_Abort(MPI_COMM_WORLD, 1);
	exit(1);
}

static int64_t now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static unsigned char *aligned(long n) {
	void *p;
	if (posix_memalign(&p, ALIGNMENT, n ? n : 1)) fail("no memory for %ld bytes", n);
	memset(p, 1, n);
	return p;
}

/* The pattern of the data. */

static long seed(long r, long bytes) { return r * 31 + bytes * 7 + runs * 101; }

static unsigned char pattern(long s, long i) { return (unsigned char)(s + i + (i >> 8) * 3 + (i >> 16) * 5); }

static void prepare(long bytes) {
	long s = seed(rank, bytes);
	for (long i = 0; i < bytes; i++) out[i] = pattern(s, i);
	s = seed(partner, bytes);
	for (long i = 0; i < bytes; i++) in[i] = (unsigned char)~pattern(s, i);
}

static void check(int mode, long bytes) {
	if (mode == COMPUTE || (leads && (!strcmp(test, "bw") || !strcmp(test, "rate")))) return;
	long s = seed(partner, bytes);
	for (long i = 0; i < bytes; i++)
		if (in[i] != pattern(s, i))
			fail("run %ld: byte %ld of %ld from rank %d is %#x, want %#x", runs, i, bytes, partner, in[i], pattern(s, i));
}

/* The loops that are timed. */

static int64_t ping_pong(int mode, long n, int bytes) {
	(void)mode;
	while (n-- > 0) {
		if (leads) MPI_Send(out, bytes, MPI_BYTE, partner, DATA, MPI_COMM_WORLD);
		MPI_Recv(in, bytes, MPI_BYTE, partner, DATA, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		if (!leads) MPI_Send(out, bytes, MPI_BYTE, partner, DATA, MPI_COMM_WORLD);
	}
	return 0;
}

static int64_t stream(int mode, long n, int bytes) {
	(void)mode;
	char acknowledgement[4] = {0};
	while (n-- > 0) {
		for (int i = 0; i < window; i++)
			if (leads)
				MPI_Isend(out, bytes, MPI_BYTE, partner, DATA, MPI_COMM_WORLD, &requests[i]);
			else
				MPI_Irecv(in, bytes, MPI_BYTE, partner, DATA, MPI_COMM_WORLD, &requests[i]);
		MPI_Waitall(window, requests, MPI_STATUSES_IGNORE);
		if (leads)
			MPI_Recv(acknowledgement, 4, MPI_BYTE, partner, CONTROL, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		else
			MPI_Send(acknowledgement, 4, MPI_BYTE, partner, CONTROL, MPI_COMM_WORLD);
	}
	return 0;
}

static int64_t exchange(int mode, long n, int bytes) {
	(void)mode;
	while (n-- > 0) {
		for (int i = 0; i < window; i++) MPI_Irecv(in, bytes, MPI_BYTE, partner, DATA, MPI_COMM_WORLD, &requests[i]);
		for (int i = 0; i < window; i++) MPI_Isend(out, bytes, MPI_BYTE, partner, DATA, MPI_COMM_WORLD, &requests[window + i]);
		MPI_Waitall(2 * window, requests, MPI_STATUSES_IGNORE);
	}
	return 0;
}

static void work(long n) {
	double y = x;
	while (n-- > 0) y = sqrt(y + 1);
	x = y;
}

static int64_t overlapping(int mode, long n, int bytes) {
	if (mode == COMPUTE) {
		work(n);
		return 0;
	}
	MPI_Request both[2];
	MPI_Irecv(in, bytes, MPI_BYTE, partner, DATA, MPI_COMM_WORLD, &both[0]);
	MPI_Isend(out, bytes, MPI_BYTE, partner, DATA, MPI_COMM_WORLD, &both[1]);
	int64_t complete = 0;
	if (mode == WHOLE) {
		work(n);
		for (int i = 0; i < 2; i++) {
			int done;
			MPI_Test(&both[i], &done, MPI_STATUS_IGNORE);
			complete += done;
		}
	}
	MPI_Waitall(2, both, MPI_STATUSES_IGNORE);
	return complete;
}

/* Rank 0 says what is done next. */

static void order(int mode, long n) {
	int64_t what[2] = {mode, n};
	for (int r = 1; r < size; r++) MPI_Send(what, 2, MPI_INT64_T, r, CONTROL, MPI_COMM_WORLD);
}

static void gather(report *r) {
	for (int other = 1; other < size; other++) {
		int64_t theirs[3];
		MPI_Recv(theirs, 3, MPI_INT64_T, other, CONTROL, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		if (!r) continue;
		if (theirs[0] > r->elapsed) r->elapsed = theirs[0];
		r->complete += theirs[1];
		r->allocs += theirs[2];
	}
}

/* meet returns when the partner is awake and at the same place. */
static void meet(void) {
	for (int i = 0; i < 2; i++)
		MPI_Sendrecv(out, 0, MPI_BYTE, partner, DATA, in, 0, MPI_BYTE, partner, DATA, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static report timed(int mode, long n, int bytes, loop f) {
	report r = {0, 0, 0};
	meet();
	int64_t start = now();
	r.complete = f(mode, n, bytes);
	r.elapsed = now() - start;
	if (runs == 0 || validate) {
		check(mode, bytes);
		runs++;
		if (validate) prepare(bytes);
	}
	return r;
}

static report run(int mode, long n, int bytes, loop f) {
	order(mode, n);
	report r = timed(mode, n, bytes, f);
	gather(&r);
	return r;
}

static void follow(int bytes, loop f) {
	report r = {0, 0, 0};
	for (;;) {
		int64_t mine[3] = {r.elapsed, r.complete, r.allocs}, what[2];
		MPI_Send(mine, 3, MPI_INT64_T, 0, CONTROL, MPI_COMM_WORLD);
		MPI_Recv(what, 2, MPI_INT64_T, 0, CONTROL, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		if (what[0] == STOP) return;
		r = timed((int)what[0], what[1], bytes, f);
	}
}

static long calibrate(int64_t aim, int mode, long unit, int bytes, loop f) {
	int enough = 0;
	for (long n = 1;;) {
		report r = run(mode, n * unit, bytes, f);
		if (r.elapsed >= aim / 2 || n >= MOST) {
			if (++enough == 2) return n;
			continue;
		}
		enough = 0;
		double grown = (double)n * fmin(fmax((double)aim / (double)(r.elapsed > 1 ? r.elapsed : 1), 2), 10);
		n = (long)fmin(grown, MOST);
	}
}

static void repeat(int bytes, loop f) {
	run(WHOLE, 1, bytes, f);
	long n = iters ? iters : calibrate(target, WHOLE, 1, bytes, f);
	if (warmup > 0) run(WHOLE, warmup, bytes, f);
	for (long rep = 0; rep < repeats; rep++) {
		report r = run(WHOLE, n, bytes, f);
		long long messages = 2LL * n;
		if (!strcmp(test, "bw") || !strcmp(test, "rate")) messages = (long long)n * window * (size / 2);
		if (!strcmp(test, "bibw")) messages = (long long)n * window * size;
		printf("sample test=%s size=%d rep=%ld messages=%lld ns=%lld window=%d\n", test, bytes, rep, messages, (long long)r.elapsed, window);
	}
}

static void overlap(int bytes, loop f) {
	run(TRANSFER, 1, bytes, f);
	long units = calibrate(compute_time, COMPUTE, UNIT, bytes, f) * UNIT;
	for (long i = 0; i < warmup; i++) run(TRANSFER, 1, bytes, f);
	for (long rep = 0; rep < repeats; rep++) {
		report pure = run(TRANSFER, 1, bytes, f);
		report worked = run(COMPUTE, units, bytes, f);
		report total = run(WHOLE, units, bytes, f);
		printf("sample test=%s size=%d rep=%ld messages=2 ns=%lld transfer=%lld compute=%lld complete=%lld of=%d\n", test, bytes, rep,
		       (long long)total.elapsed, (long long)pure.elapsed, (long long)worked.elapsed, (long long)total.complete, 2 * size);
	}
}

static void measure(int bytes, loop f) {
	window = window_asked ? (int)window_asked : bytes > 4 << 20 ? 4 : 64;
	requests = realloc(requests, 2 * window * sizeof *requests);
	if (!requests) fail("no memory for %d requests", 2 * window);
	runs = 0;
	prepare(bytes);
	if (rank != 0) {
		follow(bytes, f);
		return;
	}
	gather(NULL);
	if (!strcmp(test, "overlap"))
		overlap(bytes, f);
	else
		repeat(bytes, f);
	fflush(stdout);
	order(STOP, 0);
}

/* What all ranks hold while they wait at a barrier of messages. */

static long long proportional(long long pid) {
	char name[64], text[256];
	snprintf(name, sizeof name, "/proc/%lld/smaps_rollup", pid);
	FILE *f = fopen(name, "r");
	if (!f) fail("%s cannot be read", name);
	long long kib = -1;
	while (fgets(text, sizeof text, f))
		if (sscanf(text, "Pss: %lld", &kib) == 1) break;
	fclose(f);
	if (kib < 0) fail("%s has no line Pss", name);
	return kib * 1024;
}

static void memory(void) {
	int64_t pid = getpid(), done = 0;
	if (rank != 0) {
		MPI_Send(&pid, 1, MPI_INT64_T, 0, CONTROL, MPI_COMM_WORLD);
		MPI_Recv(&done, 1, MPI_INT64_T, 0, CONTROL, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		return;
	}
	int64_t *pids = calloc(size, sizeof *pids);
	if (!pids) fail("no memory for %d process numbers", size);
	pids[0] = pid;
	for (int r = 1; r < size; r++) MPI_Recv(&pids[r], 1, MPI_INT64_T, r, CONTROL, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	long long sum = 0;
	for (int r = 0; r < size; r++) sum += proportional(pids[r]);
	for (int r = 1; r < size; r++) MPI_Send(&done, 1, MPI_INT64_T, r, CONTROL, MPI_COMM_WORLD);
	printf("sample test=memory size=0 rep=0 ranks=%d bytes=%lld\n", size, sum);
}

/* duration reads what Go's time.Duration prints when it is in nanoseconds. */
static int64_t duration(const char *text) {
	char *unit;
	long long n = strtoll(text, &unit, 10);
	if (strcmp(unit, "ns") || n <= 0) fail("%s: expected a number of nanoseconds and ns", text);
	return n;
}

int main(int argc, char **argv) {
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	for (int c; (c = getopt(argc, argv, "t:l:h:i:x:W:r:T:C:c")) != -1;) switch (c) {
		case 't': test = optarg; break;
		case 'l': low = atol(optarg); break;
		case 'h': high = atol(optarg); break;
		case 'i': iters = atol(optarg); break;
		case 'x': warmup = atol(optarg); break;
		case 'W': window_asked = atol(optarg); break;
		case 'r': repeats = atol(optarg); break;
		case 'T': target = duration(optarg); break;
		case 'C': compute_time = duration(optarg); break;
		case 'c': validate = 1; break;
		default: fail("unknown flag");
		}
	loop f = !strcmp(test, "latency") ? ping_pong : !strcmp(test, "bibw") ? exchange : !strcmp(test, "overlap") ? overlapping
		: !strcmp(test, "bw") || !strcmp(test, "rate") ? stream : NULL;
	if (!strcmp(test, "memory")) {
		memory();
	} else if (f) {
		if (size < 2 || size % 2) fail("%d ranks: expected an even number, 2 at least", size);
		partner = (rank + size / 2) % size;
		leads = rank < size / 2;
		out = aligned(high);
		in = aligned(high);
		measure((int)low, f);
		long next = 1;
		while (next <= low) next *= 2;
		for (; next <= high; next *= 2) measure((int)next, f);
	} else if (strcmp(test, "empty")) {
		fail("test %s: expected latency, bw, bibw, rate, overlap, memory or empty", test);
	}
	if (rank == 0 && strcmp(test, "empty")) {
		puts("end"); /* what comes now is MPI's own affair */
		fflush(stdout);
	}
	MPI_Finalize();
	return 0;
}
