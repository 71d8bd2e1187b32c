// In the page itself, before the app: where its server is, links that lead in place, and the keys that work everywhere.
window.__streamlit = { BACKEND_BASE_URL: location.origin, MAIN_PAGE_BASE_URL: location.origin };

function go(href) {
  history.pushState({}, "", href);
  dispatchEvent(new PopStateEvent("popstate"));
}
// The sidebar's links too, before Streamlit hears of it: it would leave an address without its parameters in the
// history, and the way back from a list would end at "no such run".
addEventListener("click", (event) => {
  const link = event.target.closest && event.target.closest('a.weft-go, a[data-testid="stSidebarNavLink"]');
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  if (link.matches(".weft-go")) return go(link.getAttribute("href"));
  const project = new URLSearchParams(location.search).get("project");
  go(new URL(link.href).pathname + (project ? `?${new URLSearchParams({ project })}` : ""));
}, true);

const KEYS = [
  ["/", "search"], ["j  k", "next, previous row"], ["enter", "open the row"], ["x", "select a run, to compare"], ["esc", "back"],
  ["↑ ↓", "walk a trace"], ["← →", "fold, unfold"], ["e  E", "next, previous error"], ["?", "this list"],
];
addEventListener("keydown", (event) => {
  let active = document.activeElement;
  while (active && active.shadowRoot && active.shadowRoot.activeElement) active = active.shadowRoot.activeElement;
  const typing = active && (/^(input|textarea|select)$/i.test(active.tagName) || active.isContentEditable);
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.querySelector('[data-testid="stMain"] [data-testid="stTextInput"] input');
  if (event.key === "/" && search) {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "Escape" && !document.querySelector("dialog[open]")) {
    const up = document.querySelector("a.weft-up");
    const ours = window.navigation ? navigation.canGoBack : history.length > 1;  // never back to another site
    if (up) ours ? history.back() : up.click();
  } else if (event.key === "?") {
    const shown = document.querySelector("dialog.weft-keys");
    if (shown) return shown.remove();
    const dialog = document.createElement("dialog");
    dialog.className = "weft-keys";
    for (const [key, what] of KEYS) {
      const line = document.createElement("div"), name = document.createElement("kbd"), words = document.createElement("span");
      name.textContent = key;
      words.textContent = what;
      line.append(name, words);
      dialog.append(line);
    }
    dialog.addEventListener("close", () => dialog.remove());
    dialog.addEventListener("click", () => dialog.close());
    (document.querySelector(".stApp") || document.body).append(dialog);
    dialog.showModal();
  }
});
