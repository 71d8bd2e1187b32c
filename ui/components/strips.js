// Small charts over one time axis: hover reads all of them at once, a drag narrows the range.
const W = 1000, H = 100;
function marks(chart, buckets) {
  const n = Math.max(1, buckets.length), step = W / n;
  const peak = Math.max(...chart.series.flatMap((series) => series.values.map((value) => value ?? 0)), 0) || 1;
  const known = chart.series.flatMap((series) => series.values.filter((value) => value > 0));
  const least = chart.log && known.length ? Math.min(...known) / 1.5 : 0;
  const y = chart.log
    ? (value) => H - (Math.log(Math.max(value, least) / least) / Math.log(peak / least)) * (H - 6)
    : (value) => H - (value / peak) * (H - 6);
  return chart.series.flatMap((series) => {
    const colour = `var(--c-${series.hue})`;
    if (series.type === "bars") return series.values.map((value, at) => value
      ? svg("rect", { x: at * step + step * 0.1, width: step * 0.8, y: y(value), height: Math.max(3, H - y(value)), rx: 1, style: `fill:${colour}` }) : null);
    // A gap in the data is a gap in the line.
    const pieces = []; let piece = [];
    series.values.forEach((value, at) => {
      if (value === null) { if (piece.length) pieces.push(piece); piece = []; }
      else piece.push([at * step + step / 2, y(value)]);
    });
    if (piece.length) pieces.push(piece);
    return pieces.map((points) => points.length > 1
      ? svg("polyline", { points: points.map((point) => point.join(",")).join(" "), style: `stroke:${colour}` })
      : svg("rect", { x: points[0][0] - step * 0.3, width: step * 0.6, y: points[0][1] - 2, height: 4, style: `fill:${colour}` }));
  });
}
export default function ({ data, parentElement, setTriggerValue }) {
  const { node } = root(parentElement, "strips");
  node.className = `w strips${data.tall ? " tall" : ""}`;
  node.style.setProperty("--n", data.charts.length);
  const buckets = data.buckets, n = Math.max(1, buckets.length), step = W / n, parts = [];
  let from = null;
  const place = (event, plot) => {
    const box = plot.getBoundingClientRect();
    return Math.max(0, Math.min(n - 1, Math.floor(((event.clientX - box.left) / box.width) * n)));
  };
  const show = (at, start) => parts.forEach((part) => {
    part.over.replaceChildren();
    part.at.textContent = "";
    if (at === null) return;
    if (start !== null) part.over.append(svg("rect", { class: "range", x: Math.min(start, at) * step, width: (Math.abs(at - start) + 1) * step, y: 0, height: H }));
    else part.over.append(svg("line", { class: "cursor", x1: at * step + step / 2, x2: at * step + step / 2, y1: 0, y2: H }));
    add(part.at, [`${part.chart.series.map((series) => series.texts[at]).join(" · ")}   ${buckets[at].text}`]);
  });
  node.replaceChildren(...data.charts.map((chart) => {
    const over = svg("g", {}), at = el("span", { class: "at" });
    const plot = svg("svg", { class: `plot${data.still ? " still" : ""}`, viewBox: `0 0 ${W} ${H}`, preserveAspectRatio: "none", role: "img", "aria-label": clean(`${chart.name}: ${chart.big}`) },
      svg("line", { x1: 0, x2: W, y1: H, y2: H, style: "stroke:var(--line);vector-effect:non-scaling-stroke" }), marks(chart, buckets), over);
    plot.addEventListener("pointermove", (event) => show(place(event, plot), from));
    plot.addEventListener("pointerleave", () => from === null && show(null, null));
    if (!data.still && buckets.length) {
      plot.addEventListener("pointerdown", (event) => { from = place(event, plot); plot.setPointerCapture(event.pointerId); });
      plot.addEventListener("pointerup", (event) => {
        const to = place(event, plot), [first, last] = [Math.min(from, to), Math.max(from, to)];
        from = null;
        show(null, null);
        if (last > first) setTriggerValue("range", [buckets[first].start, buckets[last].end]);
      });
    }
    parts.push({ chart, over, at });
    const legend = chart.series.length > 1 ? chart.series.map((series) => [el("i", { class: "key", style: { background: `var(--c-${series.hue})` } }), series.name]) : null;
    return el("div", { class: "strip", title: chart.help },
      el("div", { class: "top" }, el("span", { class: "name" }, chart.name), el("span", { class: "big" }, chart.big), legend ? el("span", { class: "muted" }, legend) : null, at),
      plot, el("div", { class: "axis" }, el("span", {}, data.first), el("span", {}, data.last)));
  }));
}
