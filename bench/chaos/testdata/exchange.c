/* What launcher/testdata/exchange does to be broken: reductions with a pause between. */
#include <mpi.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv) {
	MPI_Init(&argc, &argv);
	int rank;
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	double x = rank, sum;
	for (long round = 0; round < 1000000; round++) {
		MPI_Allreduce(&x, &sum, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
		if (round == 0 && rank == 0) {
			printf("exchanging\n");
			fflush(stdout);
		}
		usleep(5000);
	}
	MPI_Finalize();
	return 0;
}
