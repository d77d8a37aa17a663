// Adds to the page what only a script can: sorting, choosing methods and seeds, values under the pointer, other axes,
// larger pictures, drawings to save. The values of curves are read back from the drawings.
(function () {
  "use strict";
  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));
  const make = (name, properties, parent) => {
    const element = Object.assign(document.createElement(name), properties);
    if (parent) parent.append(element);
    return element;
  };
  const SVG = "http://www.w3.org/2000/svg";
  const hiddenMethods = new Set();
  let axes = "";

  document.documentElement.classList.add("js");
  all(".tools").forEach((tools) => { tools.hidden = false; });

  // --- charts: scales as charts.py has them ---

  const transform = {
    linear: (v) => v,
    log: (v) => Math.log10(v),
    symlog: (v) => Math.sign(v) * Math.log10(1 + Math.abs(v)),
  };
  const invert = {
    linear: (p) => p,
    log: (p) => 10 ** p,
    symlog: (p) => Math.sign(p) * (10 ** Math.abs(p) - 1),
  };
  const numbers = (path) => (path.match(/-?[\d.]+ -?[\d.]+/g) || []).map((pair) => pair.split(" ").map(Number));
  const SHAPES = [
    "m-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0 -6.4 0", "m-2.9 -2.9h5.8v5.8h-5.8z", "m0 -3.8l3.7 6.6h-7.4z",
    "m0 -4l4 4l-4 4l-4 -4z",
  ];

  function format(value) {
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size < 1e-4 || size >= 1e6) return value.toExponential(2);
    return value.toLocaleString("en", { maximumSignificantDigits: 4 });
  }

  function tickText(value) {
    const size = Math.abs(value);
    if (value !== 0 && (size < 1e-4 || size >= 1e6)) return value.toExponential().replace("+", "").replace("-", "−");
    return value.toLocaleString("en", { maximumSignificantDigits: 10 }).replace("-", "−");
  }

  function linearTicks(low, high) {
    const raw = (high - low) / 5;
    const size = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map((m) => m * size).find((s) => s >= raw * 0.999);
    const ticks = [];
    for (let n = Math.ceil(low / step - 1e-9); n <= high / step + 1e-9; n += 1) ticks.push(Number((n * step).toPrecision(12)));
    return ticks;
  }

  function logTicks(low, high) {
    const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
    const ticks = [];
    if (last - first >= 1) {
      const stride = Math.max(1, Math.ceil((last - first) / 5));
      for (let e = first; e <= last; e += stride) ticks.push(10 ** e);
      return ticks;
    }
    if (Math.log10(high / low) < 0.5) return linearTicks(low, high);
    for (let e = first - 1; e <= last + 1; e += 1) for (const m of [1, 2, 5]) ticks.push(Number((m * 10 ** e).toPrecision(12)));
    return ticks.filter((tick) => tick >= low && tick <= high);
  }

  function readChart(figure) {
    const svg = figure.querySelector("svg[data-box]");
    const [left, top, width, height] = svg.dataset.box.split(",").map(Number);
    const scale = svg.dataset.scale;
    const low = transform[scale](Number(svg.dataset.low)), high = transform[scale](Number(svg.dataset.high));
    // Coordinates have two decimals: digits beyond those are noise.
    const digits = scale === "linear" ? Math.max(0, Math.ceil(-Math.log10((0.01 / height) * (high - low)))) : null;
    const value = (y) => {
      const read = invert[scale](high - ((y - top) / height) * (high - low));
      return digits === null ? Number(read.toPrecision(4)) : Number(read.toFixed(Math.min(100, digits)));
    };
    const step = (x) => ((x - left) / width) * Number(svg.dataset.end);
    const series = all(".series", svg).map((group) => {
      const line = numbers(group.querySelector(".line").getAttribute("d"));
      const band = group.querySelector(".band");
      const edge = band ? numbers(band.getAttribute("d")).map((point) => value(point[1])) : [];
      return {
        group, method: (group.getAttribute("class").match(/\bm(\d+)\b/) || [])[1],
        xs: line.map((point) => point[0]), steps: line.map((point) => step(point[0])),
        values: line.map((point) => value(point[1])),
        highs: edge.slice(0, line.length), lows: edge.slice(line.length).reverse(),
        ends: all(".ended", group).map((path) => {
          const [x, y] = numbers(path.getAttribute("d"))[0];
          return { path, x: x + 4, value: value(y + 4) };
        }),
      };
    });
    return { figure, svg, left, top, width, height, scale, own: scale, series, note: figure.querySelector(".note"),
      text: (figure.querySelector(".note") || {}).textContent || "", low: Number(svg.dataset.low), high: Number(svg.dataset.high) };
  }

  const shown = (series) => series.method === undefined || !hiddenMethods.has(series.method);

  function place(chart) {
    const low = transform[chart.scale](chart.low), high = transform[chart.scale](chart.high);
    return (value) => chart.top + chart.height * (1 - (transform[chart.scale](value) - low) / (high - low));
  }

  function redraw(chart) {
    const visible = chart.series.filter(shown);
    chart.series.forEach((series) => { series.group.style.display = shown(series) ? "" : "none"; });
    const across = all(".across", chart.svg);
    if (!("fixed" in chart.svg.dataset) && visible.length) {
      const values = visible.flatMap((s) => [...s.values, ...s.lows, ...s.highs]);
      across.forEach((rule) => values.push(Number(rule.dataset.at)));
      chart.scale = axes && "switch" in chart.svg.dataset ? axes : chart.own;
      const ends = [Math.min(...values), Math.max(...values)].map(transform[chart.scale]);
      const margin = 0.05 * (ends[1] - ends[0]) || (chart.scale === "linear" ? 0.05 * Math.abs(ends[0]) || 0.5 : 0.15);
      chart.low = invert[chart.scale](ends[0] - margin);
      chart.high = invert[chart.scale](ends[1] + margin);
    }
    const y = place(chart);
    const at = (series, values) => series.xs.map((x, i) => `${x.toFixed(2)} ${y(values[i]).toFixed(2)}`);
    for (const series of visible) {
      series.group.querySelector(".line").setAttribute("d", "M" + at(series, series.values).join("L"));
      const band = series.group.querySelector(".band"), dots = series.group.querySelector(".dots");
      if (band) band.setAttribute("d", "M" + [...at(series, series.highs), ...at(series, series.lows).reverse()].join("L") + "Z");
      if (dots) dots.setAttribute("d", at(series, series.values).map((point) => "M" + point + SHAPES[dots.dataset.shape]).join(""));
      for (const end of series.ends) end.path.setAttribute("d", `M${(end.x - 4).toFixed(2)} ${(y(end.value) - 4).toFixed(2)}l8 8m0 -8l-8 8`);
    }
    for (const rule of across) {
      const height = Math.min(chart.top + chart.height, Math.max(chart.top, y(Number(rule.dataset.at))));
      rule.setAttribute("d", `M${chart.left} ${height.toFixed(2)}H${chart.left + chart.width}`);
      all(".rule-name", chart.svg).filter((name) => name.dataset.at === rule.dataset.at)
        .forEach((name) => name.setAttribute("y", height > chart.top + 16 ? height - 5 : height + 14));
    }
    if ("fixed" in chart.svg.dataset || chart.scale === "symlog") return;
    const grid = chart.svg.querySelector(".grid");
    grid.replaceChildren();
    for (const tick of (chart.scale === "log" ? logTicks : linearTicks)(chart.low, chart.high)) {
      const path = document.createElementNS(SVG, "path"), text = document.createElementNS(SVG, "text");
      path.setAttribute("d", `M${chart.left} ${y(tick).toFixed(2)}H${chart.left + chart.width}`);
      text.setAttribute("x", chart.left - 6);
      text.setAttribute("y", y(tick) + 4);
      text.setAttribute("text-anchor", "end");
      text.textContent = tickText(tick);
      grid.append(path, text);
    }
    if (chart.note) chart.note.textContent = chart.text.replace(/( · )?log scale$/, "") + (chart.scale === "log" ? " · log scale" : "");
  }

  // --- values under the pointer, and under the arrow keys ---

  function readOut(chart) {
    const { figure, svg } = chart;
    const tip = make("div", { className: "tip", hidden: true }, figure);
    const spoken = make("span", { className: "skip", role: "status" }, figure);
    spoken.setAttribute("role", "status");
    const cursor = document.createElementNS(SVG, "path");
    cursor.setAttribute("class", "cursor");
    svg.append(cursor);
    svg.setAttribute("tabindex", "0");
    let current = -1;

    const steps = () => Array.from(new Set(chart.series.filter(shown).flatMap((s) => s.xs))).sort((a, b) => a - b);
    function show(x) {
      const rows = [];
      let step = null;
      for (const series of chart.series.filter(shown)) {
        let best = -1;
        series.xs.forEach((at, i) => { if (best < 0 || Math.abs(at - x) < Math.abs(series.xs[best] - x)) best = i; });
        if (best < 0 || Math.abs(series.xs[best] - x) > 24) continue;
        if (step === null || Math.abs(series.xs[best] - x) < Math.abs(step[0] - x)) step = [series.xs[best], series.steps[best]];
        rows.push({ series, value: series.values[best], low: series.lows[best], high: series.highs[best] });
      }
      if (!step) { hide(); return; }
      rows.sort((a, b) => b.value - a.value);
      tip.replaceChildren();
      make("div", { textContent: `step ${Math.round(step[1]).toLocaleString("en")}` }, tip);
      for (const row of rows.slice(0, 14)) {
        const line = make("div", {}, tip);
        const key = document.createElementNS(SVG, "svg");
        key.setAttribute("class", "key " + row.series.group.getAttribute("class").replace("series", ""));
        key.setAttribute("viewBox", "0 0 28 10");
        key.append(document.createElementNS(SVG, "path"));
        key.firstChild.setAttribute("class", "line");
        key.firstChild.setAttribute("d", "M1 5H27");
        line.append(key);
        make("bdi", { textContent: row.series.group.dataset.name }, line);
        make("b", { textContent: format(row.value) }, line);
        if (row.low !== undefined && row.low !== row.high) make("small", { textContent: `${format(row.low)} to ${format(row.high)}` }, line);
      }
      if (rows.length > 14) make("div", { textContent: `and ${rows.length - 14} more` }, tip);
      cursor.setAttribute("d", `M${step[0]} ${chart.top}V${chart.top + chart.height}`);
      tip.hidden = false;
      const ratio = svg.clientWidth / svg.viewBox.baseVal.width, left = svg.parentElement.offsetLeft + step[0] * ratio + 12;
      tip.style.left = left + tip.offsetWidth > figure.clientWidth ? Math.max(0, left - 24 - tip.offsetWidth) + "px" : left + "px";
      tip.style.top = svg.parentElement.offsetTop + 8 + "px";
    }
    function hide() { tip.hidden = true; cursor.removeAttribute("d"); }
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      show(((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width);
    });
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", (event) => {
      const places = steps();
      if (event.key === "ArrowRight") current = Math.min(places.length - 1, current + 1);
      else if (event.key === "ArrowLeft") current = Math.max(0, current < 0 ? places.length - 1 : current - 1);
      else if (event.key === "Escape") { hide(); return; } else return;
      event.preventDefault();
      show(places[current]);
      spoken.textContent = all("div", tip).map((line) => line.textContent).join("; ");
    });
  }

  // --- drawings to save ---

  function saveButton(figure, svg) {
    const title = figure.querySelector("figcaption b").textContent;
    const button = make("button", { type: "button", className: "save", textContent: "SVG" }, figure);
    button.setAttribute("aria-label", `Save ${title} as SVG`);
    button.addEventListener("click", () => {
      const copy = svg.cloneNode(true), from = all("*", svg), to = all("*", copy);
      from.forEach((element, i) => {
        const style = getComputedStyle(element);
        for (const name of ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-size", "font-family", "display"]) to[i].style.setProperty(name, style.getPropertyValue(name));
      });
      copy.setAttribute("xmlns", SVG);
      const text = new XMLSerializer().serializeToString(copy);
      const link = make("a", { href: "data:image/svg+xml;charset=utf-8," + encodeURIComponent(text), download: title.replace(/[^\w.-]+/g, "-") + ".svg" });
      link.click();
    });
  }

  // Charts are made ready when they are about to be seen: a page may have hundreds.
  const charts = new Map();
  function ready(figure) {
    if (!charts.has(figure)) {
      const chart = readChart(figure);
      charts.set(figure, chart);
      readOut(chart);
      saveButton(figure, chart.svg);
      if (hiddenMethods.size || axes) redraw(chart);
    }
    return charts.get(figure);
  }
  const figures = all("figure.chart");
  if ("IntersectionObserver" in window) {
    const observer = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) { observer.unobserve(entry.target); ready(entry.target); }
    }, { rootMargin: "400px" });
    figures.forEach((figure) => observer.observe(figure));
  } else figures.forEach(ready);
  const redrawAll = () => charts.forEach(redraw);

  // --- methods and axes ---

  const boxes = all("#bar input[type=checkbox]");
  function chooseMethods() {
    hiddenMethods.clear();
    boxes.forEach((box) => { if (!box.checked) hiddenMethods.add(box.value); });
    all("[data-m]").forEach((element) => element.classList.toggle("unchosen", hiddenMethods.has(element.dataset.m)));
    update();
    redrawAll();
  }
  boxes.forEach((box) => box.addEventListener("change", chooseMethods));
  for (const [id, checked] of [["all", true], ["none", false]]) {
    document.getElementById(id).addEventListener("click", () => {
      boxes.forEach((box) => { box.checked = checked; });
      chooseMethods();
    });
  }
  document.getElementById("axes").addEventListener("change", (event) => { axes = event.target.value; redrawAll(); });

  // --- tables ---

  const cellValue = (row, column) => {
    const cell = row.cells[column];
    const text = cell === undefined ? "" : cell.dataset.v !== undefined ? cell.dataset.v : cell.textContent.trim();
    const number = Number(text.replace(/,/g, ""));
    return text === "" || text === "–" ? null : Number.isNaN(number) ? text : number;
  };
  function compare(a, b) {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  }
  for (const table of all("table.sortable")) {
    Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
      if (head.classList.contains("fixed")) return;
      const link = head.querySelector("a");
      const button = make("button", { type: "button" });
      if (link) { button.textContent = ""; button.setAttribute("aria-label", "Sort by " + link.textContent.trim()); link.after(button); } else {
        const small = head.querySelector("small");
        button.append(...Array.from(head.childNodes).filter((node) => node !== small));
        head.prepend(button);
      }
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        Array.from(table.tHead.rows[0].cells).forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0];
        const rows = Array.from(body.rows).map((row) => [cellValue(row, column), row]);
        rows.sort((a, b) => (a[0] === null || b[0] === null || !down ? compare(a[0], b[0]) : compare(b[0], a[0])));
        body.append(...rows.map((pair) => pair[1]));
      });
    });
  }

  const find = document.getElementById("find");
  const rowsOfTrials = all(".trials tbody tr");
  const texts = new Map();
  function update() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rowsOfTrials) {
      if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
      const fits = words.every((word) => texts.get(row).includes(word)) && !hiddenMethods.has(row.dataset.m);
      row.hidden = !fits;
      count += fits;
    }
    document.getElementById("found").textContent = words.length || hiddenMethods.size ? `${count} of ${rowsOfTrials.length}` : "";
    all("[data-m]").forEach((element) => { if (!element.closest(".trials")) element.hidden = hiddenMethods.has(element.dataset.m); });
  }
  find.addEventListener("input", update);

  // --- samples ---

  for (const section of all("section.dataset")) {
    const buttons = all(".seeds button", section);
    const choose = (seed) => {
      buttons.forEach((button) => button.setAttribute("aria-pressed", button.dataset.seed === seed));
      for (const card of all(".card", section)) {
        const of = all(".pictures figure", card);
        const has = of.some((figure) => figure.dataset.seed === seed);
        of.forEach((figure, i) => { figure.hidden = seed !== "" && (has ? figure.dataset.seed !== seed : i > 0); });
        card.querySelector(".pictures").classList.toggle("one", seed !== "");
      }
    };
    buttons.forEach((button) => button.addEventListener("click", () => choose(button.dataset.seed)));
    if (buttons.length) choose(buttons[0].dataset.seed);
  }
  const large = document.getElementById("large");
  for (const frames of all(".frames")) {
    const button = make("button", { type: "button", className: "picture-button" });
    const visible = () => frames.querySelector("img:not([hidden])");
    button.setAttribute("aria-label", visible().alt + ", larger");
    frames.replaceWith(button);
    button.append(frames);
    button.addEventListener("click", () => {
      const picture = visible(), shownLarge = large.querySelector("img"), caption = large.querySelector("p");
      shownLarge.src = picture.src;
      shownLarge.alt = picture.alt;
      shownLarge.className = picture.className;
      caption.textContent = picture.alt + " ";
      const step = picture.dataset.step ? "-" + picture.dataset.step : "";
      make("a", { href: picture.src, download: frames.dataset.file + step + ".webp", textContent: "save" }, caption);
      large.showModal();
    });
  }
  for (const slider of all(".over-time input")) {
    const steps = slider.dataset.steps.split(",").map(Number);
    slider.addEventListener("input", () => {
      const step = Number(slider.value) < steps.length ? steps[slider.value] : Infinity;
      const text = step === Infinity ? "at the end" : step.toLocaleString("en");
      slider.parentElement.querySelector("output").textContent = text;
      slider.setAttribute("aria-valuetext", text);
      for (const frames of all(".frames:not(.nearest)", slider.closest("section"))) {
        const pictures = all("img", frames);
        // The picture at that step; of a trial that has none, the last one before it.
        const before = pictures.filter((picture) => Number(picture.dataset.step) <= step);
        const chosen = before.length ? before[before.length - 1] : pictures[0];
        pictures.forEach((picture) => { picture.hidden = picture !== chosen; });
      }
    });
  }
  large.addEventListener("click", (event) => { if (event.target === large) large.close(); });

  // --- links and print: what is folded is opened ---

  function openTarget() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let folded = target.closest("details"); folded; folded = folded.parentElement.closest("details")) folded.open = true;
    target.scrollIntoView();
  }
  window.addEventListener("hashchange", openTarget);
  if (location.hash) openTarget();
  window.addEventListener("beforeprint", () => {
    all("details.signals, details.numbers").forEach((folded) => { folded.open = true; });
    figures.forEach(ready);
  });
})();
