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

// certify makes an authority for one job, and a certificate for each of its ranks and, if
// hosts give each other programs, of its hosts. The authority's key is forgotten on
// return: nobody can join later, and nothing is ever written to a disk.
func (p *jobPlan) certify(job string, valid time.Duration) error {
	a, err := authority.New(job, valid)
	if err != nil {
		return err
	}
	defer a.Forget()
	if p.secrets, err = issue(int(p.common.Size), a.Issue); err != nil || !p.passOn {
		return err
	}
	p.hostSecrets, err = issue(len(p.hosts), a.IssueHost)
	return err
}

func issue(n int, one func(int) (*pb.Credentials, error)) ([]*pb.Credentials, error) {
	all := make([]*pb.Credentials, n)
	for i := range all {
		var err error
		if all[i], err = one(i); err != nil {
			return nil, err
		}
	}
	return all, nil
}
