// Any recorded value as a tree.
export default function ({ data, parentElement }) {
  const held = root(parentElement, "tree"), text = JSON.stringify(data.value);
  if (held.state.text === text) return; // what is unfolded stays so
  held.state.text = text;
  held.node.style.setProperty("--most", data.height || "none");
  held.node.replaceChildren(el("div", { class: "json" }, jsonTree(data.value)));
}
