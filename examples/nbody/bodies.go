package main

// bodies holds the state of n consecutive bodies of the system, the first of
// which has number first. It is a structure of arrays whose arrays lie back to
// back in one, so that positions, positions with masses, or all of it travel as
// one contiguous message.
type bodies struct {
	sources
	vx, vy, vz []float64
	phi        []float64 // potential at each body, per unit mass; filled when conserved quantities are asked for
	first      int
	flat       []float64 // x y z m vx vy vz phi
}

// Numbers of leading arrays of flat that hold the positions, what a body needs
// to attract others, and everything.
const (
	positionFields = 3
	sourceFields   = 4
	stateFields    = 8
)

// sources are bodies as others feel them.
type sources struct {
	x, y, z, m []float64
}

func newBodies(first, n int) *bodies {
	flat := make([]float64, stateFields*n)
	return viewBodies(first, n, flat)
}

// viewBodies returns the n bodies that lie in the first stateFields·n elements of flat.
func viewBodies(first, n int, flat []float64) *bodies {
	at := func(k int) []float64 { return flat[k*n : (k+1)*n : (k+1)*n] }
	return &bodies{
		sources: viewSources(n, flat),
		vx:      at(4), vy: at(5), vz: at(6),
		phi:   at(7),
		first: first,
		flat:  flat[:stateFields*n],
	}
}

// viewSources returns the n sources that lie in the first sourceFields·n elements of flat.
func viewSources(n int, flat []float64) sources {
	at := func(k int) []float64 { return flat[k*n : (k+1)*n : (k+1)*n] }
	return sources{x: at(0), y: at(1), z: at(2), m: at(3)}
}

func (b *bodies) len() int { return len(b.x) }

// set gives body i of b mass, position and velocity.
func (b *bodies) set(i int, v body) {
	b.m[i] = v.m
	b.x[i], b.y[i], b.z[i] = v.x, v.y, v.z
	b.vx[i], b.vy[i], b.vz[i] = v.vx, v.vy, v.vz
}

// at returns body i of b.
func (b *bodies) at(i int) body {
	return body{b.m[i], b.x[i], b.y[i], b.z[i], b.vx[i], b.vy[i], b.vz[i]}
}

// body is one body: mass, position, velocity.
type body struct {
	m, x, y, z, vx, vy, vz float64
}

// part returns a copy of the n bodies from number first on; b holds them all.
func (b *bodies) part(first, n int) *bodies {
	p := newBodies(first, n)
	for i := range n {
		p.set(i, b.at(first-b.first+i))
	}
	return p
}

// vectors is one vector for each body of a block, such as its acceleration.
type vectors struct {
	x, y, z []float64
}

func newVectors(n int) *vectors {
	flat := make([]float64, 3*n)
	return &vectors{flat[:n:n], flat[n : 2*n : 2*n], flat[2*n:]}
}

func (v *vectors) clear() {
	clear(v.x)
	clear(v.y)
	clear(v.z)
}

// block returns the first body and the number of bodies of block k when n
// bodies are divided among p ranks: consecutive, in rank order, and the first
// n mod p blocks hold one body more.
func block(n, p, k int) (first, size int) {
	each, more := n/p, n%p
	first = k*each + min(k, more)
	size = each
	if k < more {
		size++
	}
	return first, size
}
