package main

// An integrator advances a block of bodies.
type integrator struct {
	name  string
	about string
	// primed says that step needs acc filled for the positions it starts from,
	// and leaves it filled for those it ends at.
	primed bool
	// step advances b by dt. field fills acc from the positions in b; all ranks
	// call it equally often.
	step func(b *bodies, acc *vectors, dt float64, field func() error) error
}

var integrators = []integrator{
	{"leapfrog", "leapfrog (kick-drift-kick)", true, leapfrog},
	{"euler", "semi-implicit Euler", false, euler},
}

// leapfrog is kick–drift–kick: second order, symplectic and time-reversible.
func leapfrog(b *bodies, acc *vectors, dt float64, field func() error) error {
	b.kick(acc, dt/2)
	b.drift(dt)
	if err := field(); err != nil {
		return err
	}
	b.kick(acc, dt/2)
	return nil
}

// euler is the semi-implicit Euler method of the Benchmarks Game's n-body
// program: first order, symplectic.
func euler(b *bodies, acc *vectors, dt float64, field func() error) error {
	if err := field(); err != nil {
		return err
	}
	b.kick(acc, dt)
	b.drift(dt)
	return nil
}

// kick changes the velocities by accelerations acc acting for dt.
func (b *bodies) kick(acc *vectors, dt float64) {
	for i := range b.vx {
		b.vx[i] += dt * acc.x[i]
		b.vy[i] += dt * acc.y[i]
		b.vz[i] += dt * acc.z[i]
	}
}

// drift moves the bodies at their velocities for dt.
func (b *bodies) drift(dt float64) {
	for i := range b.x {
		b.x[i] += dt * b.vx[i]
		b.y[i] += dt * b.vy[i]
		b.z[i] += dt * b.vz[i]
	}
}
