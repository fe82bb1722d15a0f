// The list of problems: search, filters, order, pages, and links to all of them. Everything else is
// there without a script. The state lives in the address alone; foreign text enters as text alone.

// Until the list is drawn, a screen lays out the first page of its rows, and nothing below it: the rest
// would take half of the time until it is. A file that is cut off never gets that far: it waits for 5 s.
document.documentElement.dataset.waits = "";
setTimeout(() => delete document.documentElement.dataset.waits, 5000);

addEventListener("DOMContentLoaded", () => {
  "use strict";

  const ON_A_PAGE = 100;
  const AT_A_TIME = 5000;
  const COLUMN_OF = { v: "verdict", o: "owner", c: "change", org: "org", space: "space", offering: "offering" };
  const SEARCHED = ["name", "guid", "owner", "org", "space", "offering", "plan", "reason", "request_id"];
  const OLD = 172800; // seconds: from then on a page says first of all how old it is
  const NOBODY = "-"; // in the address: those without an owner, without an org and so on
  const UUID = /\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/; // Cloud Foundry's GUIDs have this form

  const [table, form, pages, shown, beyond] = ["problems", "filter", "pages", "shown", "beyond"].map((id) =>
    document.getElementById(id),
  );
  const headers = [...document.querySelectorAll("th[data-s]")];
  const state = () => {
    const parts = [...new URLSearchParams(location.hash.slice(1))];
    return new URLSearchParams(parts.filter(([name]) => name in COLUMN_OF || "ipqs".includes(name)));
  };
  const number = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ","); // Intl takes 16 ms to load
  const make = (name, text) => Object.assign(document.createElement(name), { textContent: text });
  const isMissing = (value) => value === null || value === undefined || value === "";

  // As all of the report says durations: days with hours, hours with minutes, minutes with seconds.
  const duration = (seconds) => {
    const units = { d: 86400, h: 3600, min: 60, s: 1 };
    const [large, small] = seconds >= 172800 ? ["d", "h"] : seconds >= 3600 ? ["h", "min"] : ["min", "s"];
    const [many, few] = [Math.floor(seconds / units[large]), Math.floor((seconds % units[large]) / units[small])];
    return [many && `${many} ${large}`, few && `${few} ${small}`].filter(Boolean).join(" ") || "0 s";
  };

  const day = (text) => {
    const [, date, month, year] = new Date(text).toUTCString().split(" ");
    return `${Number(date)} ${month} ${year}`;
  };

  // How old the page is when it is read: an old one must not pass for today's.
  const sayAges = () => {
    const [of] = document.querySelectorAll("header time");
    const old = document.getElementById("old");
    const age = (Date.now() - Date.parse(of.dateTime)) / 1000;
    old.hidden = age <= OLD;
    const days = number(Math.floor(age / 86400));
    old.textContent = `This page is ${days} days old: it says what was so on ${day(of.dateTime)}.`;
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const seconds = Math.floor((Date.now() - Date.parse(time.dateTime)) / 1000);
      if (time.nextElementSibling?.className !== "ago") time.after(Object.assign(make("span"), { className: "ago" }));
      time.nextElementSibling.textContent = seconds < 0 ? "" : ` (${duration(seconds).split(" ", 2).join(" ")} ago)`;
    }
  };

  const copy = async (button) => {
    const source = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source); // a sandbox refuses: then a person copies
      button.textContent = "Selected";
    }
  };

  const comeTo = (place) => {
    place.tabIndex = -1;
    const isList = place === shown && !form.hidden; // then its filters are seen too
    (isList ? form : place).scrollIntoView({ block: isList ? "start" : "center" });
    place.focus({ preventScroll: true });
  };

  // The address of the state with other parts. Other rows have other pages: it begins at the first.
  const addressWith = (parts) => {
    const next = state();
    for (const [name, value] of Object.entries({ i: "", p: "", ...parts })) {
      if (value) next.set(name, value);
      else next.delete(name);
    }
    return `#${next}`;
  };

  // The GUID in an address, as texts have them around it: in capitals, between blanks, before a full stop.
  const guidIn = (text) => {
    const lower = text.toLowerCase();
    return lower.match(UUID)?.[0] ?? lower.trim().replace(/\.$/, "");
  };

  const unpacked = async (base64) => {
    const letters = atob(base64);
    const bytes = new Uint8Array(letters.length); // filled by a loop: `from` takes 20 times as long
    for (let place = 0; place < letters.length; place += 1) bytes[place] = letters.charCodeAt(place);
    const stream = new Response(bytes).body.pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).json();
  };

  const listOf = ({ columns, rows, steps }) => {
    const at = Object.fromEntries(columns.map((name, place) => [name, place]));
    const [verdicts, changes] = ["v", "c"].map(
      (name) => new Map([...form.elements[name].options].map((option) => [option.value, option.text])),
    );
    const worst = [...verdicts.keys()];
    const orders = new Map([["", [...rows.keys()]]]);
    const template = document.getElementById("row").content.firstElementChild;
    const texts = new Array(rows.length);
    const button = template.querySelector("[data-copy]");
    button.hidden = !navigator.clipboard;
    let isServed = true; // the table has the rows that came with the page

    // A known problem that nobody can see now, in the words of the row.
    const hiddenOf = (row) => {
      const [verdict, since] = row[at.hidden] ?? [];
      return verdict ? { hidden_word: verdicts.get(verdict).toLowerCase(), hidden_day: day(since) } : {};
    };

    const verdictOf = (row) => {
      const { hidden_word: word, hidden_day: since } = hiddenOf(row);
      return `${verdicts.get(row[at.verdict])}${word ? `, was ${word} since ${since}` : ""}`;
    };

    const textOf = (number) =>
      (texts[number] ??= [verdictOf(rows[number]), ...SEARCHED.map((name) => rows[number][at[name]] ?? "")]
        .join("\n")
        .toLowerCase());

    // What a search looks through is made while nobody waits: of 100,000 rows it takes longer than a search.
    const prepare = (first) => {
      const end = Math.min(first + AT_A_TIME, rows.length);
      for (let number = first; number < end; number += 1) textOf(number);
      if (end < rows.length) setTimeout(prepare, 0, end);
    };

    const placeOf = (row) => {
      const [org, space] = [row[at.org], row[at.space]];
      return org || space ? `${org || "?"} / ${space || "?"}` : null;
    };

    const keyOf = (row, name) => {
      if (name === "verdict") return worst.indexOf(row[at.verdict]);
      const value = name === "place" ? placeOf(row) : row[at[name]];
      return typeof value === "string" ? value.toLowerCase() : (value ?? null);
    };

    // The numbers of all rows in an order, such as "-age": what is not known comes last either way.
    const ordered = (by) => {
      const name = by.replace(/^-/, "");
      if (!orders.has(by) && headers.some((header) => header.dataset.s === name)) {
        const keys = rows.map((row) => keyOf(row, name));
        const isUp = by === name;
        const compared = (one, other) => {
          const [a, b] = [keys[one], keys[other]];
          if (a === b) return one - other;
          if (a === null || b === null) return a === null ? 1 : -1;
          return a < b === isUp ? -1 : 1;
        };
        orders.set(by, [...rows.keys()].sort(compared));
      }
      return orders.get(by) ?? orders.get("");
    };

    // The numbers of the rows that a state asks for.
    const found = (wanted) => {
      const asked = Object.keys(COLUMN_OF).filter((key) => wanted.get(key));
      const tests = asked.map((key) => {
        const [place, value] = [at[COLUMN_OF[key]], wanted.get(key)];
        const isHidden = (number) => key === "v" && rows[number][at.hidden]?.[0] === value;
        return (number) => (rows[number][place] || NOBODY) === value || isHidden(number);
      });
      const words = (wanted.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
      if (words.length) {
        tests.push((number) => words.every((word) => textOf(number).includes(word)));
      }
      const order = ordered(wanted.get("s") ?? "");
      return tests.length ? order.filter((number) => tests.every((test) => test(number))) : order;
    };

    const saidOf = (row) => {
      const said = Object.fromEntries(columns.map((name, place) => [name, row[place]]));
      [said.muted_owner, said.muted_reason, said.muted_until] = said.muted ?? [];
      [said.hidden_verdict, said.hidden_since] = said.hidden ?? [];
      Object.assign(said, hiddenOf(row));
      said.verdict = verdicts.get(said.verdict);
      said.change = changes.get(said.change);
      said.hidden_verdict = verdicts.get(said.hidden_verdict);
      said.place = placeOf(row);
      said.service = [said.offering, said.plan].filter(Boolean).join(" ");
      said.command ||= null;
      said.step = steps[said.step]?.length ? steps[said.step] : null;
      for (const name of ["age", "max_age", "usual"]) said[name] = isMissing(said[name]) ? null : duration(said[name]);
      said.age ??= row[at.count] === 0 ? "none" : "not known"; // none only where a list shows none
      for (const name of ["count", "min_backups"]) said[name] = isMissing(said[name]) ? null : number(said[name]);
      return said;
    };

    const fill = (element, said) => {
      const value = said[element.dataset.f];
      if (element.dataset.f === "step") element.replaceChildren(...(value ?? []).map((step) => make("li", step)));
      else if (element.dataset.f === "command") element.textContent = element.textContent.replace("GUID", said.guid);
      else if (element.localName === "time" && value) {
        element.dateTime = value;
        element.textContent = `${value.slice(0, 16).replace("T", " ")} UTC`;
      } else element.textContent = isMissing(value) ? (element.dataset.none ?? "") : value;
    };

    const drawn = (row) => {
      const [said, element] = [saidOf(row), template.cloneNode(true)];
      element.id = `i=${said.guid}`;
      element.dataset.v = row[at.verdict];
      if (row[at.change]) element.dataset.c = row[at.change];
      if (said.muted) element.dataset.m = "";
      for (const one of element.querySelectorAll("[data-if]")) if (isMissing(said[one.dataset.if])) one.remove();
      for (const one of element.querySelectorAll("[data-f]")) fill(one, said);
      return element;
    };

    // The rows that came with the page are as they would be drawn, but for their buttons.
    const keep = () => {
      for (const row of [...table.tBodies[0].rows].slice(ON_A_PAGE)) row.remove();
      for (const command of table.querySelectorAll("p > code")) command.after(" ", button.cloneNode(true));
    };

    const drawPages = (page, last) => {
      const link = (text, to) => Object.assign(make("a", text), { href: addressWith({ p: to > 1 && to }) });
      const parts = [make("span", `Page ${number(page)} of ${number(last)}`)];
      if (page > 1) parts.unshift(link("Previous page", page - 1));
      if (page < last) parts.push(link("Next page", page + 1));
      pages.replaceChildren(...parts);
      pages.hidden = last === 1;
    };

    // Why a view may be empty that somebody sent: what is not here is healthy, or nobody's.
    const whyNone = (wanted) => {
      const owners = [...form.elements.o.options].map((option) => option.value);
      const isNobody = wanted.get("o") && !owners.includes(wanted.get("o"));
      const nobody = isNobody ? "; nobody of that name owns an instance in it" : "";
      return `: no instance of this list fits. The list has only what is not healthy${nobody}.`;
    };

    // What a view has beside the problems that messages count, as far as its link counted those alone.
    const besides = (wanted, order) => {
      const verdict = wanted.get("v") ?? "";
      const isOfAnother = !["", "unknown"].includes(verdict);
      const isOfSome = ["o", "org", "space", "offering"].some((name) => wanted.get(name));
      const counts = { "unknown now": 0, muted: 0, "in grace": 0, "being deleted": 0 };
      for (const row of isOfAnother || isOfSome ? order.map((number) => rows[number]) : []) {
        if (isOfAnother && row[at.hidden]) counts["unknown now"] += 1;
        else if (isOfSome && row[at.muted]) counts.muted += 1;
        else if (isOfSome && row[at.verdict] === "in_grace") counts["in grace"] += verdict !== "in_grace";
        else if (isOfSome && row[at.deleting]) counts["being deleted"] += 1;
      }
      const parts = Object.entries(counts).filter(([, count]) => count);
      return parts.map(([what, count], place) => `, ${number(count)}${place ? "" : " of them"} ${what}`).join("");
    };

    const say = (wanted, order, first, last) => {
      const count = order.length;
      for (const name of ["q", "v", "o", "c"]) form.elements[name].value = wanted.get(name) ?? "";
      for (const header of headers) {
        const way = { [header.dataset.s]: "ascending", [`-${header.dataset.s}`]: "descending" };
        header.ariaSort = way[wanted.get("s")] ?? null;
      }
      const only = ["org", "space", "offering"].map((name) => wanted.get(name)).filter(Boolean).join(" / ");
      const part = last > 1 ? `, ${number(first + 1)} to ${number(Math.min(first + ON_A_PAGE, count))} here` : "";
      const after = `${only && `, of ${only}`}${besides(wanted, order)}${part}${count ? "" : whyNone(wanted)}`;
      shown.textContent = `${number(count)} of ${number(rows.length)} shown${after}`;
    };

    // The number of the row of an instance: of the text as it is, or of the GUID in it; -1 if there is none.
    const placeOfGuid = (text) => {
      const asItIs = rows.findIndex((row) => row[at.guid] === text);
      if (asItIs >= 0) return asItIs;
      const guid = guidIn(text);
      return rows.findIndex((row) => row[at.guid].toLowerCase() === guid);
    };

    // Draw what the address asks for; `comes`: whoever reads has followed a link to it.
    const draw = (comes) => {
      const asks = state().get("i");
      const wanted = asks ? new URLSearchParams() : state();
      const order = found(wanted);
      const place = asks ? placeOfGuid(asks) : -1;
      const last = Math.max(1, Math.ceil(order.length / ON_A_PAGE));
      const asked = asks ? Math.floor(place / ON_A_PAGE) + 1 : Math.trunc(wanted.get("p"));
      const page = Math.min(Math.max(asked, 1) || 1, last);
      const first = (page - 1) * ON_A_PAGE;
      const here = order.slice(first, first + ON_A_PAGE);
      if (isServed && first === 0 && order === orders.get("")) keep();
      else table.tBodies[0].replaceChildren(...here.map((number) => drawn(rows[number])));
      isServed = false;
      drawPages(page, last);
      say(wanted, order, first, last);
      if (asks && place < 0) sayUnknown(asks);
      else if (asks) unfold(document.getElementById(`i=${rows[place][at.guid]}`));
      else if (comes) comeTo(shown);
    };

    const unfold = (row) => {
      for (const details of row.querySelectorAll("details")) details.open = true;
      comeTo(row);
    };

    const offer = () => {
      const owners = new Set(rows.map((row) => row[at.owner] || NOBODY));
      for (const { value } of form.elements.o.options) owners.delete(value);
      const names = [...owners].sort();
      form.elements.o.append(...names.map((name) => new Option(name === NOBODY ? "nobody named" : name, name)));
      for (const header of headers) {
        header.append(Object.assign(make("button", header.textContent), { type: "button" })); // the plain text is printed
      }
      form.hidden = false;
      beyond?.remove(); // what a list without a script lacks
    };
    offer();
    setTimeout(prepare, 0, 0);
    return draw;
  };

  const sayUnknown = (text) => {
    const guid = guidIn(text);
    const isOne = UUID.test(guid);
    const healthy = "is not in this list: it is healthy, or this run did not audit it";
    shown.textContent = isOne ? `${guid} ${healthy}.` : `“${text}” ${healthy}, or it is no GUID.`;
    comeTo(shown);
  };

  const listen = (draw) => {
    const go = (parts, how = "pushState") => {
      history[how](null, "", addressWith(parts));
      draw(false);
    };
    let comes = false;
    addEventListener("click", ({ target }) => {
      comes = target.closest("a") !== null;
      const by = target.closest("th[data-s] button")?.parentNode.dataset.s;
      if (by) go({ s: { [by]: `-${by}`, [`-${by}`]: "" }[state().get("s")] ?? by });
    });
    addEventListener("hashchange", () => {
      draw(comes && state().size > 0);
      comes = false;
    });
    form.addEventListener("input", ({ target }) => {
      const goesOn = target.name === "q" && state().has("q"); // a search is one step back, however long
      go({ [target.name]: target.value }, goesOn ? "replaceState" : "pushState");
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      history.pushState(null, "", "#");
      draw(false);
    });
  };

  const isWhole = document.querySelector("footer") !== null; // the end of the file

  const sayCut = () => {
    const said = "This file is cut off: what stood below its last line is missing, evidence included.";
    document.querySelector("header")?.append(Object.assign(make("p", said), { className: "banner grave" }));
  };

  let list = null; // once it is read

  const start = async () => {
    if (!isWhole) sayCut();
    sayAges();
    addEventListener("visibilitychange", sayAges);
    addEventListener("click", ({ target }) => target.closest("[data-copy]") && copy(target.closest("[data-copy]")));
    if (table.hidden) {
      if (state().has("i")) sayUnknown(state().get("i"));
      return;
    }
    const [plain, packed] = ["data", "packed"].map((id) => document.getElementById(id)?.textContent);
    list = plain ? JSON.parse(plain) : await unpacked(packed);
    const draw = listOf(list);
    listen(draw);
    draw(state().size > 0);
  };

  // Why there is only what came with the page: the browser lacks something, or a part of the file is not here.
  const whyNot = (error) => {
    if (list || (isWhole && !globalThis.DecompressionStream)) {
      return `This browser cannot search and filter the list: ${error.message}`;
    }
    if (!table) return "This file is damaged or cut off.";
    const [here, all] = [table.tBodies[0]?.rows.length ?? 0, Number(table.dataset.rows)];
    const rest = here < all ? "the rest is in findings.csv" : "they cannot be searched and filtered";
    return `This file is damaged or cut off: ${number(here)} of ${number(all)} instances are here; ${rest}.`;
  };

  const endWait = () => delete document.documentElement.dataset.waits;

  const endWaitOncePainted = () => requestAnimationFrame(() => setTimeout(endWait));

  start().then(endWaitOncePainted, (error) => {
    endWait();
    (shown ?? document.body.appendChild(make("p"))).textContent = whyNot(error);
    document.querySelector(":target")?.scrollIntoView(); // a row that waited: the browser came to nothing
    throw error;
  });
});
