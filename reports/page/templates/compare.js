
// Lists of utterances: what is not asked for is hidden.
for (const form of document.querySelectorAll("form[data-list]")) {
  const items = [...document.getElementById(form.dataset.list).children];
  const select = form.querySelector("select");
  const search = form.querySelector("input");
  const refresh = () => {
    const wanted = search.value.trim().toLowerCase();
    for (const item of items) {
      const of = !select.value || `=${item.dataset.of}` === select.value;
      item.hidden = !(of && item.textContent.toLowerCase().includes(wanted));
    }
  };
  select.addEventListener("change", refresh);
  search.addEventListener("input", refresh);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
}
