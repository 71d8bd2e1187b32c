// Runs and versions as a graph from left to right: every node is a link, the one we look at stands out.
const NODE_W = 176, NODE_H = 40, GAP_X = 64, GAP_Y = 12;
export default function ({ data, parentElement }) {
  const { node: host } = root(parentElement, "graph");
  const width = data.columns * (NODE_W + GAP_X) - GAP_X + 8, height = Math.max(1, data.rows) * (NODE_H + GAP_Y) - GAP_Y + 8;
  const place = (node) => ({ x: 4 + node.column * (NODE_W + GAP_X), y: 4 + node.row * (NODE_H + GAP_Y) });
  const at = new Map(data.nodes.map((node) => [node.id, place(node)]));
  const edges = data.edges.map((edge) => {
    const from = at.get(edge.source), to = at.get(edge.target);
    const back = to.x <= from.x, x1 = from.x + NODE_W, y1 = from.y + NODE_H / 2, x2 = to.x, y2 = to.y + NODE_H / 2;
    const bend = back ? NODE_H : Math.max(24, (x2 - x1) / 2);
    const d = back
      ? `M${x1} ${y1} C${x1 + bend} ${y1 + bend} ${x2 - bend} ${y2 + bend} ${x2} ${y2}`
      : `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
    const path = svg("path", { d, class: `edge${edge.direct ? " direct" : ""}`, "marker-end": "url(#weft-arrow)" });
    if (edge.text) path.append(svg("title", {}, document.createTextNode(clean(edge.text))));
    return path;
  });
  const arrow = svg("marker", { id: "weft-arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
    svg("path", { d: "M0 0.5 7.5 4 0 7.5Z", class: "tip" }));
  const plot = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, svg("defs", {}, arrow), edges);
  const nodes = data.nodes.map((node) => {
    const { x, y } = place(node);
    const mark = node.kind === "run" ? icon("open") : icon("op");
    return el("a", {
      class: `node ${node.kind}${node.root ? " root" : ""}`, href: node.href, title: node.title, "aria-current": node.root ? "page" : null,
      style: { left: `${x}px`, top: `${y}px`, width: `${NODE_W}px`, height: `${NODE_H}px` }, on: { click: going(node.href) },
    }, mark, el("span", { class: "told" }, el("span", { class: "name clip" }, node.label), el("span", { class: "sub clip" }, node.sub)));
  });
  const field = el("div", { class: "field", style: { width: `${width}px`, height: `${height}px` } }, plot, nodes);
  host.replaceChildren(el("div", { class: "scroll", role: "group", "aria-label": "Lineage", tabindex: "0" }, field));
  const here = host.querySelector(".root"), scroll = host.firstChild;
  if (here) scroll.scrollTo({ left: here.offsetLeft - scroll.clientWidth / 2 + NODE_W / 2, top: here.offsetTop - scroll.clientHeight / 2 + NODE_H / 2 });
}
