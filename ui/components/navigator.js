// Makes the plain links of the frame (`a.weft-go`) lead in place, like the rows of a list.
export default function () {
  if (window.weftNavigates) return;
  window.weftNavigates = true;
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a.weft-go");
    if (link) going(link.getAttribute("href"))(event);
  });
}
