// Package plot draws line charts as SVG, on a light background, with nothing
// but the standard library.
package plot

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"strconv"
)

// Chart is a chart of several lines.
type Chart struct {
	Title, X, Y string
	LogX, LogY  bool // by powers of ten; otherwise from zero
	Lines       []Line
}

// Line is one line of a chart.
type Line struct {
	Name   string
	Strong bool // drawn thicker
	Points []Point
}

// Point is one point of a line.
type Point struct{ X, Y float64 }

const (
	width, height            = 920, 460
	left, right, top, bottom = 80, 350, 50, 60 // margins
)

// Colours that stay apart for most eyes (Okabe and Ito).
var colours = []string{"#555555", "#e69f00", "#56b4e9", "#cc79a7", "#d55e00", "#0072b2", "#009e73"}

// axis maps values to pixels.
type axis struct {
	log      bool
	from, to float64 // values, or their logarithms
	px0, px1 float64
}

func (a axis) at(v float64) float64 {
	if a.log {
		v = math.Log10(v)
	}
	return a.px0 + (v-a.from)/(a.to-a.from)*(a.px1-a.px0)
}

// ticks returns the values that get a label.
func (a axis) ticks() []float64 {
	var list []float64
	if a.log {
		for e := a.from; e <= a.to+1e-9; e++ {
			list = append(list, math.Pow(10, e))
		}
		return list
	}
	step := math.Pow(10, math.Floor(math.Log10(a.to)))
	for a.to/step < 4 {
		step /= 2
	}
	for v := 0.0; v <= a.to+1e-9; v += step {
		list = append(list, v)
	}
	return list
}

func newAxis(log bool, values []float64, px0, px1 float64) axis {
	a := axis{log: log, px0: px0, px1: px1}
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	if !log {
		a.to = high * 1.1
		return a
	}
	a.from, a.to = math.Floor(math.Log10(low)+1e-9), math.Ceil(math.Log10(high)-1e-9)
	if a.from == a.to {
		a.to++
	}
	return a
}

// SVG draws the chart.
func (c Chart) SVG() []byte {
	var xs, ys []float64
	for _, l := range c.Lines {
		for _, p := range l.Points {
			xs, ys = append(xs, p.X), append(ys, p.Y)
		}
	}
	x := newAxis(c.LogX, xs, left, width-right)
	y := newAxis(c.LogY, ys, height-bottom, top)
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" `+
		`font-family="system-ui, sans-serif" font-size="13" fill="#222" role="img" aria-label="%s">`+"\n",
		width, height, width, height, html.EscapeString(c.Title))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	text(&b, left, 28, "start", `font-size="16" font-weight="600"`, c.Title)
	c.grid(&b, x, y)
	for i, l := range c.Lines {
		l.draw(&b, x, y, colours[i%len(colours)])
	}
	c.legend(&b)
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (c Chart) grid(b *bytes.Buffer, x, y axis) {
	for _, v := range x.ticks() {
		px := x.at(v)
		fmt.Fprintf(b, `<path d="M%.1f %d V%d" stroke="#e4e4e4"/>`+"\n", px, top, height-bottom)
		text(b, px, height-bottom+20, "middle", "", label(v))
	}
	for _, v := range y.ticks() {
		py := y.at(v)
		fmt.Fprintf(b, `<path d="M%d %.1f H%d" stroke="#e4e4e4"/>`+"\n", left, py, width-right)
		text(b, left-8, py+4, "end", "", label(v))
	}
	text(b, (left+width-right)/2, height-16, "middle", "", c.X)
	text(b, 0, 0, "middle", fmt.Sprintf(`transform="translate(20 %d) rotate(-90)"`, (top+height-bottom)/2), c.Y)
}

func (l Line) draw(b *bytes.Buffer, x, y axis, colour string) {
	stroke := 1.8
	if l.Strong {
		stroke = 3
	}
	b.WriteString(`<polyline fill="none" points="`)
	for _, p := range l.Points {
		fmt.Fprintf(b, "%.1f,%.1f ", x.at(p.X), y.at(p.Y))
	}
	fmt.Fprintf(b, `" stroke="%s" stroke-width="%.1f"/>`+"\n", colour, stroke)
	for _, p := range l.Points {
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="%.1f" fill="%s"/>`+"\n", x.at(p.X), y.at(p.Y), stroke+1, colour)
	}
}

// legend names the lines from top to bottom as they end on the right.
func (c Chart) legend(b *bytes.Buffer) {
	const gap, begin = 22, top + 10
	for i, l := range c.Lines {
		py := float64(begin + i*gap)
		weight := ""
		if l.Strong {
			weight = `font-weight="600"`
		}
		fmt.Fprintf(b, `<path d="M%d %.1f h18" stroke="%s" stroke-width="3"/>`+"\n", width-right+16, py-4, colours[i%len(colours)])
		text(b, width-right+40, py, "start", weight, l.Name)
	}
}

func text(b *bytes.Buffer, x, y float64, anchor, attributes, s string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>`+"\n", x, y, anchor, attributes, html.EscapeString(s))
}

// label writes a value with commas.
func label(v float64) string {
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if v < 1000 {
		return s
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
