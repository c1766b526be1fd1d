package main

import "math"

// The Sun and the four outer planets as the Computer Language Benchmarks Game's
// n-body program has them: astronomical units, years of 365.24 days, and masses
// in units in which G = 1.
const (
	solarMass   = 4 * math.Pi * math.Pi
	daysPerYear = 365.24
)

var solarNames = []string{"Sun", "Jupiter", "Saturn", "Uranus", "Neptune"}

// solarPlanets gives mass in suns, position in AU and velocity in AU per day.
var solarPlanets = []body{
	{
		m: 9.54791938424326609e-04,
		x: 4.84143144246472090e+00, y: -1.16032004402742839e+00, z: -1.03622044471123109e-01,
		vx: 1.66007664274403694e-03, vy: 7.69901118419740425e-03, vz: -6.90460016972063023e-05,
	},
	{
		m: 2.85885980666130812e-04,
		x: 8.34336671824457987e+00, y: 4.12479856412430479e+00, z: -4.03523417114321381e-01,
		vx: -2.76742510726411021e-03, vy: 4.99852801234917238e-03, vz: 2.30417297573763929e-05,
	},
	{
		m: 4.36624404335156298e-05,
		x: 1.28943695621391310e+01, y: -1.51111514016986312e+01, z: -2.23307578892655734e-01,
		vx: 2.96460137564761618e-03, vy: 2.37847173959480950e-03, vz: -2.96589568540237556e-05,
	},
	{
		m: 5.15138902046611451e-05,
		x: 1.53796971148509165e+01, y: -2.59193146099879641e+01, z: 1.79258772950371181e-01,
		vx: 2.68067772490389322e-03, vy: 1.62824170038242295e-03, vz: -9.51592254519715870e-05,
	},
}

// solarStep is the step, in years, of the published energies.
const solarStep = 0.01

// solarEnergies are the published energies after so many steps of semi-implicit
// Euler, printed to nine decimals.
var solarEnergies = map[int]float64{
	0:     -0.169075164,
	1000:  -0.169087605,
	10000: -0.169016441,
}

// solar returns the five bodies, the Sun moving so that momentum is zero.
func solar() *bodies {
	b := newBodies(0, len(solarNames))
	sun := body{m: solarMass}
	for i, p := range solarPlanets {
		p.m *= solarMass
		p.vx *= daysPerYear
		p.vy *= daysPerYear
		p.vz *= daysPerYear
		b.set(i+1, p)
		sun.vx -= p.vx * p.m / solarMass
		sun.vy -= p.vy * p.m / solarMass
		sun.vz -= p.vz * p.m / solarMass
	}
	b.set(0, sun)
	return b
}
