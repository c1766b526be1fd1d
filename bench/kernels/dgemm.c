/* C = A*B by cblas_dgemm: the peer of examples/matmul's local product. For each
 * number n on standard input it multiplies two n by n matrices once and answers
 * with the nanoseconds this took and an element of the product. Compile with -O3
 * -lopenblas; OPENBLAS_NUM_THREADS says on how many threads. */
#define _POSIX_C_SOURCE 200809L
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(void)
{
	int n, size = 0;
	double *a = NULL;
	while (scanf("%d", &n) == 1 && n > 0) {
		size_t nn = (size_t)n * n;
		if (n != size) {
			free(a);
			a = malloc(3 * sizeof(double) * nn);
			if (!a)
				return 1;
			for (size_t i = 0; i < 2 * nn; i++)
				a[i] = 0.5 + rand() / (double)RAND_MAX;
			for (size_t i = 2 * nn; i < 3 * nn; i++)
				a[i] = 0;
			size = n;
		}
		struct timespec s, e;
		clock_gettime(CLOCK_MONOTONIC, &s);
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a, n, a + nn, n, 1, a + 2 * nn, n);
		clock_gettime(CLOCK_MONOTONIC, &e);
		printf("%lld %g\n", (e.tv_sec - s.tv_sec) * 1000000000LL + e.tv_nsec - s.tv_nsec, a[2 * nn]);
		fflush(stdout);
	}
	return 0;
}
