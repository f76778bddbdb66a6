"use strict";
// Text from outside reaches the page as textContent alone, never as markup.
(() => {
  const PAGE = 25;
  const byId = (id) => document.getElementById(id);
  const make = (name, kind, text) => {
    const element = document.createElement(name);
    if (kind) element.className = kind;
    if (text !== undefined) element.textContent = text;
    return element;
  };

  // The theme: the system's, unless the reader chose one.
  const root = document.documentElement;
  const remembered = () => {
    try { return localStorage.getItem("model-lab-theme"); } catch { return null; }
  };
  const dark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const button = byId("theme");
  const named = () => { button.textContent = dark() ? "Light" : "Dark"; };
  const before = remembered();
  if (before === "dark" || before === "light") root.dataset.theme = before;
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("model-lab-theme", root.dataset.theme); } catch { /* a file may have no storage */ }
    named();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", named);
  named();

  // Tables: a click sorts, another one the other way round; what has no figure stays last.
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const sorter = head.querySelector("button");
      sorter.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        const numbers = sorter.dataset.sorts === "number";
        const valueOf = (row) => {
          const cell = row.cells[column];
          if (!numbers) return cell.textContent.trim();
          return cell.dataset.sort === undefined
            ? parseFloat(cell.textContent.replace("\u2212", "-").replace(/,/g, "")) : Number(cell.dataset.sort);
        };
        const rows = [...table.tBodies[0].rows].map((row) => [valueOf(row), row]);
        rows.sort(([a], [b]) => {
          if (numbers) {
            if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
            return down ? b - a : a - b;
          }
          return down ? b.localeCompare(a) : a.localeCompare(b);
        });
        for (const other of heads) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        table.tBodies[0].append(...rows.map(([, row]) => row));
      });
    });
  }

  // Errors one by one.
  const data = byId("errors-data");
  const list = byId("list");
  if (!data || !list) return;
  const { groups, errors, audio } = JSON.parse(data.textContent);
  const ofTurns = new Set(data.dataset.turns.split(" "));
  const [G, LINE, ID, CATEGORY, SPEAKER, KINDS, WRONG, WORDS, LABELS, PIECES, FACTS, CLIPPED, AUDIO] =
    Array(13).keys();
  const [MODEL, TASK, CORPUS, FILE] = Array(4).keys();
  const RIGHT_TO_LEFT = /^[^\p{L}]*[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;

  const texts = new Map();
  const textOf = (error) => {
    if (!texts.has(error)) {
      const said = error[PIECES].map((p) => (typeof p === "string" ? p : p[0])).filter(Boolean);
      const heard = error[PIECES].map((p) => (typeof p === "string" ? p : p[1])).filter(Boolean);
      const facts = error[FACTS].map(([, text]) => text);
      texts.set(error, [error[ID], said.join(" "), heard.join(" "), ...facts].join("\n").toLowerCase());
    }
    return texts.get(error);
  };

  const choices = {
    "by-model": (e) => [groups[e[G]][MODEL]],
    "by-task": (e) => [groups[e[G]][TASK]],
    "by-corpus": (e) => [groups[e[G]][CORPUS]],
    "by-category": (e) => [e[CATEGORY] ?? "none"],
    "by-kind": (e) => e[KINDS],
  };
  for (const [id, of] of Object.entries(choices)) {
    const counts = new Map();
    for (const error of errors) for (const value of of(error)) counts.set(value, (counts.get(value) ?? 0) + 1);
    const select = byId(id);
    const any = make("option", "", "all");
    any.value = "";
    select.append(any);
    for (const [value, count] of counts) {
      const option = make("option", "", `${value} (${count})`);
      option.value = `=${value}`; // so that an empty name is not "all"
      select.append(option);
    }
    if (counts.size < 2) select.closest("label").hidden = true;
    select.addEventListener("change", () => refresh());
  }

  const pair = (kind, upper, lower, told) => {
    const box = make("span", `w ${kind}`);
    if (told) box.title = told;
    box.append(make("span", "", upper), make("span", "", lower));
    return box;
  };
  const wordsOf = (error) => {
    const row = make("p", "words");
    const said = error[PIECES].map((p) => (typeof p === "string" ? p : p[0] || p[1])).join(" ");
    row.dir = RIGHT_TO_LEFT.test(said) ? "rtl" : "ltr";
    for (const piece of error[PIECES]) {
      if (typeof piece === "string") {
        for (const word of piece.split(" ")) row.append(pair("hit", word, word));
      } else if (piece[0] === 0) row.append(pair("ins", "∅", piece[1], "added"));
      else if (piece[1] === 0) row.append(pair("del", piece[0], "∅", "missed"));
      else row.append(pair("sub", piece[0], piece[1], "substituted"));
    }
    const labelled = make("div", "aligned");
    labelled.append(pair("label", error[LABELS][0], error[LABELS][1]), row);
    return labelled;
  };
  const itemOf = (error) => {
    const group = groups[error[G]];
    const item = make("li");
    item.dataset.source = `${group[FILE]}:${error[LINE]}`;
    const head = make("p", "head");
    head.append(make("strong", "", group[MODEL]), make("bdi", "", group[CORPUS]), make("bdi", "", error[ID]));
    if (error[CATEGORY] !== null) head.append(make("bdi", "", error[CATEGORY]));
    if (error[SPEAKER] !== null) head.append(make("bdi", "", error[SPEAKER]));
    for (const kind of error[KINDS]) head.append(make("span", "kind", kind));
    if (!ofTurns.has(group[TASK]) && error[PIECES].length) {
      const words = error[WORDS] === 1 ? "word" : "words";
      head.append(make("span", "n", `${error[WRONG]} wrong of ${error[WORDS]} ${words}`));
    }
    const where = make("span", "where", `line ${error[LINE]}`);
    where.title = `${group[FILE]}:${error[LINE]}`;
    head.append(where);
    item.append(head);
    if (error[PIECES].length) item.append(wordsOf(error));
    if (error[FACTS].length) {
      const about = make("dl", "about");
      for (const [name, text] of error[FACTS]) {
        const fact = make("div");
        const told = make("dd");
        told.append(make("bdi", "", text === "" ? "nothing" : text));
        fact.append(make("dt", "", name), told);
        about.append(fact);
      }
      item.append(about);
    }
    if (error[CLIPPED]) item.append(make("p", "muted", "Longer than shown: the file has all of it."));
    if (error[AUDIO] !== null) {
      const player = document.createElement("audio");
      player.controls = true;
      player.preload = "none";
      player.src = `data:audio/flac;base64,${audio[error[AUDIO]]}`;
      player.setAttribute("aria-label", `Sound of ${error[ID]}`);
      item.append(player);
    }
    return item;
  };

  const rate = (e) => e[WRONG] / Math.max(1, e[WORDS]);
  const worst = [...errors].sort((a, b) => b[WRONG] - a[WRONG] || rate(b) - rate(a));
  const filed = [...errors].sort((a, b) => a[G] - b[G] || a[LINE] - b[LINE]);
  let found = worst;
  let page = 0;
  const turns = [["previous", -1], ["next", 1], ["previous-below", -1], ["next-below", 1]];
  const show = () => {
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    const from = page * PAGE;
    const shown = found.slice(from, from + PAGE);
    list.replaceChildren(...shown.map(itemOf));
    byId("count").textContent = found.length
      ? `${(from + 1).toLocaleString("en")} to ${(from + shown.length).toLocaleString("en")} of ${found.length.toLocaleString("en")}`
      : "No error is like that.";
    for (const [id, step] of turns) {
      byId(id).hidden = pages < 2;
      byId(id).disabled = step < 0 ? page === 0 : page === pages - 1;
    }
    byId("below").hidden = pages < 2;
  };
  const refresh = () => {
    const wanted = Object.entries(choices)
      .map(([id, of]) => [byId(id).value, of])
      .filter(([value]) => value)
      .map(([value, of]) => [value.slice(1), of]);
    const search = byId("search").value.trim().toLowerCase();
    found = (byId("order").value === "worst" ? worst : filed).filter(
      (e) => wanted.every(([value, of]) => of(e).includes(value)) && (!search || textOf(e).includes(search)),
    );
    page = 0;
    show();
  };
  for (const [id, step] of turns) {
    byId(id).addEventListener("click", () => {
      page += step;
      show();
      if (id.endsWith("below")) byId("filters").scrollIntoView();
    });
  }
  byId("order").addEventListener("change", refresh);
  byId("search").addEventListener("input", refresh);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").hidden = false;
  byId("legend").hidden = false;
  show();
})();
