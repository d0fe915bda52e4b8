"use strict";
(() => {
  const study = JSON.parse(document.getElementById("study").textContent);
  const { classes, labels } = study;
  const NOISE = "noise";
  const UNSURE = "unsure";
  const OPEN = "";
  const SCHEMA = "sonar_watch.slide_verdicts/1";
  const KEEP_AFTER_MS = 400;
  const MARKS = { accept: "✓", reject: "✗", unsure: "?" };
  const KEYS = { t: "tooth", d: "denticle", s: "sawtoothed", n: NOISE, r: NOISE, x: NOISE, delete: NOISE, u: UNSURE };
  const storageKey = `sonar-watch-review:${study.gallery}`;
  const get = (id) => document.getElementById(id);

  // One object per row of the study; `place` is its rank by uncertainty.
  const objects = study.rows.map((row, place) => {
    const one = { place };
    study.columns.forEach((name, column) => { one[name] = row[column]; });
    one.taken = classes[one.taken];
    one.slide = study.slides[one.slide];
    one.image = study.images[one.image];
    return one;
  });
  const byId = new Map(objects.map((one) => [one.object_id, one]));

  const verdicts = new Map(); // object_id -> class name or UNSURE
  const own = new Set(); // object_ids on which this person said something; the others were applied before
  const saidBy = new Map(); // object_id -> who said it, of verdicts that were read from somebody else's file
  objects.forEach((one) => { if (one.reviewed) verdicts.set(one.object_id, one.taken); });
  const history = []; // each step: [[object_id, verdict before, whether it was their own, else who said it], ...]
  let shown = objects;
  let first = 0;
  let here = 0; // place on the page
  let unsaved = false; // not in any file yet
  let touched = false; // not as it was when the page was opened
  let timer = 0;

  const element = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const verdictOf = (one) => verdicts.get(one.object_id) ?? OPEN;
  const outcome = (one) => {
    const said = verdictOf(one);
    if (said === OPEN || said === UNSURE) return said;
    if (said === one.taken) return "accept";
    return said === NOISE ? "reject" : "other";
  };
  const classNow = (one) => {
    const said = verdictOf(one);
    return said === OPEN || said === UNSURE ? one.taken : said;
  };
  const number = (value) => value.toLocaleString("en");
  const tell = (text, calm = false) => { get("message").textContent = text; get("message").classList.toggle("calm", calm); };

  // --- verdicts ---------------------------------------------------------------------------
  const isOwn = (one) => own.has(one.object_id);
  const sayer = (one) => saidBy.get(one.object_id) ?? "";
  const put = (id, verdict, mine, by = "") => {
    if (verdict === OPEN) verdicts.delete(id); else verdicts.set(id, verdict);
    if (mine) own.add(id); else own.delete(id);
    if (by && !mine) saidBy.set(id, by); else saidBy.delete(id);
  };
  const decide = (wanted) => { // [object, verdict, whether it is this person's own, else who said it]
    const changes = wanted.filter(([one, verdict, mine, by = ""]) =>
      verdictOf(one) !== verdict || isOwn(one) !== mine || sayer(one) !== by);
    if (!changes.length) return;
    history.push(changes.map(([one]) => [one.object_id, verdictOf(one), isOwn(one), sayer(one)]));
    changes.forEach(([one, ...said]) => put(one.object_id, ...said));
    changed(changes.map(([one]) => one));
  };
  const undo = () => {
    const step = history.pop();
    if (!step) return;
    step.forEach((before) => put(...before));
    changed(step.map(([id]) => byId.get(id)));
    const at = onPage().findIndex((one) => one.object_id === step[0][0]);
    if (at >= 0) focusOn(at);
  };
  const changed = (some) => {
    some.forEach(refreshCard);
    refreshHead();
    keepSoon();
  };

  // --- kept in the browser ----------------------------------------------------------------
  const keepSoon = () => {
    unsaved = touched = true;
    clearTimeout(timer);
    timer = setTimeout(keep, KEEP_AFTER_MS);
  };
  const keep = () => {
    clearTimeout(timer);
    if (!touched) return;
    const ids = {};
    own.forEach((id) => { ids[id] = verdicts.get(id) ?? OPEN; });
    const others = [...saidBy].map(([id, by]) => [id, verdicts.get(id), by]);
    try {
      localStorage.setItem(storageKey, JSON.stringify({ reviewer: get("reviewer").value, unsaved, ids, others }));
    } catch (error) {
      tell(`This browser keeps no more verdicts (${error.name}): save the file now and then.`);
    }
  };
  const restore = () => {
    let kept;
    try {
      kept = JSON.parse(localStorage.getItem(storageKey) || "null");
    } catch (error) {
      tell(`This browser keeps nothing between visits (${error.name}): save the file before you leave.`);
    }
    if (!kept) return;
    get("reviewer").value = kept.reviewer || "";
    unsaved = Boolean(kept.unsaved);
    Object.entries(kept.ids || {}).forEach(([id, verdict]) => {
      if (byId.has(id) && isVerdict(verdict, true)) put(id, verdict, true);
    });
    (kept.others || []).forEach(([id, verdict, by]) => {
      if (byId.has(id) && isVerdict(verdict)) put(id, verdict, false, String(by));
    });
  };
  const isVerdict = (said, mayBeOpen = false) => classes.includes(said) || said === UNSURE || (mayBeOpen && said === OPEN);

  // --- the file ---------------------------------------------------------------------------
  const body = () => ({
    schema: SCHEMA,
    title: study.title,
    gallery: study.gallery,
    reviewer: get("reviewer").value.trim(),
    saved_utc: new Date().toISOString(),
    objects: objects.length,
    verdicts: [...verdicts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, verdict]) => {
      const one = byId.get(id);
      const row = { object_id: id, class: verdict, seen_class: one.taken, slide: one.slide, image: one.image, xyxy_px: one.xyxy_px, earlier: !own.has(id) };
      return saidBy.has(id) ? { ...row, said_by: saidBy.get(id) } : row;
    }),
  });
  const save = () => {
    const link = element("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(body(), null, 1) + "\n"], { type: "application/json" }));
    link.download = "verdicts.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    unsaved = false;
    touched = true;
    keep();
    tell(`Saved ${number(verdicts.size)} verdicts as verdicts.json, in your downloads.`, true);
  };
  const load = async (file) => {
    let read;
    try {
      read = JSON.parse(await file.text());
    } catch (error) {
      tell(`${file.name}: no JSON (${error.message})`);
      return;
    }
    if (read.schema !== SCHEMA || !Array.isArray(read.verdicts)) {
      tell(`${file.name}: expected a file that such a page saved (${SCHEMA})`);
      return;
    }
    const by = String(read.reviewer || "").trim() || "somebody";
    const mine = isMine(file.name, read);
    const known = read.verdicts.filter((row) => byId.has(row.object_id) && isVerdict(row.class));
    const isTaken = (one) => isOwn(one) && verdictOf(one) !== OPEN;
    const fresh = known.filter((row) => mine || !isTaken(byId.get(row.object_id))); // others overrule nobody
    decide(fresh.map((row) => (row.earlier === true
      ? [byId.get(row.object_id), row.class, false, String(row.said_by || "")]
      : [byId.get(row.object_id), row.class, mine, mine ? "" : by])));
    if (mine && !get("reviewer").value) get("reviewer").value = read.reviewer || "";
    select();
    tellRead(file.name, fresh.length, known.length - fresh.length, read.verdicts.length - known.length, mine ? "" : by);
  };
  // Whose verdicts a file holds: two people seem to agree on all that one took over from the other.
  const isMine = (name, read) => {
    const by = String(read.reviewer || "").trim();
    const me = get("reviewer").value.trim();
    if (by && me) return by === me;
    return confirm(`${name} was saved by ${by || "somebody without a name"}. Are its verdicts your own?\n\nOK: yes, go on with them. Cancel: no, show them as somebody else's.`);
  };
  const tellRead = (name, count, kept, lost, by) => tell(
    `Read ${number(count)} verdicts from ${name}.`
    + (by ? ` They are shown as those of ${by}; if that is you, write this name into the field and load them again.` : "")
    + (kept ? ` ${number(kept)} are of objects that you judged yourself: yours stay.` : "")
    + (lost ? ` ${number(lost)} are of objects that are not here: they are left out.` : ""),
    !lost && !by,
  );
  const startAnew = () => {
    if (!verdicts.size || !confirm(`Forget ${verdicts.size} verdicts? Save them first if they matter.`)) return;
    decide(objects.filter((one) => verdictOf(one) !== OPEN).map((one) => [one, OPEN, true]));
    get("reviewer").value = "";
    keep();
    select();
  };

  // --- what is shown ----------------------------------------------------------------------
  const SHOWS = {
    all: () => true,
    open: (one) => verdictOf(one) === OPEN,
    done: (one) => verdictOf(one) !== OPEN,
    changed: (one) => ["reject", "other"].includes(outcome(one)),
    unsure: (one) => verdictOf(one) === UNSURE,
  };
  const ORDERS = {
    uncertain: (a, b) => a.place - b.place,
    certain: (a, b) => b.place - a.place,
    longest: (a, b) => (b.length_um ?? -1) - (a.length_um ?? -1) || a.place - b.place,
    place: (a, b) => compare(a.slide, b.slide) || compare(a.image, b.image) || a.xyxy_px[1] - b.xyxy_px[1] || a.xyxy_px[0] - b.xyxy_px[0],
  };
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  const perPage = () => Number(get("per-page").value);
  const onPage = () => shown.slice(first, first + perPage());
  const select = () => {
    const wanted = SHOWS[get("show").value];
    const name = get("class").value;
    const part = get("find").value.trim().toLowerCase();
    shown = objects.filter((one) => wanted(one) && (!name || classNow(one) === name)
      && (!part || `${one.slide} ${one.image} ${one.object_id}`.toLowerCase().includes(part)));
    shown.sort(ORDERS[get("order").value]);
    first = 0;
    drawPage(0);
  };
  const turn = (by) => {
    if (by > 0 && get("show").value === "open") { // what was judged on this page is no longer open
      const rest = shown.slice(first + perPage());
      const next = rest.find((one) => verdictOf(one) === OPEN);
      select();
      const at = next ? shown.indexOf(next) : 0;
      first = at - (at % perPage());
      drawPage(0);
      return;
    }
    const to = first + by * perPage();
    if (to < 0 || to >= shown.length) return;
    first = to;
    drawPage(0);
  };

  // --- drawing ----------------------------------------------------------------------------
  const percent = (value) => `${(100 * value).toFixed(2)}%`;
  const fillCrop = (figure, one) => {
    const image = figure.querySelector("img");
    figure.querySelectorAll(".box, .scale, .none").forEach((old) => old.remove());
    image.hidden = !one.crop;
    if (!one.crop) {
      figure.append(element("span", "none", "no picture: its tile could not be read"));
      return;
    }
    image.src = `crops/${one.crop.slice(0, 2)}/${one.crop}.jpg`;
    const [left, top, right, bottom] = one.in_crop;
    const box = element("i", "box");
    Object.assign(box.style, { left: percent(left), top: percent(top), width: percent(right - left), height: percent(bottom - top) });
    figure.append(box);
    if (one.crop_um) {
      const bar = [1000, 500, 200, 100, 50, 20, 10, 5, 2, 1].find((length) => length < one.crop_um / 3);
      if (bar) {
        const scale = element("span", "scale", `${bar} µm`);
        scale.style.width = percent(bar / one.crop_um);
        figure.append(scale);
      }
    }
  };
  const told = (one) => {
    const now = element("span");
    const name = element("span", `name ${classNow(one)}`, labels[classNow(one)]);
    now.append(name, ` ${one.confidence.toFixed(2)}`);
    if (one.length_um !== null) now.append(` · ${Math.round(one.length_um)} µm`);
    if (one.cut) now.append(" · cut");
    return now;
  };
  const more = (one) => {
    const first = classes[one.detector_class];
    return `${one.slide} · ${one.image}\n${one.object_id}\ndetector: ${labels[first]} ${one.detector_confidence.toFixed(2)}`
      + (one.width_um !== null ? `\nacross ${Math.round(one.width_um)} µm` : "");
  };
  const choice = (className, text, title, verdict) => {
    const button = element("button", className, text);
    button.title = title;
    button.dataset.verdict = verdict;
    button.tabIndex = -1;
    return button;
  };
  const shortSlide = (name) => { // many a slide is called after its sample
    const [, sample, slide] = name.split(" / ");
    return slide.startsWith(sample) ? slide : `${sample} / ${slide}`;
  };
  const makeCard = (one) => {
    const card = element("article", "card");
    card.dataset.id = one.object_id;
    card.append(element("span", "mark"));
    const figure = element("figure", "crop");
    const image = element("img");
    image.loading = "lazy";
    image.decoding = "async";
    image.alt = "";
    figure.append(image);
    fillCrop(figure, one);
    card.append(figure, element("p", "told"), element("p", "where", shortSlide(one.slide)));
    card.title = more(one);
    const choices = element("div", "choices");
    choices.append(choice("accept", "✓", `accept: ${labels[one.taken]} (A)`, one.taken));
    if (one.taken !== NOISE) choices.append(choice("reject", "✗", "reject: no ichthyolith (R)", NOISE));
    classes.filter((name) => name !== one.taken && name !== NOISE).forEach((name) =>
      choices.append(choice("", labels[name][0].toUpperCase(), `${labels[name]} (${labels[name][0].toUpperCase()})`, name)));
    choices.append(choice("", "?", "cannot tell (U)", UNSURE));
    card.append(choices);
    return card;
  };
  const cardOf = (one) => get("cards").querySelector(`[data-id="${CSS.escape(one.object_id)}"]`);
  const refreshCard = (one) => {
    const card = cardOf(one);
    if (!card) return;
    const said = outcome(one);
    card.dataset.verdict = said;
    const mark = said === "other" ? `→ ${labels[verdictOf(one)]}` : MARKS[said] ?? "";
    card.querySelector(".mark").textContent = said && !isOwn(one) ? `${mark} ${sayer(one) || "earlier"}` : mark;
    card.querySelector(".told").replaceChildren(told(one));
    card.querySelectorAll(".choices button").forEach((button) =>
      button.classList.toggle("chosen", button.dataset.verdict === verdictOf(one)));
    if (get("large").open && onPage()[here] === one) enlarge();
  };
  const refreshHead = () => {
    let done = 0;
    const counts = Object.fromEntries(classes.map((name) => [name, 0]));
    objects.forEach((one) => {
      const said = verdictOf(one);
      if (said !== OPEN && said !== UNSURE) done += 1;
      counts[classNow(one)] += 1;
    });
    get("bar").max = Math.max(objects.length, 1);
    get("bar").value = done;
    const share = objects.length ? (100 * done) / objects.length : 0;
    get("progress").textContent = `${number(done)} of ${number(objects.length)} reviewed (${share.toFixed(1)} %)`;
    get("counts").replaceChildren(...classes.flatMap((name) => [element("span", `name ${name}`, `${labels[name]} `), element("b", "", number(counts[name]))]));
    get("undo").disabled = !history.length;
  };
  const drawPage = (at) => {
    const page = onPage();
    get("cards").replaceChildren(...page.map(makeCard));
    if (!page.length) get("cards").append(element("p", "", objects.length ? "Nothing fits what is asked for above." : "No objects were found."));
    page.forEach(refreshCard);
    const pages = Math.max(Math.ceil(shown.length / perPage()), 1);
    get("page").textContent = `page ${number(first / perPage() + 1)} of ${number(pages)}`;
    get("shown").textContent = `${number(shown.length)} shown`;
    get("previous").disabled = first === 0;
    get("next").disabled = first + perPage() >= shown.length && get("show").value !== "open";
    get("accept-rest").disabled = !page.length;
    refreshHead();
    focusOn(Math.max(Math.min(at, page.length - 1), 0));
  };
  const focusOn = (at) => {
    const cards = get("cards").querySelectorAll(".card");
    if (!cards.length) return;
    here = Math.max(0, Math.min(at, cards.length - 1));
    get("cards").querySelector(".here")?.classList.remove("here");
    cards[here].classList.add("here");
    cards[here].scrollIntoView({ block: "nearest" });
    if (get("large").open) enlarge();
  };
  const enlarge = () => {
    const one = onPage()[here];
    if (!one) return;
    const dialog = get("large");
    fillCrop(dialog.querySelector(".crop"), one);
    const line = told(one);
    line.append(` · ${one.slide}`);
    const said = outcome(one);
    if (said) line.prepend(`${said === "other" ? "→" : MARKS[said]} `);
    if (said === "reject" || said === "other") line.append(` · was taken for ${labels[one.taken]}`);
    dialog.querySelector(".told").replaceChildren(line);
    if (!dialog.open) dialog.showModal();
  };

  // --- keys and mouse ---------------------------------------------------------------------
  const across = () => {
    const cards = [...get("cards").querySelectorAll(".card")];
    const below = cards.findIndex((card) => card.offsetTop > cards[0].offsetTop);
    return below < 0 ? Math.max(cards.length, 1) : below;
  };
  const judge = (verdict) => {
    const one = onPage()[here];
    if (!one) return;
    decide([[one, verdict ?? one.taken, true]]);
    if (here + 1 < onPage().length) focusOn(here + 1);
  };
  const acceptRest = () => {
    const rest = onPage().filter((one) => verdictOf(one) === OPEN);
    decide(rest.map((one) => [one, one.taken, true]));
    tell(`Accepted ${number(rest.length)}. Z takes it back.`, true);
  };
  const toggleLarge = () => { if (get("large").open) get("large").close(); else enlarge(); };
  const ACTIONS = {
    a: () => judge(null),
    enter: () => judge(null),
    z: undo,
    h: () => get("help").showModal(),
    "?": () => get("help").showModal(),
    b: () => document.body.classList.toggle("plain"),
    " ": toggleLarge,
    arrowright: () => focusOn(here + 1),
    arrowleft: () => focusOn(here - 1),
    arrowdown: () => focusOn(here + (get("large").open ? 1 : across())),
    arrowup: () => focusOn(here - (get("large").open ? 1 : across())),
    pagedown: () => turn(1),
    pageup: () => turn(-1),
  };
  const actionOf = (event) => {
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) return { s: save, z: undo }[key];
    if (event.altKey) return undefined;
    if (event.shiftKey && key === "a") return acceptRest;
    return KEYS[key] ? () => judge(KEYS[key]) : ACTIONS[key];
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, select");
    if (get("help").open || (typing && !(event.ctrlKey || event.metaKey))) return;
    if (event.target.closest?.("button") && [" ", "Enter"].includes(event.key)) return;
    const action = actionOf(event);
    if (!action || (typing && action === undo)) return;
    event.preventDefault();
    action();
  });
  get("cards").addEventListener("click", (event) => {
    const card = event.target.closest(".card");
    if (!card) return;
    const one = byId.get(card.dataset.id);
    focusOn(onPage().indexOf(one));
    const button = event.target.closest("button");
    if (button) {
      const again = isOwn(one) && verdictOf(one) === button.dataset.verdict; // a second click takes it back
      decide([[one, again ? OPEN : button.dataset.verdict, true]]);
      button.blur();
    } else if (event.target.closest(".crop")) {
      enlarge();
    }
  });
  get("large").addEventListener("click", () => get("large").close());
  const CLICKS = {
    save, undo, load: () => get("file").click(), clear: startAnew,
    previous: () => turn(-1), next: () => turn(1), "accept-rest": acceptRest,
    "help-open": () => get("help").showModal(), "help-close": () => get("help").close(),
  };
  Object.entries(CLICKS).forEach(([id, action]) => get(id).addEventListener("click", (event) => { event.currentTarget.blur(); action(); }));
  get("file").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (file) await load(file);
    event.target.value = "";
  });
  ["show", "class", "order", "per-page"].forEach((id) => get(id).addEventListener("change", (event) => { event.target.blur(); select(); }));
  get("find").addEventListener("input", select);
  get("reviewer").addEventListener("input", keepSoon);
  window.addEventListener("pagehide", keep);
  window.addEventListener("beforeunload", (event) => { if (unsaved && touched) event.preventDefault(); });

  // --- start ------------------------------------------------------------------------------
  get("title").textContent = study.title;
  get("class").append(new Option("all", ""), ...classes.map((name) => new Option(labels[name], name)));
  restore();
  select();
  if (study.left_out) tell(`${number(study.left_out)} more objects, of which the networks were surer, are not on this page.`, true);
})();
