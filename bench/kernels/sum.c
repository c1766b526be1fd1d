/* d += s for two vectors of doubles as a C compiler makes it fast by itself: the
 * peer of internal/kernel. For each number n on standard input, the bytes of one
 * vector, it adds often enough to touch 16 MiB of s, at least once, and answers
 * with the nanoseconds this took and an element of the result. Both vectors begin
 * at a page. Compile with -O3 -march=native. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void add(long n, double *restrict d, const double *restrict s)
{
	for (long i = 0; i < n; i++)
		d[i] += s[i];
}

int main(void)
{
	long bytes, size = 0;
	double *d = NULL, *s = NULL;
	while (scanf("%ld", &bytes) == 1 && bytes > 0) {
		long n = bytes / (long)sizeof(double), times = (16L << 20) / bytes;
		if (times < 1)
			times = 1;
		if (bytes != size) {
			free(d);
			free(s);
			d = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
			s = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
			if (!d || !s)
				return 1;
			for (long i = 0; i < n; i++) {
				d[i] = 0;
				s[i] = 1;
			}
			size = bytes;
		}
		struct timespec b, e;
		clock_gettime(CLOCK_MONOTONIC, &b);
		for (long t = 0; t < times; t++) {
			add(n, d, s);
			__asm__ volatile("" : : "r"(d), "r"(s) : "memory"); /* each time is carried out */
		}
		clock_gettime(CLOCK_MONOTONIC, &e);
		printf("%lld %g\n", (e.tv_sec - b.tv_sec) * 1000000000LL + e.tv_nsec - b.tv_nsec, d[n - 1]);
		fflush(stdout);
	}
	return 0;
}
