package launcher

import (
	"time"

	"github.com/muster-mpi/muster/internal/authority"
	pb "github.com/muster-mpi/muster/proto"
)

const validFor = 24 * time.Hour

// credentials makes an authority for one job and a certificate for each of its
// ranks. The authority's key is forgotten on return: nobody can join later, and
// nothing is ever written to a disk.
func credentials(job string, ranks int) ([]*pb.Credentials, error) {
	a, err := authority.New(job, validFor)
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
