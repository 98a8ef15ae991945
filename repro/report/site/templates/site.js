"use strict";
(() => {
  // Ages: a page is the same whenever it is written, so how old a run is can only be said by its reader's clock.
  const spans = [[86400 * 365, "year"], [86400 * 30, "month"], [86400, "day"], [3600, "hour"], [60, "minute"]];
  const words = new Intl.RelativeTimeFormat("en", {numeric: "always"});
  for (const time of document.querySelectorAll("time[data-age]")) {
    const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
    const [size, unit] = spans.find(([length]) => Math.abs(seconds) >= length) || [60, "minute"];
    time.append(` (${words.format(-Math.round(seconds / size), unit)})`);
  }
  for (const block of document.querySelectorAll(".command")) {
    if (!navigator.clipboard) break;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.querySelector("code").textContent);
      button.textContent = "copied";
    });
    block.append(button);
  }
  const chosen = document.getElementById("list-filters");
  if (chosen) {
    const lines = [...document.querySelectorAll(".lines li")];
    const filter = () => {
      const wanted = Object.fromEntries(new FormData(chosen)), text = wanted.text.trim().toLowerCase();
      let shown = 0;
      for (const line of lines) {
        line.hidden = Boolean(wanted.package && !line.dataset.packages.split("|").includes(wanted.package))
          || !line.textContent.toLowerCase().includes(text);
        if (!line.hidden) shown += 1;
      }
      for (const part of document.querySelectorAll(".part")) part.hidden = !part.querySelector("li:not([hidden])");
      document.getElementById("list-count").textContent = `${shown} of ${lines.length} failures`;
    };
    chosen.hidden = false;
    chosen.addEventListener("input", filter);
    chosen.addEventListener("submit", event => event.preventDefault());
    chosen.addEventListener("reset", () => setTimeout(filter));
    filter();
  }
  const form = document.getElementById("filters");
  const heat = document.getElementById("heat");
  if (!form || !heat) return;

  const rows = [...heat.querySelectorAll("tbody tr")];
  const heads = [...heat.querySelectorAll("thead th[data-releases]")];
  const count = document.getElementById("count");
  const tiles = heat.querySelectorAll(".tile"), total = tiles.length;
  for (const tile of tiles) {  // a tile of a large map does not repeat what its class says
    const verdict = [...tile.classList].find(name => name.startsWith("v-")).slice(2);
    tile.dataset.verdict ||= verdict === "none" ? "not run" : verdict;
    tile.dataset.lane ||= "cpu";
    tile.title ||= tile.ariaLabel;
  }
  const list = text => text.split("|");

  function apply() {
    const wanted = Object.fromEntries(new FormData(form));
    const text = wanted.text.trim().toLowerCase();
    const chosen = wanted.package || wanted.release || wanted.verdict || wanted.lane || text;
    const used = heads.map(() => false);
    let shownRows = 0, shownTiles = 0;
    for (const row of rows) {
      const fits = (!wanted.package || list(row.dataset.packages).includes(wanted.package))
        && (!text || row.cells[0].textContent.toLowerCase().includes(text));
      let any = false;
      for (const tile of row.querySelectorAll(".tile")) {
        const column = tile.closest("td").cellIndex - 1;
        const match = fits
          && (!wanted.release || list(heads[column].dataset.releases).includes(wanted.release))
          && (!wanted.verdict || tile.dataset.verdict === wanted.verdict)
          && (!wanted.lane || tile.dataset.lane === wanted.lane);
        tile.hidden = !match;
        if (match) { any = used[column] = true; shownTiles += 1; }
      }
      row.hidden = !(chosen ? any : true);
      if (!row.hidden) shownRows += 1;
    }
    heads.forEach((head, column) => {
      const hide = Boolean(chosen) && !used[column];
      head.hidden = hide;
      for (const row of rows) row.cells[column + 1].hidden = hide;
    });
    count.textContent = chosen
      ? `${shownRows} of ${rows.length} failures, ${shownTiles} of ${total} cells match`
      : `${rows.length} failures, ${total} cells`;
    const kept = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
    try { history.replaceState(null, "", kept.size ? `?${kept}` : location.pathname); } catch { /* a page from a file */ }
  }

  for (const [name, value] of new URLSearchParams(location.search)) {
    if (form.elements[name]) form.elements[name].value = value;
  }
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  apply();

  // Arrow keys go from tile to tile, so that nobody has to press Tab a hundred times.
  const steps = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};
  heat.addEventListener("keydown", event => {
    const step = steps[event.key], tile = event.target.closest(".tile");
    if (!step || !tile) return;
    event.preventDefault();
    const cell = tile.closest("td"), all = [...cell.querySelectorAll(".tile:not([hidden])")];
    const inside = all[all.indexOf(tile) + step[0]];
    if (step[0] && inside) { inside.focus(); return; }
    let row = cell.parentElement.rowIndex - 1, column = cell.cellIndex;
    for (;;) {
      row += step[0];
      column += step[1];
      const next = rows[row] && rows[row].cells[column];
      if (!next || column < 1) return;
      const found = row in rows && !rows[row].hidden && next.querySelectorAll(".tile:not([hidden])");
      if (found && found.length) { found[step[0] < 0 ? found.length - 1 : 0].focus(); return; }
    }
  });
})();
