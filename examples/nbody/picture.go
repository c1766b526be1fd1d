package main

import (
	"math"
	"sort"
)

// picture collects what the drawing needs, at rank 0: positions at chosen times,
// and the energy. Its memory is bounded whatever the number of bodies and steps.
type picture struct {
	heading string
	names   []string // of the bodies, where they have any
	orbits  bool     // trajectories, not points at the start and at the end
	every   int      // steps between frames of orbits
	steps   int
	stride  int // one body in so many is drawn
	frames  []frame
	times   []float64 // of the energies
	errors  []float64 // |ΔE|/E
}

// frame is the places of the drawn bodies at one time.
type frame struct {
	time float64
	at   []place
}

type place struct{ x, y, z float64 }

const (
	orbitBodies   = 32   // up to so many bodies are drawn as trajectories
	orbitFrames   = 4000 // of at most so many places
	pictureBodies = 8192 // and of more bodies at most so many as points
)

// newPicture prepares the picture of n bodies followed for so many steps. Every
// rank makes one, since all take part in a frame.
func newPicture(o *options, n int) *picture {
	p := &picture{heading: o.describe(n), orbits: n <= orbitBodies, steps: o.steps, stride: 1, every: 1}
	if o.system == "solar" {
		p.names = solarNames
	}
	if p.orbits {
		p.every = max(1, (o.steps+orbitFrames-1)/orbitFrames)
	} else {
		p.stride = (n + pictureBodies - 1) / pictureBodies
	}
	return p
}

// wants reports whether the state after step is a frame. A nil picture wants none.
func (p *picture) wants(step int) bool {
	if p == nil {
		return false
	}
	return step == 0 || step == p.steps || p.orbits && step%p.every == 0
}

// begin starts a frame.
func (p *picture) begin(time float64) {
	p.frames = append(p.frames, frame{time: time})
}

// take adds the bodies of b to the frame begun last.
func (p *picture) take(b *bodies) error {
	f := &p.frames[len(p.frames)-1]
	for i := range b.len() {
		if (b.first+i)%p.stride == 0 {
			f.at = append(f.at, place{b.x[i], b.y[i], b.z[i]})
		}
	}
	return nil
}

// energy adds a point to the curve of energy errors.
func (p *picture) energy(time, error float64) {
	p.times = append(p.times, time)
	p.errors = append(p.errors, error)
}

// extent is half the side of the square, about the origin, that the drawing
// shows: all of trajectories, 95 % of the bodies at the start of a cluster.
func (p *picture) extent() float64 {
	var reach []float64
	frames := p.frames
	if !p.orbits {
		frames = frames[:1]
	}
	for _, f := range frames {
		for _, a := range f.at {
			reach = append(reach, max(math.Abs(a.x), math.Abs(a.y)))
		}
	}
	sort.Float64s(reach)
	most := reach[len(reach)-1]
	if !p.orbits {
		most = reach[(len(reach)-1)*95/100]
	}
	if most == 0 {
		return 1
	}
	return 1.08 * most
}

// ranksByRadius returns for each drawn body what part of them was nearer to the
// centre at the start, from 0 to 1.
func (p *picture) ranksByRadius() []float64 {
	at := p.frames[0].at
	order := make([]int, len(at))
	for i := range order {
		order[i] = i
	}
	radius := func(i int) float64 { return norm(at[i].x, at[i].y, at[i].z) }
	sort.Slice(order, func(a, b int) bool { return radius(order[a]) < radius(order[b]) })
	rank := make([]float64, len(at))
	for place, i := range order {
		rank[i] = float64(place) / float64(max(1, len(at)-1))
	}
	return rank
}
