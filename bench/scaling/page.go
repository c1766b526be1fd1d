package scaling

import (
	"html/template"
	"io"
)

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>
body { margin: 0 auto; max-width: 1340px; padding: 1.5rem; color: #1f2933; background: #fff; font: 15px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
code { font: 13px ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.head { color: #66727f; margin: 0; padding: 0; list-style: none; }
.summary { font-size: 1.1rem; margin: 1rem 0; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; }
.pictures svg { flex: 1 1 400px; max-width: 640px; height: auto; border: 1px solid #e3e8ee; border-radius: 6px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #e3e8ee; }
th:first-child, td:first-child { text-align: left; }
th { font-weight: 600; color: #66727f; }
@media print { body { padding: 0; } }
</style>
</head>
<body>
<h1>{{.Title}}</h1>
<ul class="head">{{range $i, $line := .Head}}<li>{{if $i}}{{$line}}{{else}}<code>{{$line}}</code>{{end}}</li>{{end}}</ul>
{{with .Summary}}<p class="summary">{{.}}</p>
{{end}}<div class="pictures">
{{range .Pictures}}{{.}}{{end}}</div>
{{define "table"}}<div class="wide"><table>
{{range $i, $line := .}}<tr>{{range $line}}{{if $i}}<td>{{.}}</td>{{else}}<th>{{.}}</th>{{end}}{{end}}</tr>
{{end}}</table></div>
{{end}}<h2>Figures</h2>
{{template "table" .Columns}}{{if .Laws}}<h2>Laws</h2>
<p>Fitted to the medians by least squares of relative deviations, intervals by bootstrap over the runs: time · ranks / work = T1 · (1 + σ·(p−1) + κ·p·(p−1)), where κ = 0 is Amdahl’s law and both together Gunther’s universal scalability law (USL).</p>
{{template "table" .Laws}}{{end}}{{with .Findings}}<h2>What it shows</h2>
<ul>
{{range .}}<li>{{.}}</li>
{{end}}</ul>
{{end}}{{with .Cautions}}<h2>What it does not show</h2>
<ul>
{{range .}}<li>{{.}}</li>
{{end}}</ul>
{{end}}</body>
</html>
`))

// WritePage writes the study as one page that needs no other file and no script.
func (a *Analysis) WritePage(w io.Writer) error {
	var pictures []template.HTML
	for _, p := range a.Pictures() {
		pictures = append(pictures, template.HTML(p.SVG)) // all text in it is escaped
	}
	return page.Execute(w, struct {
		Title, Summary     string
		Head               []string
		Pictures           []template.HTML
		Columns, Laws      [][]string
		Findings, Cautions []string
	}{a.Title(), a.Summary(), a.head(), pictures, a.columns(), a.laws(), a.Findings(), a.Cautions()})
}
