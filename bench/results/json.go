package results

import (
	"encoding/json"
	"fmt"
	"io"
)

// document is the JSON form: Environment, every series with all its values, and
// every comparison, which could be computed again from the series.
type document struct {
	Schema      string       `json:"schema"`
	Environment Environment  `json:"environment"`
	Series      []*Series    `json:"series"`
	Comparisons []Comparison `json:"comparisons"`
	Notes       []string     `json:"notes,omitempty"`
}

// WriteJSON writes r as JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	d := document{Schema: Schema, Environment: r.Environment, Series: r.Series, Comparisons: []Comparison{}, Notes: r.Notes}
	for _, row := range r.Rows() {
		d.Comparisons = append(d.Comparisons, row.Comparisons...)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(d)
}

// ReadJSON reads what WriteJSON wrote.
func ReadJSON(in io.Reader) (*Report, error) {
	var d document
	if err := json.NewDecoder(in).Decode(&d); err != nil {
		return nil, fmt.Errorf("results: %w", err)
	}
	if d.Schema != Schema {
		return nil, fmt.Errorf("results: schema %q, expected %q", d.Schema, Schema)
	}
	return &Report{Environment: d.Environment, Series: d.Series, Notes: d.Notes}, nil
}
