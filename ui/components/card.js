// Markdown that users wrote.
export default function ({ data, parentElement }) {
  const held = root(parentElement, "card");
  if (held.state.text === data.text) return; // what is marked in it stays so
  held.state.text = data.text;
  held.node.replaceChildren(markdown(data.text));
}
