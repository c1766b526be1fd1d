/* The twin in C of bench/coll: the same flags, loops, counts and lines, over MPI.
 * The two are changed together. */
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

enum { ALIGNMENT = 2 << 20, MOST = 1 << 24 };

static const char *test = "allreduce", *sizes = "8";
static long iters = 0, warmup = 0, repeats = 10, validate = 0;
static int64_t target = 5000000, budget = 2000000000; /* ns */

static int rank, size;
static long runs;
static unsigned char *out, *in; /* the whole buffers */

/* Of the size that is measured. */
static int bytes, elements;     /* of a block */
static int *counts;             /* of reducescatter: elements for each rank */
static double *terms, *result;  /* the buffers as numbers */

typedef struct { int64_t elapsed, began, ended; } report;
typedef struct { long calls; int64_t slowest, fastest, sum, last_in, first_out; } spread;

typedef struct {
	const char *name;
	void (*call)(int root);
	void (*check)(int first, int last);
	int out_all, in_all, sums;
} collective;

static const collective *c;

static void fail(const char *format, ...) {
	va_list list;
	va_start(list, format);
	fprintf(stderr, "rank %d of %d: ", rank, size);
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
	va_end(list);
	MPI_Abort(MPI_COMM_WORLD, 1);
	exit(1);
}

static int64_t clock_of(clockid_t id) {
	struct timespec t;
	clock_gettime(id, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int64_t now(void) { return clock_of(CLOCK_MONOTONIC); }

static unsigned char *aligned(long n) {
	void *p;
	if (posix_memalign(&p, ALIGNMENT, n ? n : 1)) fail("no memory for %ld bytes", n);
	memset(p, 1, n);
	return p;
}

/* The content of the data. */

static uint64_t mix(uint64_t x) {
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint64_t seed(int from, int block) {
	return mix((uint64_t)from << 44 | (uint64_t)block << 24 | ((uint64_t)runs & 0xffffff)) + (uint64_t)bytes;
}

static uint64_t word(uint64_t s, long i) { return mix(s + (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15)); }

static double term(uint64_t s, long i) { return (double)(word(s, i) >> 48); }

static void prepare(void) {
	memset(in, 0xff, (size_t)bytes * (c->in_all ? size : 1));
	if (c->sums) {
		uint64_t s = seed(rank, 0);
		for (long i = 0; i < (long)elements * (c->out_all ? size : 1); i++) terms[i] = term(s, i);
		return;
	}
	for (int block = 0; block < (c->out_all ? size : 1); block++) {
		uint64_t s = seed(rank, block), w;
		unsigned char *b = out + (size_t)block * bytes;
		int i = 0;
		for (; i + 8 <= bytes; i += 8) {
			w = word(s, i / 8);
			memcpy(b + i, &w, 8);
		}
		for (; i < bytes; i++) b[i] = (unsigned char)(word(s, i / 8) >> 8 * (i % 8));
	}
}

static void expect_block(const unsigned char *b, int from, int block) {
	uint64_t s = seed(from, block), w;
	for (int i = 0; i < bytes; i++) {
		if (i % 8 == 0 && bytes - i >= 8) {
			memcpy(&w, b + i, 8);
			if (w == word(s, i / 8)) {
				i += 7;
				continue;
			}
		}
		unsigned char want = (unsigned char)(word(s, i / 8) >> 8 * (i % 8));
		if (b[i] != want) fail("run %ld: byte %d of block %d of rank %d is %#x, want %#x", runs, i, block, from, b[i], want);
	}
}

static void expect_blocks(int block) {
	for (int from = 0; from < size; from++) expect_block(in + (size_t)from * bytes, from, block);
}

static void expect_sum(int n, int first, int below) {
	uint64_t seeds[below];
	for (int r = 0; r < below; r++) seeds[r] = seed(r, 0);
	for (int i = 0; i < n; i++) {
		double want = 0;
		for (int r = 0; r < below; r++) want += term(seeds[r], (long)first + i);
		if (result[i] != want)
			fail("run %ld: element %d, of the sum of ranks 0 to %d, is %g, want %g", runs, first + i, below - 1, result[i], want);
	}
}

/* The calls that are timed, and the checks of what they leave behind. */

#define WORLD MPI_COMM_WORLD

static void barrier(int root) { (void)root; MPI_Barrier(WORLD); }
static void bcast(int root) { MPI_Bcast(out, bytes, MPI_BYTE, root, WORLD); }
static void gather(int root) { MPI_Gather(out, bytes, MPI_BYTE, in, bytes, MPI_BYTE, root, WORLD); }
static void scatter(int root) { MPI_Scatter(out, bytes, MPI_BYTE, in, bytes, MPI_BYTE, root, WORLD); }
static void allgather(int root) { (void)root; MPI_Allgather(out, bytes, MPI_BYTE, in, bytes, MPI_BYTE, WORLD); }
static void alltoall(int root) { (void)root; MPI_Alltoall(out, bytes, MPI_BYTE, in, bytes, MPI_BYTE, WORLD); }
static void reduce(int root) { MPI_Reduce(terms, result, elements, MPI_DOUBLE, MPI_SUM, root, WORLD); }
static void allreduce(int root) { (void)root; MPI_Allreduce(terms, result, elements, MPI_DOUBLE, MPI_SUM, WORLD); }
static void reducescatter(int root) { (void)root; MPI_Reduce_scatter(terms, result, counts, MPI_DOUBLE, MPI_SUM, WORLD); }
static void reducescatterblock(int root) { (void)root; MPI_Reduce_scatter_block(terms, result, elements, MPI_DOUBLE, MPI_SUM, WORLD); }
static void scan(int root) { (void)root; MPI_Scan(terms, result, elements, MPI_DOUBLE, MPI_SUM, WORLD); }
static void exscan(int root) { (void)root; MPI_Exscan(terms, result, elements, MPI_DOUBLE, MPI_SUM, WORLD); }

static void no_data(int first, int last) { (void)first; (void)last; }
static void of_first(int first, int last) { (void)last; expect_block(out, first, 0); }
static void all_at_last(int first, int last) { (void)first; if (rank == last) expect_blocks(0); }
static void mine_of_last(int first, int last) { (void)first; expect_block(in, last, rank); }
static void all_blocks(int first, int last) { (void)first; (void)last; expect_blocks(0); }
static void all_mine(int first, int last) { (void)first; (void)last; expect_blocks(rank); }
static void sum_at_last(int first, int last) { (void)first; if (rank == last) expect_sum(elements, 0, size); }
static void sum_everywhere(int first, int last) { (void)first; (void)last; expect_sum(elements, 0, size); }
static void sum_of_part(int first, int last) {
	(void)last;
	first = 0;
	for (int r = 0; r < rank; r++) first += counts[r];
	expect_sum(counts[rank], first, size);
}
static void sum_of_block(int first, int last) { (void)first; (void)last; expect_sum(elements, rank * elements, size); }
static void sum_to_here(int first, int last) { (void)first; (void)last; expect_sum(elements, 0, rank + 1); }
static void sum_before(int first, int last) { (void)first; (void)last; if (rank > 0) expect_sum(elements, 0, rank); }

static const collective all[] = {
	{"barrier", barrier, no_data, 0, 0, 0},
	{"bcast", bcast, of_first, 0, 0, 0},
	{"gather", gather, all_at_last, 0, 1, 0},
	{"scatter", scatter, mine_of_last, 1, 0, 0},
	{"allgather", allgather, all_blocks, 0, 1, 0},
	{"alltoall", alltoall, all_mine, 1, 1, 0},
	{"reduce", reduce, sum_at_last, 0, 0, 1},
	{"allreduce", allreduce, sum_everywhere, 0, 0, 1},
	{"reducescatter", reducescatter, sum_of_part, 0, 0, 1},
	{"reducescatterblock", reducescatterblock, sum_of_block, 1, 0, 1},
	{"scan", scan, sum_to_here, 0, 0, 1},
	{"exscan", exscan, sum_before, 0, 0, 1},
};

/* Rank 0 says what is done next. */

static long order(int64_t n) {
	MPI_Bcast(&n, 1, MPI_INT64_T, 0, WORLD);
	return (long)n;
}

/* The first barrier waits for those that are behind; after the second all are
 * awake. A rooted collective has each rank in turn as its root, beginning with
 * the last. */
static report timed(long n) {
	for (int i = 0; i < 2; i++) MPI_Barrier(WORLD);
	int root = size - 1;
	void (*call)(int) = c->call;
	report r = {0, clock_of(CLOCK_REALTIME), 0};
	int64_t start = now();
	for (long k = 0; k < n; k++) {
		call(root);
		if (++root == size) root = 0;
	}
	r.elapsed = now() - start;
	r.ended = clock_of(CLOCK_REALTIME);
	if (runs == 0 || validate) {
		c->check(size - 1, (int)((size + n - 2) % size));
		runs++;
		if (validate) prepare();
	}
	return r;
}

static spread run(long n) {
	order(n);
	report mine = timed(n), *reports = malloc(size * sizeof *reports);
	if (!reports) fail("no memory for %d reports", size);
	MPI_Gather(&mine, 3, MPI_INT64_T, reports, 3, MPI_INT64_T, 0, WORLD);
	spread s = {n, 0, INT64_MAX, 0, 0, INT64_MAX};
	for (int i = 0; i < size; i++) {
		report r = reports[i];
		if (r.elapsed > s.slowest) s.slowest = r.elapsed;
		if (r.elapsed < s.fastest) s.fastest = r.elapsed;
		s.sum += r.elapsed;
		if (r.began > s.last_in) s.last_in = r.began;
		if (r.ended < s.first_out) s.first_out = r.ended;
	}
	free(reports);
	if (!strcmp(test, "barrier") && s.first_out < s.last_in)
		fail("after %ld barriers a rank left %lld ns before another came", n, (long long)(s.last_in - s.first_out));
	return s;
}

static void follow(void) {
	for (long n; (n = order(0)) != 0;) {
		report mine = timed(n);
		MPI_Gather(&mine, 3, MPI_INT64_T, NULL, 0, MPI_INT64_T, 0, WORLD);
	}
}

static long calibrate(void) {
	int enough = 0;
	for (long n = 1;;) {
		spread s = run(n);
		if (s.slowest >= target / 2 || n >= MOST) {
			if (++enough == 2) return n;
			continue;
		}
		enough = 0;
		double grown = (double)n * fmin(fmax((double)target / (double)(s.slowest > 1 ? s.slowest : 1), 2), 10);
		n = (long)fmin(grown, MOST);
	}
}

static void print(long rep, spread s) {
	printf("sample test=%s size=%d rep=%ld calls=%ld ns=%lld min=%lld avg=%lld\n", test, bytes, rep, s.calls,
	       (long long)s.slowest, (long long)s.fastest, (long long)(s.sum / size));
}

static void lead(void) {
	int64_t began = now();
	spread first = run(1);
	if (budget > 0 && first.slowest > budget) {
		print(0, first);
		return;
	}
	long n = iters ? iters : calibrate();
	if (warmup > 0) run(warmup);
	for (long rep = 0; rep < repeats; rep++) {
		if (rep > 0 && budget > 0 && now() - began > budget) return;
		print(rep, run(n));
	}
}

static void measure(int n) {
	bytes = n;
	elements = n / 8;
	runs = 0;
	for (int r = 0; r < size; r++) counts[r] = elements / size + (r < elements % size);
	prepare();
	if (rank != 0) {
		follow();
		return;
	}
	lead();
	fflush(stdout);
	order(0);
}

/* duration reads what Go's time.Duration prints when it is in nanoseconds. */
static int64_t duration(const char *text) {
	char *unit;
	long long n = strtoll(text, &unit, 10);
	if (strcmp(unit, "ns") || n < 0) fail("%s: expected a number of nanoseconds and ns", text);
	return n;
}

/* next_size takes one size from the list at *text. */
static int next_size(const char **text) {
	char *rest;
	long n = strtol(*text, &rest, 10);
	if (rest == *text || n < 0 || n > 1 << 30 || (*rest && *rest != ',')) fail("%s: expected bytes, 0 or more", *text);
	if (c->sums && n % 8) fail("%s of %ld bytes: expected multiples of 8, since doubles are summed", test, n);
	*text = *rest ? rest + 1 : NULL;
	return (int)n;
}

int main(int argc, char **argv) {
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	for (int f; (f = getopt(argc, argv, "t:s:i:x:r:T:b:c")) != -1;) switch (f) {
		case 't': test = optarg; break;
		case 's': sizes = optarg; break;
		case 'i': iters = atol(optarg); break;
		case 'x': warmup = atol(optarg); break;
		case 'r': repeats = atol(optarg); break;
		case 'T': target = duration(optarg); break;
		case 'b': budget = duration(optarg); break;
		case 'c': validate = 1; break;
		default: fail("unknown flag");
		}
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (!strcmp(test, all[i].name)) c = &all[i];
	if (!c) fail("collective %s is not known", test);
	long most = 0;
	for (const char *list = sizes; list;) {
		int n = next_size(&list);
		if (n > most) most = n;
	}
	out = aligned(most * (c->out_all ? size : 1));
	in = aligned(most * (c->in_all ? size : 1));
	terms = (double *)out;
	result = (double *)in;
	counts = calloc(size, sizeof *counts);
	if (!counts) fail("no memory for %d counts", size);
	for (const char *list = sizes; list;) measure(next_size(&list));
	if (rank == 0) {
		puts("end"); /* what comes now is MPI's own affair */
		fflush(stdout);
	}
	MPI_Finalize();
	return 0;
}
