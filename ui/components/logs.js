// What a program printed. At the end it follows what comes; where one has scrolled up, what one reads stays in place.
const LOOKS = new Set(["muted", "vermillion", "green", "orange", "blue", "purple", "sky", "violet", "bold", "dim", "italic", "under", "struck", "wash"]);
function piece([text, look]) {
  const words = look.split(" ").filter((word) => LOOKS.has(word));
  return words.length ? el("span", { class: words.map((word) => `l-${word}`).join(" ") }, marked(text)) : marked(text);
}
function lineNode(line) {
  const title = line.stderr ? `${line.at}, stderr` : line.at;
  return el("div", { class: line.stderr ? "line err" : "line", "data-id": line.id },
    el("span", { class: "no", title, "aria-hidden": "true" }, line.number),
    el("span", { class: "txt" }, line.stderr ? el("span", { class: "sr" }, "stderr: ") : null, line.spans.map(piece)));
}
export default function ({ data, parentElement, setTriggerValue }) {
  const held = root(parentElement, "logs"), { node, state } = held;
  const told = JSON.stringify(data);
  if (state.told === told) return;
  state.told = told;
  const was = state.box, end = !was || was.scrollHeight - was.scrollTop - was.clientHeight < 24;
  const below = was ? was.scrollHeight - was.scrollTop : 0, top = was ? was.scrollTop : 0;
  const grown = state.first !== undefined && data.lines.length && state.first > data.lines[0].number;
  const box = el("div", { class: "box", tabindex: "0", role: "log", "aria-label": "What the run printed", style: { height: data.lines.length ? data.height : "auto" } },
    data.more ? el("button", { class: "more", on: { click: () => setTriggerValue("earlier", true) } }, "Show earlier lines") : null,
    data.lines.map(lineNode), data.lines.length ? null : el("div", { class: "none" }, data.none));
  node.replaceChildren(box, data.lines.length ? el("div", { class: "tools" }, copyButton(() => data.lines.map((line) => line.spans.map((span) => span[0]).join("")).join("\n"), "Copy")) : "");
  box.scrollTop = end && !grown ? box.scrollHeight : grown ? box.scrollHeight - below : top;
  state.box = box;
  state.first = data.lines.length ? data.lines[0].number : undefined;
}
