package launcher

import (
	"time"

	"github.com/muster-mpi/muster/internal/authority"
	pb "github.com/muster-mpi/muster/proto"
)

// How long the certificates of a job are valid: a while longer than it may run, or, if
// nothing bounds that, a year.
const (
	validBeyond  = time.Hour
	validAtLeast = 366 * 24 * time.Hour
)

// validFor is how long the certificates of job are to be valid.
func validFor(job *Job) time.Duration {
	if job.Timeout > 0 {
		return job.Timeout + validBeyond
	}
	return validAtLeast
}

// credentials makes an authority for one job and a certificate for each of its
// ranks. The authority's key is forgotten on return: nobody can join later, and
// nothing is ever written to a disk.
func credentials(job string, ranks int, valid time.Duration) ([]*pb.Credentials, error) {
	a, err := authority.New(job, valid)
	if err != nil {
		return nil, err
	}
	defer a.Forget()
	all := make([]*pb.Credentials, ranks)
	for rank := range all {
		if all[rank], err = a.Issue(rank); err != nil {
			return nil, err
		}
	}
	return all, nil
}
