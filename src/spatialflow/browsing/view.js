// The pages work without this: it adds a filter to the grid, and the arrow keys and Escape to all pages.
"use strict";
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.target.closest?.("select, input, .scroll")) {
    return;
  }
  const rel = { ArrowLeft: "prev", ArrowRight: "next", Escape: "up" }[event.key];
  const link = rel && document.querySelector(`a[rel="${rel}"]`);
  if (link) {
    link.click();
  }
});

const form = document.querySelector("form.filter");
if (form) {
  const cards = [...document.querySelectorAll(".card")];
  const apply = () => {
    const category = form.elements.category.value;
    const wrong = form.elements.wrong && form.elements.wrong.checked;
    let shown = 0;
    for (const card of cards) {
      const ids = (wrong ? card.dataset.wrong : card.dataset.has).split(" ");
      card.hidden = category ? !ids.includes(category) : wrong && ids[0] === "";
      shown += !card.hidden;
    }
    form.querySelector("output").value = `${shown} of ${cards.length}`;
  };
  form.hidden = false;
  form.addEventListener("change", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("pageshow", apply); // a browser that comes back may have kept the choice
}
