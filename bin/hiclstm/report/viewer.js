// The map viewer: a variant's maps, one byte a pair, drawn on a canvas that pans and zooms.
const SEQUENTIAL = ["#ffffcc", "#ffeda0", "#fed976", "#feb24c", "#fd8d3c", "#fc4e2a", "#e31a1c", "#bd0026", "#800026"];
const DIVERGING = ["#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7", "#fddbc7", "#f4a582", "#d6604d",
  "#b2182b", "#67001f"];
const LAYERS = ["wt", "alt", "delta"];
const LEFT = 58, BOTTOM = 34, TOP = 8, RIGHT = 8; // room for the axes, in CSS pixels
const CLOSEST = 12; // bins across at the strongest zoom

// The 256 colours of a layer's codes, [red, green, blue]; code 0, without a value, is left to the caller.
const colours = stops => Array.from({length: 256}, (_, code) => {
  const at = Math.max(code - 1, 0) / 254 * (stops.length - 1), low = Math.min(Math.floor(at), stops.length - 2);
  const part = k => [1, 3, 5].map(from => parseInt(stops[k].slice(from, from + 2), 16));
  return part(low).map((from, k) => Math.round(from + (part(low + 1)[k] - from) * (at - low)));
});
const COLOURS = {wt: colours(SEQUENTIAL), alt: colours(SEQUENTIAL), delta: colours(DIVERGING)};

async function unpacked(text) {
  const packed = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

class MapViewer {
  constructor(figure) {
    this.canvas = figure.querySelector("canvas");
    this.output = figure.querySelector("output");
    this.scale = figure.querySelector(".scale");
    this.maps = JSON.parse(figure.querySelector("script").textContent);
    this.select = figure.querySelector("select");
    this.radios = [...figure.querySelectorAll("input[type=radio]")];
    this.layer = "wt";
    this.pointers = new Map();
    for (const hidden of figure.querySelectorAll("[hidden]")) hidden.hidden = false;
    figure.querySelector(".absent").remove();
    this.select.addEventListener("change", () => this.choose(this.select.selectedIndex));
    for (const radio of this.radios) radio.addEventListener("change", () => this.show(radio.value));
    const actions = {in: () => this.zoom(1.5), out: () => this.zoom(1 / 1.5), whole: () => this.whole()};
    for (const button of figure.querySelectorAll(".tools button"))
      button.addEventListener("click", () => { actions[button.value](); this.say(); });
    this.canvas.addEventListener("keydown", event => this.key(event));
    this.canvas.addEventListener("wheel", event => this.wheel(event), {passive: false});
    this.canvas.addEventListener("pointerdown", event => this.press(event));
    this.canvas.addEventListener("pointermove", event => this.move(event));
    for (const end of ["pointerup", "pointercancel"])
      this.canvas.addEventListener(end, event => this.pointers.delete(event.pointerId));
    this.canvas.addEventListener("pointerleave", () => { this.cross = null; this.draw(); });
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
    this.choose(0);
  }

  // A variant: its layers are unpacked when it is first chosen.
  async choose(which) {
    const map = this.maps[which];
    map.bins = map.runs.reduce((sum, run) => sum + run.bins, 0);
    map.layers ??= await Promise.all(LAYERS.map(async layer => [layer, await unpacked(map[layer])]))
      .then(Object.fromEntries);
    if (this.select.selectedIndex !== which) return; // another was chosen meanwhile
    this.map = map;
    this.whole();
    this.paint();
  }

  show(layer) {
    this.layer = layer;
    for (const radio of this.radios) radio.checked = radio.value === layer;
    this.paint();
  }

  whole() {
    Object.assign(this, {x: 0, y: 0, across: this.map.bins}); // the corner shown and how much, in bins
    this.cross = null;
    this.draw();
  }

  code(i, j, layer = this.layer) {
    const [a, b] = i < j ? [i, j] : [j, i];
    return this.map.layers[layer][a * this.map.bins - a * (a - 1) / 2 + b - a];
  }

  value(i, j, layer) {
    const code = this.code(i, j, layer), {low, high, limit} = this.map;
    if (!code) return null;
    return layer === "delta" ? ((code - 1) / 127 - 1) * limit : 10 ** (low + (code - 1) / 254 * (high - low));
  }

  // The layer as a picture of one pixel a pair.
  paint() {
    if (!this.map) return;
    const n = this.map.bins, picture = new ImageData(n, n), colours = COLOURS[this.layer];
    const missing = getComputedStyle(this.canvas).getPropertyValue("--missing").trim();
    const none = [1, 3, 5].map(from => parseInt(missing.slice(from, from + 2), 16));
    for (let i = 0; i < n; i++)
      for (let j = i; j < n; j++) {
        const code = this.code(i, j), [red, green, blue] = code ? colours[code] : none;
        for (const at of [i * n + j, j * n + i]) picture.data.set([red, green, blue, 255], 4 * at);
      }
    this.picture = new OffscreenCanvas(n, n);
    this.picture.getContext("2d").putImageData(picture, 0, 0);
    const [low, bar, high] = this.scale.children, {limit} = this.map;
    const ends = this.layer === "delta" ? [`÷ ${(2 ** limit).toPrecision(2)}`, `× ${(2 ** limit).toPrecision(2)}`]
      : [this.map.low, this.map.high].map(power => this.amount(10 ** power));
    low.textContent = ends[0];
    high.textContent = ends[1] + (this.layer === "delta" ? ", ALT over WT" : " expected contacts");
    bar.style.background = `linear-gradient(to right, ${(this.layer === "delta" ? DIVERGING : SEQUENTIAL).join()})`;
    this.draw();
  }

  get side() { return Math.max(1, this.canvas.clientWidth - LEFT - RIGHT); }

  draw() {
    if (!this.map || !this.picture || !this.canvas.clientWidth) return;
    const n = this.map.bins, side = this.side, sharp = devicePixelRatio || 1;
    this.across = Math.min(n, Math.max(Math.min(CLOSEST, n), this.across));
    this.x = Math.min(n - this.across, Math.max(0, this.x));
    this.y = Math.min(n - this.across, Math.max(0, this.y));
    const width = Math.round((side + LEFT + RIGHT) * sharp), height = Math.round((side + TOP + BOTTOM) * sharp);
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, {width, height});
    this.canvas.style.height = `${side + TOP + BOTTOM}px`;
    const pen = this.canvas.getContext("2d");
    pen.setTransform(sharp, 0, 0, sharp, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(this.picture, this.x, this.y, this.across, this.across, LEFT, TOP, side, side);
    this.edges(pen, side);
    this.axes(pen, side);
    if (this.cross) {
      const [i, j] = this.cross, size = side / this.across;
      pen.strokeStyle = "#000";
      pen.strokeRect(LEFT + (j - this.x) * size, TOP + (i - this.y) * size, size, size);
    }
  }

  // Where a place in bins lies on the canvas, from the left or from the top.
  at(place, from, side) { return (place - from) / this.across * side; }

  // Dashed: the edges of the edit; white: where another chromosome begins.
  edges(pen, side) {
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, TOP, side, side);
    pen.clip();
    const lines = (places, colour, dashes) => {
      pen.beginPath();
      for (const place of places) {
        const across = LEFT + this.at(place, this.x, side), down = TOP + this.at(place, this.y, side);
        pen.moveTo(across, TOP); pen.lineTo(across, TOP + side);
        pen.moveTo(LEFT, down); pen.lineTo(LEFT + side, down);
      }
      pen.setLineDash(dashes);
      pen.strokeStyle = colour;
      pen.stroke();
    };
    let begins = 0;
    const runs = this.map.runs.map(run => ({...run, first: begins, last: begins += run.bins}));
    lines(runs.slice(1).map(run => run.first), "#fff", []);
    const marked = this.map.edits.flatMap(edit => [edit.start, edit.end].map(base => {
      const run = runs.find(own => own.chromosome === edit.chromosome && base >= own.start && base <= own.end);
      return run ? run.first + (base - run.start) / this.map.resolution : NaN;
    })).filter(Number.isFinite);
    lines(marked, "#1c1e21", [4, 4]);
    pen.restore();
  }

  axes(pen, side) {
    pen.fillStyle = pen.strokeStyle = getComputedStyle(this.canvas).color;
    pen.font = "12px system-ui, sans-serif";
    pen.setLineDash([]);
    pen.lineWidth = 1;
    pen.strokeRect(LEFT, TOP, side, side);
    let first = 0;
    for (const run of this.map.runs) {
      const span = this.across * this.map.resolution;
      const rough = span / Math.max(2, side / 110), power = 10 ** Math.floor(Math.log10(rough));
      const step = [1, 2, 5, 10].find(factor => factor * power >= rough) * power;
      for (let base = Math.ceil(run.start / step) * step; base <= run.end; base += step) {
        const place = first + (base - run.start) / this.map.resolution, words = this.mega(base);
        const across = this.at(place, this.x, side), down = this.at(place, this.y, side);
        if (across >= 0 && across <= side) {
          pen.fillRect(LEFT + across, TOP + side, 1, 4);
          pen.textAlign = across < 16 ? "left" : across > side - 16 ? "right" : "center";
          pen.fillText(words, LEFT + across, TOP + side + 16);
        }
        if (down >= 0 && down <= side) {
          pen.fillRect(LEFT - 4, TOP + down, 4, 1);
          pen.textAlign = "right";
          pen.fillText(words, LEFT - 7, TOP + Math.min(Math.max(down + 4, 9), side));
        }
      }
      first += run.bins;
    }
    pen.textAlign = "center";
    pen.fillText(`${[...new Set(this.map.runs.map(run => run.chromosome))].join(", ")} (Mb)`, LEFT + side / 2, TOP + side + 31);
  }

  mega(base) { return (base / 1e6).toLocaleString("en", {maximumFractionDigits: 6}); }

  amount(value) { return value >= 100 ? value.toFixed(0) : value.toPrecision(2); }

  place(bin) {
    for (const run of this.map.runs) {
      if (bin < run.bins) {
        const start = run.start + bin * this.map.resolution;
        return {chromosome: run.chromosome, start, end: Math.min(start + this.map.resolution, run.end)};
      }
      bin -= run.bins;
    }
    return null;
  }

  // What stands at row i and column j; without them at the middle of what is shown.
  say(i = Math.floor(this.y + this.across / 2), j = Math.floor(this.x + this.across / 2)) {
    const [one, other] = [this.place(Math.min(i, j)), this.place(Math.max(i, j))];
    if (!one || !other) return;
    this.cross = [i, j];
    const where = place => `${place.chromosome}:${place.start.toLocaleString("en")}–${place.end.toLocaleString("en")}`;
    const apart = one.chromosome === other.chromosome ? `, ${((other.start - one.start) / 1e3).toLocaleString("en")} kb apart` : "";
    const told = ["wt", "alt"].map(layer => {
      const value = this.value(i, j, layer);
      return `${layer.toUpperCase()} ${value === null ? "none" : this.amount(value)}`;
    });
    const change = this.value(i, j, "delta");
    if (change !== null) told.push(`Δ ${change < 0 ? "−" : "+"}${Math.abs(change).toFixed(2)}`);
    this.output.textContent = `${where(one)} and ${where(other)}${apart}: ${told.join(", ")}`;
    this.draw();
  }

  // Zoom about a point of the canvas, given as shares of the map's side.
  zoom(factor, right = 0.5, down = 0.5) {
    const n = this.map.bins, across = Math.min(n, Math.max(Math.min(CLOSEST, n), this.across / factor));
    this.x += (this.across - across) * right;
    this.y += (this.across - across) * down;
    this.across = across;
    this.draw();
  }

  pan(right, down) {
    this.x += right;
    this.y += down;
    this.draw();
  }

  key(event) {
    if (!this.map || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = this.across / 10;
    const actions = {
      ArrowLeft: () => this.pan(-step, 0), ArrowRight: () => this.pan(step, 0), ArrowUp: () => this.pan(0, -step),
      ArrowDown: () => this.pan(0, step), "+": () => this.zoom(1.5), "=": () => this.zoom(1.5),
      "-": () => this.zoom(1 / 1.5), "0": () => this.whole(),
      "1": () => this.show("wt"), "2": () => this.show("alt"), "3": () => this.show("delta"),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
    this.say();
  }

  shares(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left - LEFT) / this.side, (event.clientY - box.top - TOP) / this.side];
  }

  // The wheel scrolls the page until the map has been chosen.
  wheel(event) {
    if (!this.map || (document.activeElement !== this.canvas && !event.ctrlKey)) return;
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 33 : 1);
    this.zoom(Math.exp(-pixels / 400), ...this.shares(event));
  }

  press(event) {
    this.canvas.focus({preventScroll: true});
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
  }

  // One pointer that is down drags; two pinch; none reads.
  move(event) {
    if (!this.map) return;
    const before = this.pointers.get(event.pointerId);
    if (before) {
      const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      if (others.length === 1) {
        const [x, y] = others[0], apart = place => Math.max(1, Math.hypot(place[0] - x, place[1] - y));
        const middle = this.shares({clientX: (before[0] + x) / 2, clientY: (before[1] + y) / 2});
        this.zoom(apart([event.clientX, event.clientY]) / apart(before), ...middle);
      }
      const size = this.across / this.side / (others.length + 1);
      this.pan((before[0] - event.clientX) * size, (before[1] - event.clientY) * size);
      this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    }
    const [right, down] = this.shares(event);
    if (right >= 0 && right < 1 && down >= 0 && down < 1)
      this.say(Math.floor(this.y + down * this.across), Math.floor(this.x + right * this.across));
  }
}

for (const figure of document.querySelectorAll("figure.viewer")) new MapViewer(figure);
