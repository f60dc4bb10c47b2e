/* The viewer of one restored photograph.

   showResult(element, entry) fills `element`; called again it starts anew. `entry` is plain JSON:

     title          text
     before, after  urls of the photo as it came and as it was restored; null if there is none
     width, height  of the restoration in pixels; a picture of another size is stretched to it
     samples        [url]
     uncertainty    {url, largest} or null: a picture in the colours of the scale, which ends at
                    `largest` levels of 255 (null if that is not known)
     residual       {url, largest} or null: from -largest (blue) through 0 (white) to largest (red)
     trajectory     [url], from noise to the image
     metrics        [[name, value]]
     settings       [[name, value]]
     replay         text or null: the command that makes the same again

   and may also have

     details        [{label, before, after}]: pieces of the photo at its true pixels
     problem        text: what is wrong with the files
     note           text: what has to be said about the pictures, such as that they are reduced

   All words of an entry become text, never markup. Colours and layout are in viewer.css. */

(() => {
  "use strict";

  const LARGEST_ZOOM = 16; // CSS pixels for a pixel of the photo
  const LARGEST_FIT = 6; // the same, for a photo that is smaller than the page
  const PIXELS = 8; // from here on a pixel is a square
  const STEP = 1.5; // of the zoom buttons
  const BEAT = 900; // milliseconds for a page of the flip-book
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const fingers = matchMedia("(pointer: coarse)");
  let count = 0; // viewers on this page, so that ids differ

  globalThis.showResult = function showResult(element, entry) {
    const root = make("div", { class: "viewer" });
    if (entry.problem) root.append(make("p", { class: "problem", role: "note" }, entry.problem));
    if (entry.after) root.append(...pictures(entry));
    root.append(...facts(entry));
    element.replaceChildren(root);
  };

  /* ---- The pictures: a stage, tabs for what is on it, and the controls of each ---- */

  function pictures(entry) {
    const stage = makeStage(entry);
    const modes = [compare(entry, stage)];
    if (entry.samples?.length) modes.push(samples(entry, stage));
    if (entry.uncertainty) modes.push(uncertainty(entry, stage));
    if (entry.residual) modes.push(residual(entry, stage));
    if (entry.trajectory?.length) modes.push(trajectory(entry, stage));

    const id = `viewer-${++count}`;
    const panel = make("div", { class: "panel", id: `${id}-panel` });
    const tabs = modes.map((mode, i) => {
      const tab = button(mode.name, { role: "tab", id: `${id}-tab-${i}`, "aria-controls": panel.id });
      tab.addEventListener("click", () => open(mode));
      return tab;
    });
    const list = make("div", { class: "tabs", role: "tablist", "aria-label": "What to look at" }, ...tabs);
    list.addEventListener("keydown", (event) => {
      const step = ARROWS[event.key]?.[0];
      if (!step) return;
      event.preventDefault();
      const next = tabs[(modes.indexOf(current) + step + tabs.length) % tabs.length];
      next.focus();
      next.click();
    });
    if (modes.length > 1) panel.setAttribute("role", "tabpanel");

    let current = null;
    function open(mode) {
      if (mode === current) return;
      current?.leave?.();
      current = mode;
      tabs.forEach((tab, i) => {
        const chosen = modes[i] === mode;
        tab.setAttribute("aria-selected", chosen);
        tab.tabIndex = chosen ? 0 : -1;
        if (chosen) panel.setAttribute("aria-labelledby", tab.id);
      });
      panel.dataset.mode = mode.key;
      const [first, ...rest] = mode.controls;
      panel.replaceChildren(stage.node, make("div", { class: "tools" }, stage.buttons, first), ...rest);
      stage.show(mode);
      mode.enter?.();
    }
    open(modes[0]);

    return modes.length > 1 ? [list, panel] : [panel];
  }

  function compare(entry, stage) {
    const after = picture(entry.after, `${entry.title}, restored`);
    if (!entry.before) {
      return { key: "after", name: "Restored", layers: [after], controls: [said("The restored photo.")] };
    }
    const before = picture(entry.before, `${entry.title}, before`);
    return {
      key: "compare",
      name: "Compare",
      layers: [after],
      clipped: [before],
      caption: ["Before", "After"],
      controls: [said(`Drag the line. To zoom, ${fingers.matches ? "pinch" : "click the photo and turn the wheel"}.`)],
      press: (step) => stage.split(step / 50),
    };
  }

  function samples(entry, stage) {
    const names = entry.samples.map((_, i) => `Sample ${i + 1} of ${entry.samples.length}`);
    const words =
      "Each sample is as likely as the others. What stays the same in all of them is settled; what changes is a guess.";
    return flipBook(entry, stage, { key: "samples", name: "Samples", urls: entry.samples, names, words, loop: true });
  }

  function trajectory(entry, stage) {
    const names = entry.trajectory.map((_, i) => `Estimate ${i + 1} of ${entry.trajectory.length}`);
    const words = "What the photo was thought to be on the way, from noise to the result.";
    return flipBook(entry, stage, { key: "trajectory", name: "Steps", urls: entry.trajectory, names, words });
  }

  /* Pictures one after the other: thumbnails, back, play and on. Without `loop` it stops at the last. */
  function flipBook(entry, stage, { key, name, urls, names, words, loop = false }) {
    const layers = urls.map((url, i) => picture(url, `${entry.title}, ${names[i].toLowerCase()}`));
    const thumbs = urls.map((url, i) => {
      const thumb = make("button", { type: "button", class: "thumb", "aria-label": names[i] }, picture(url, ""));
      thumb.addEventListener("click", () => (play(false), turn(i)));
      return thumb;
    });
    const strip = make("div", { class: "strip" }, ...thumbs);
    const where = make("span", { class: "unseen", role: "status" });
    const toggle = button("Play", { class: "play" });
    const back = button("‹", { "aria-label": "Previous" });
    const on = button("›", { "aria-label": "Next" });
    let page = loop ? 0 : urls.length - 1;
    let timer = 0;

    function turn(to) {
      page = (to + urls.length) % urls.length;
      layers.forEach((layer, i) => layer.classList.toggle("away", i !== page));
      thumbs.forEach((thumb, i) => thumb.setAttribute("aria-current", i === page));
      const thumb = thumbs[page]; // scrolled into view sideways only: the page stays where it is
      strip.scrollLeft = thumb.offsetLeft - (strip.clientWidth - thumb.offsetWidth) / 2;
      stage.caption([names[page]]);
      if (!timer) where.textContent = names[page]; // said to a screen reader, but not while it plays
    }
    function play(wanted) {
      clearInterval(timer);
      timer = wanted ? setInterval(beat, loop ? BEAT : BEAT / 2) : 0;
      toggle.textContent = wanted ? "Pause" : "Play";
      if (!wanted) where.textContent = names[page];
    }
    function beat() {
      if (!stage.node.isConnected) return play(false);
      if (document.hidden) return;
      turn(page + 1);
      if (!loop && page === urls.length - 1) play(false);
    }
    toggle.addEventListener("click", () => {
      const wanted = !timer;
      if (wanted && !loop && page === urls.length - 1) turn(0);
      play(wanted);
    });
    back.addEventListener("click", () => (play(false), turn(page - 1)));
    on.addEventListener("click", () => (play(false), turn(page + 1)));
    return {
      key,
      name,
      layers,
      controls: [make("div", { class: "flip" }, back, toggle, on, where), strip, said(words)],
      press: (step) => (play(false), turn(page + step)),
      space: () => toggle.click(),
      enter() {
        turn(page);
        if (loop && urls.length > 1 && !calm.matches) play(true);
      },
      leave: () => play(false),
    };
  }

  function uncertainty(entry, stage) {
    const { url, largest } = entry.uncertainty;
    const grey = picture(entry.after, `${entry.title}, restored, in grey`);
    const map = picture(url, `${entry.title}, how uncertain each pixel is`);
    grey.classList.add("grey");
    const id = `viewer-opacity-${++count}`;
    const opacity = make("input", { type: "range", id, min: 0, max: 100, value: 60 });
    const set = () => {
      map.style.opacity = opacity.value / 100;
      opacity.setAttribute("aria-valuetext", `${opacity.value} percent`);
    };
    opacity.addEventListener("input", set);
    set();
    const dial = make("div", { class: "dial" }, make("label", { for: id }, "Colours over the photo"), opacity);
    return {
      key: "uncertainty",
      name: "Uncertainty",
      layers: [grey, map],
      caption: ["Uncertainty"],
      controls: [
        dial,
        scale("magma", ["0", ...ends(largest)], "Standard deviation of the samples, in levels of 255"),
        said("Where it is bright the samples differ: do not trust what you see there. Where it is dark they agree."),
      ],
      press: (step) => {
        opacity.value = Number(opacity.value) + 5 * step;
        set();
      },
    };
  }

  function residual(entry) {
    const [middle, end] = ends(entry.residual.largest);
    const ticks = middle ? [`−${end}`, `−${middle}`, "0", middle, end] : ["too bright", "0", "too dark"];
    return {
      key: "residual",
      name: "Residual",
      layers: [picture(entry.residual.url, `${entry.title}, residual`)],
      caption: ["Residual"],
      controls: [
        scale("balance", ticks, "The photo minus the restoration spoiled again, in levels of 255"),
        said("If all is well this is even noise. Outlines of things in it say that the degradation is another one."),
      ],
    };
  }

  /* The middle and the end of a scale, as text; no middle where the end is not known. */
  function ends(largest) {
    if (typeof largest !== "number") return ["", "largest"];
    return [largest / 2, largest].map((level) => String(Number(level.toPrecision(2))));
  }

  function scale(colours, ticks, words) {
    const ramp = make("div", { class: `ramp ${colours}` });
    const line = make("div", { class: "ticks" }, ...ticks.map((tick) => make("span", {}, tick)));
    return make("figure", { class: "scale" }, ramp, line, make("figcaption", {}, words));
  }

  /* ---- The stage: zoom, pan and the dividing line ---- */

  function makeStage(entry) {
    const { width, height } = entry;
    const whole = make("div", { class: "layers" });
    const left = make("div", { class: "layers clipped" });
    const grip = make("span", { class: "grip" });
    const line = make("div", { class: "divider", role: "slider", tabindex: 0, "aria-label": "Dividing line" }, grip);
    const tags = [make("span", { class: "tag" }), make("span", { class: "tag right" })];
    const node = make("div", { class: "stage", role: "group" }, whole, left, ...tags, line);
    line.setAttribute("aria-valuemin", 0);
    line.setAttribute("aria-valuemax", 100);

    let mode = null;
    let share = 0.5; // of the visible picture that is on the left of the line
    let zoom = 1; // times the size at which the whole photo fits
    let centre = [0.5, 0.5]; // of the view, as a share of the photo
    let shown = { x: 0, y: 0, width: 1, height: 1 }; // the photo's place on the stage
    node.style.setProperty("--ratio", width / height);
    node.style.setProperty("--tall", `${LARGEST_FIT * height}px`);

    const level = make("span", { class: "level", role: "status" });
    const buttons = make(
      "div",
      { class: "zoom", role: "group", "aria-label": "Zoom" },
      pressed("−", "Zoom out", () => zoomBy(1 / STEP)),
      level,
      pressed("+", "Zoom in", () => zoomBy(STEP)),
      pressed("1:1", "True pixels", () => zoomTo(1 / fit())),
      pressed("Fit", "Whole photo", () => zoomTo(1)),
    );

    const fit = () => Math.min(node.clientWidth / width, node.clientHeight / height, LARGEST_FIT) || 1;

    function draw() {
      const [across, down] = [node.clientWidth, node.clientHeight];
      const size = fit() * zoom; // CSS pixels for a pixel of the photo
      shown = { width: width * size, height: height * size };
      [shown.x, centre[0]] = place(across, shown.width, centre[0]);
      [shown.y, centre[1]] = place(down, shown.height, centre[1]);
      for (const name of ["x", "y", "width", "height"]) node.style.setProperty(`--${name}`, `${shown[name]}px`);
      const finest = Math.max(...[...node.querySelectorAll("img")].map((image) => image.naturalWidth));
      node.classList.toggle("pixels", finest > 0 && shown.width >= PIXELS * finest);
      const [from, to] = [Math.max(0, shown.x), Math.min(across, shown.x + shown.width)];
      const middle = from + share * (to - from);
      node.style.setProperty("--split", `${middle}px`);
      tags[0].classList.toggle("away", Boolean(mode?.clipped) && middle < 90); // the line would cross it
      tags[1].classList.toggle("away", middle > across - 90);
      node.classList.toggle("zoomed", zoom > 1.001);
      line.setAttribute("aria-valuenow", Math.round(100 * share));
      line.setAttribute("aria-valuetext", `${Math.round(100 * share)} percent before`);
      const percent = `${Math.round(100 * size)} %`;
      if (level.textContent !== percent) level.textContent = percent; // a screen reader says it each time
    }

    function split(change) {
      share = Math.min(1, Math.max(0, share + change));
      draw();
    }

    function splitAt(x) {
      const [from, to] = [Math.max(0, shown.x), Math.min(node.clientWidth, shown.x + shown.width)];
      share = 0;
      split((x - from) / (to - from));
    }

    /* Zoom so that what is under a point of the stage (its middle by default) stays there. */
    function zoomTo(wanted, x = node.clientWidth / 2, y = node.clientHeight / 2) {
      const [least, most] = [Math.min(1, 1 / fit()), Math.max(1, LARGEST_ZOOM / fit())];
      const factor = Math.min(most, Math.max(least, wanted)) / zoom;
      zoom *= factor;
      moveTo(x - (x - shown.x) * factor, y - (y - shown.y) * factor, shown.width * factor, shown.height * factor);
    }
    const zoomBy = (factor, x, y) => zoomTo(zoom * factor, x, y);

    function moveTo(x, y, across = shown.width, down = shown.height) {
      centre = [(node.clientWidth / 2 - x) / across, (node.clientHeight / 2 - y) / down];
      draw();
    }
    const moveBy = (x, y) => moveTo(shown.x + x, shown.y + y);

    listen(node, {
      zoomed: () => zoom > 1.001,
      divided: () => Boolean(mode?.clipped),
      onLine: (target) => line.contains(target),
      splitAt,
      zoomBy,
      moveBy,
      focus: () => (mode?.clipped ? line : node).focus({ preventScroll: true }),
      turnZoom: (x, y) => (zoom > 1.001 ? zoomTo(1) : zoomTo(Math.max(2, 1 / fit()), x, y)),
    });

    node.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const [across, down] = ARROWS[event.key] ?? [0, 0];
      const keys = {
        "+": () => zoomBy(STEP),
        "=": () => zoomBy(STEP),
        "-": () => zoomBy(1 / STEP),
        0: () => zoomTo(1),
        1: () => zoomTo(1 / fit()),
        " ": mode?.space,
        Home: mode?.clipped && (() => split(-1)),
        End: mode?.clipped && (() => split(1)),
        PageUp: mode?.clipped && (() => split(0.1)),
        PageDown: mode?.clipped && (() => split(-0.1)),
      };
      let act = keys[event.key];
      if (across || down) {
        if (event.shiftKey || (down && zoom > 1.001)) act = () => moveBy(-60 * across, -60 * down);
        else if (across && mode?.press) act = () => mode.press(across);
      }
      if (!act) return;
      event.preventDefault();
      act();
    });

    new ResizeObserver(draw).observe(node);
    node.addEventListener("load", draw, true); // the size of a picture is known

    return {
      node,
      buttons,
      split,
      caption: ([first = "", second = ""]) => {
        tags[0].textContent = first;
        tags[1].textContent = second;
      },
      show(next) {
        mode = next;
        whole.replaceChildren(...mode.layers);
        left.replaceChildren(...(mode.clipped ?? []));
        line.hidden = !mode.clipped;
        node.tabIndex = mode.clipped ? -1 : 0;
        node.setAttribute("aria-label", `${entry.title}: ${mode.name}`);
        this.caption(mode.caption ?? []);
        draw();
      },
    };
  }

  /* Where a side of the photo begins on the stage, and the centre that it can have there. */
  function place(room, length, centre) {
    if (length <= room) return [(room - length) / 2, 0.5];
    const start = Math.min(0, Math.max(room - length, room / 2 - centre * length));
    return [start, (room / 2 - start) / length];
  }

  /* Mouse, pen and fingers: one moves the line (or a photo that is zoomed in), two pinch. */
  function listen(node, stage) {
    const down = new Map(); // pointers that touch the stage -> where they are
    let start = null; // where the first of them came down
    let drags = ""; // "line", "photo", or "" while it is not known or there are two

    const at = (event) => {
      const box = node.getBoundingClientRect();
      return { x: event.clientX - box.x, y: event.clientY - box.y };
    };
    const span = () => {
      const [a, b] = [...down.values()];
      return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, size: Math.hypot(a.x - b.x, a.y - b.y) || 1 };
    };

    node.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.preventDefault(); // no picture is dragged out of the page, no text is marked
      stage.focus();
      node.setPointerCapture(event.pointerId);
      down.set(event.pointerId, at(event));
      drags = "";
      const line = stage.divided() && (stage.onLine(event.target) || !stage.zoomed());
      start = down.size > 1 ? null : { ...at(event), line };
      if (start && event.pointerType !== "touch") begin(at(event));
    });

    // A finger that moves down first is about to scroll the page, and the browser will take it from us.
    const decided = (now) => Math.abs(now.x - start.x) > 5 && Math.abs(now.x - start.x) > Math.abs(now.y - start.y);

    function begin(now) {
      drags = start.line ? "line" : "photo";
      if (start.line) stage.splitAt(now.x);
    }

    node.addEventListener("pointermove", (event) => {
      const was = down.get(event.pointerId);
      if (!was) return;
      const now = at(event);
      const before = down.size === 2 && span();
      down.set(event.pointerId, now);
      if (before) {
        const after = span();
        stage.moveBy(after.x - before.x, after.y - before.y);
        stage.zoomBy(after.size / before.size, after.x, after.y);
      } else if (drags === "line") {
        stage.splitAt(now.x);
      } else if (drags === "photo") {
        stage.moveBy(now.x - was.x, now.y - was.y);
      } else if (start && (stage.zoomed() || decided(now))) {
        begin(now);
      }
    });

    const up = (event) => {
      const now = down.get(event.pointerId);
      down.delete(event.pointerId);
      if (event.type === "pointerup" && now && start && !drags && start.line) stage.splitAt(now.x); // a tap
      drags = "";
      start = null;
    };
    node.addEventListener("pointerup", up);
    node.addEventListener("pointercancel", up);

    // two fingers are ours, one may scroll the page (touch-action in viewer.css)
    const pinch = (event) => event.touches.length > 1 && event.cancelable && event.preventDefault();
    for (const name of ["touchstart", "touchmove"]) node.addEventListener(name, pinch, { passive: false });

    // The wheel scrolls the page until the photo was clicked, and again when it is all out.
    node.addEventListener(
      "wheel",
      (event) => {
        const pinches = event.ctrlKey || event.metaKey;
        if (!pinches && (!node.contains(document.activeElement) || (event.deltaY > 0 && !stage.zoomed()))) return;
        event.preventDefault();
        const pixels = event.deltaY * (event.deltaMode ? 16 : 1);
        const { x, y } = at(event);
        stage.zoomBy(Math.exp(-pixels * (pinches ? 0.01 : 0.002)), x, y);
      },
      { passive: false },
    );

    node.addEventListener("dblclick", (event) => {
      const { x, y } = at(event);
      if (!stage.onLine(event.target)) stage.turnZoom(x, y);
    });
  }

  /* ---- What is known about the photo ---- */

  function facts(entry) {
    const parts = [];
    if (entry.note) parts.push(make("p", { class: "note" }, entry.note));
    if (entry.details?.length) parts.push(details(entry));
    if (entry.metrics?.length) parts.push(list("metrics", "Figures", entry.metrics));
    if (entry.settings?.length) parts.push(list("settings", "How it was made", entry.settings));
    if (entry.replay) parts.push(replay(entry.replay));
    return parts;
  }

  function list(kind, words, pairs) {
    const cells = pairs.map(([name, value]) =>
      make("div", {}, make("dt", {}, String(name)), make("dd", {}, String(value))),
    );
    const heading = make("h3", { id: `viewer-list-${++count}` }, words);
    return make("div", { class: kind }, heading, make("dl", { "aria-labelledby": heading.id }, ...cells));
  }

  function details(entry) {
    const figures = entry.details.map(({ label, before, after }) => {
      const pair = [before && picture(before, `Before, ${label}`), picture(after, `After, ${label}`)];
      return make("figure", {}, make("div", { class: "pair" }, ...pair.filter(Boolean)), make("figcaption", {}, label));
    });
    return make("div", { class: "details" }, ...figures);
  }

  function replay(text) {
    const code = make("code", {}, text);
    const copy = button("Copy", { "aria-label": "Copy the command" });
    const answer = make("span", { class: "answer", role: "status" });
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text);
        answer.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code); // where a page may not write to the clipboard
        answer.textContent = "Marked: press Ctrl+C";
      }
    });
    return make("p", { class: "replay" }, make("span", {}, "The same again:"), code, copy, answer);
  }

  /* ---- Elements ---- */

  function make(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children); // strings become text
    return node;
  }

  function picture(url, words) {
    return make("img", { src: url, alt: words, draggable: false, decoding: "sync" });
  }

  const button = (text, attributes = {}) => make("button", { type: "button", ...attributes }, text);

  function pressed(text, words, act) {
    const node = button(text, { "aria-label": words, title: words });
    node.addEventListener("click", act);
    return node;
  }

  const said = (text) => make("p", { class: "said" }, text);
})();
