package scaling

import (
	"math"
	"strconv"
)

// An axis maps values to a stretch of the picture.
type axis struct {
	low, high float64 // values at its ends
	from, to  float64 // where these are in the picture
	log       bool
}

// at is where v is in the picture.
func (a axis) at(v float64) float64 {
	low, high := a.low, a.high
	if a.log {
		v, low, high = math.Log(v), math.Log(low), math.Log(high)
	}
	return a.from + (v-low)/(high-low)*(a.to-a.from)
}

// ticks are round values on the axis, three to ten or so: on a logarithmic one 1,
// 2 and 5 times powers of ten if it is long enough, else even steps of 1, 2 or 5.
func (a axis) ticks() []float64 {
	if a.log && a.high/a.low >= 8 {
		var list []float64
		decades := math.Log10(a.high / a.low)
		for e := math.Floor(math.Log10(a.low)); e <= math.Log10(a.high); e++ {
			for _, m := range []float64{1, 2, 5} {
				if v := m * math.Pow(10, e); v >= a.low*0.9999 && v <= a.high*1.0001 && (m == 1 || decades < 3.5) {
					list = append(list, v)
				}
			}
		}
		return list
	}
	raw := (a.high - a.low) / 6
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*step >= raw {
			step *= m
			break
		}
	}
	var list []float64
	for k := math.Ceil(a.low/step - 1e-9); k*step <= a.high+1e-9*step; k++ {
		list = append(list, k*step+0) // a sum is never minus zero
	}
	return list
}

// label is a tick's value without the digits that arithmetic left behind.
func label(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
