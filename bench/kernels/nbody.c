/* The forces among n bodies as a C compiler makes them fast by itself: the peer
 * of examples/nbody's kernel. For each number n on standard input it computes
 * them once, every body with every body, softened so that none need be left out,
 * and answers with the nanoseconds this took and a sum that keeps the compiler
 * from leaving the work out. Compile with -O3 -march=native -ffast-math -lm. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void attract(int n, const double *restrict x, const double *restrict y, const double *restrict z,
                    const double *restrict m, double eps2,
                    double *restrict ax, double *restrict ay, double *restrict az)
{
	for (int i = 0; i < n; i++) {
		double sx = 0, sy = 0, sz = 0;
		for (int j = 0; j < n; j++) {
			double dx = x[j] - x[i], dy = y[j] - y[i], dz = z[j] - z[i];
			double r2 = dx * dx + dy * dy + dz * dz + eps2;
			double w = m[j] / (r2 * sqrt(r2));
			sx += w * dx;
			sy += w * dy;
			sz += w * dz;
		}
		ax[i] = sx;
		ay[i] = sy;
		az[i] = sz;
	}
}

int main(void)
{
	int n, size = 0;
	double *v = NULL;
	while (scanf("%d", &n) == 1 && n > 0) {
		if (n != size) {
			free(v);
			v = malloc(7 * sizeof(double) * n);
			if (!v)
				return 1;
			for (int i = 0; i < 7 * n; i++)
				v[i] = rand() / (double)RAND_MAX;
			size = n;
		}
		struct timespec a, b;
		clock_gettime(CLOCK_MONOTONIC, &a);
		attract(n, v, v + n, v + 2 * n, v + 3 * n, 0.0025, v + 4 * n, v + 5 * n, v + 6 * n);
		clock_gettime(CLOCK_MONOTONIC, &b);
		double sum = 0;
		for (int i = 4 * n; i < 7 * n; i++)
			sum += v[i];
		printf("%lld %g\n", (b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec, sum);
		fflush(stdout);
	}
	return 0;
}
