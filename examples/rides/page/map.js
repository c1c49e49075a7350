"use strict";
// The map: zones coloured by surge, riders as discs, cars that glide from where they were to where they are.

class CityMap {
  static MARGIN = 18;            // pixels around the land
  static GLIDE_MS = 1150;        // a little longer than the pause between two positions, so that nothing stops
  static RING_MS = 1400;

  constructor(canvas) {
    this.canvas = canvas;
    this.zones = new Map();      // name → {x, y, outline, room, surge, cents, riders}
    this.cars = new Map();       // number → {x, y, fromX, fromY, since, free, angle}
    this.rings = [];             // where somebody has just asked for a car
    this.phone = null;           // {x, y, cars}
    this.land = null;            // what does not move, drawn once
    new ResizeObserver(() => this.resize()).observe(canvas);
    matchMedia("(prefers-reduced-motion: reduce)").addEventListener("change", (event) => { this.still = event.matches; });
    this.still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.recolour();
    requestAnimationFrame((now) => this.frame(now));
  }

  // -- what comes in

  zone(name, x, y, outline) {
    const known = this.zones.get(name) || { surge: 1, cents: null, riders: 0 };
    this.zones.set(name, { ...known, name, x, y, outline, room: roomOf(x, y, outline) });
    this.fit();
  }

  quote(name, cents, surge) {
    const zone = this.zones.get(name);
    if (!zone) return;
    if (zone.surge !== surge) this.land = null;
    zone.cents = cents; zone.surge = surge;
  }

  riders(name, riders) {
    const zone = this.zones.get(name);
    if (!zone) return;
    if (riders > zone.riders && !this.still && this.rings.length < 60) {
      const angle = Math.random() * 2 * Math.PI, far = Math.random() * zone.room * .8;
      this.rings.push({ x: zone.x + far * Math.cos(angle), y: zone.y + far * Math.sin(angle), since: performance.now() });
    }
    zone.riders = riders;
  }

  car(number, x, y, free) {
    const now = performance.now(), known = this.cars.get(number);
    if (!known) { this.cars.set(number, { x, y, fromX: x, fromY: y, since: now, free, angle: 0 }); return; }
    const here = this.still ? { x: known.x, y: known.y } : placeOf(known, now);
    const far = Math.hypot(x - here.x, y - here.y);
    if (far > .02) known.angle = Math.atan2(y - here.y, x - here.x);
    Object.assign(known, { x, y, fromX: here.x, fromY: here.y, since: now, free });
  }

  // -- how it looks

  resize() {
    const ratio = devicePixelRatio || 1, { width, height } = this.canvas.getBoundingClientRect();
    this.canvas.width = Math.round(width * ratio); this.canvas.height = Math.round(height * ratio);
    this.width = width; this.height = height;
    this.fit();
  }

  fit() {
    this.land = null;
    if (!this.width || !this.zones.size) return;
    const xs = [], ys = [];
    for (const zone of this.zones.values()) for (const [x, y] of zone.outline) { xs.push(x); ys.push(y); }
    const left = Math.min(...xs), top = Math.min(...ys), wide = Math.max(...xs) - left, high = Math.max(...ys) - top;
    const room = 34;             // the legend's
    this.scale = Math.min((this.width - 2 * CityMap.MARGIN) / wide, (this.height - 2 * CityMap.MARGIN - room) / high);
    this.left = (this.width - wide * this.scale) / 2 - left * this.scale;
    this.top = (this.height - room - high * this.scale) / 2 - top * this.scale;
  }

  recolour() {
    const style = getComputedStyle(document.documentElement);
    this.colours = new Proxy({}, { get: (_, name) => style.getPropertyValue(`--${String(name)}`).trim() });
    this.colours = Object.fromEntries(["water", "coast", "street", "border", "cheap", "dear", "label", "halo", "free", "taken",
      "riders", "ink", "card"].map((name) => [name, this.colours[name]]));
    this.land = null;
  }

  px(x, y) { return [this.left + x * this.scale, this.top + y * this.scale]; }
  miles(px, py) { return [(px - this.left) / this.scale, (py - this.top) / this.scale]; }

  frame(now) {
    requestAnimationFrame((next) => this.frame(next));
    if (!this.width || !this.zones.size) return;
    if (!this.land) this.land = this.drawLand();
    const ratio = devicePixelRatio || 1, pen = this.canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.drawImage(this.land, 0, 0);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.drawRings(pen, now);
    this.drawCars(pen, now);
    this.drawRiders(pen);
    this.drawLabels(pen);
    this.drawPhone(pen, now);
  }

  drawLand() {
    const land = document.createElement("canvas"), ratio = devicePixelRatio || 1, colours = this.colours;
    land.width = this.canvas.width; land.height = this.canvas.height;
    const pen = land.getContext("2d");
    pen.scale(ratio, ratio);
    pen.fillStyle = colours.water; pen.fillRect(0, 0, this.width, this.height);
    const shapes = [...this.zones.values()].map((zone) => [zone, this.shape(zone.outline)]);
    const whole = new Path2D();
    for (const [, shape] of shapes) whole.addPath(shape);
    pen.lineJoin = "round";
    for (const [wide, alpha] of [[26, .16], [14, .25], [5, 1]]) {   // shallow water, then the coast
      pen.globalAlpha = alpha; pen.lineWidth = wide; pen.strokeStyle = colours.coast; pen.stroke(whole);
    }
    pen.globalAlpha = 1;
    for (const [zone, shape] of shapes) {
      pen.fillStyle = mix(colours.cheap, colours.dear, (zone.surge - .85) / 1.45); pen.fill(shape);
    }
    pen.save(); pen.clip(whole); this.drawStreets(pen); pen.restore();
    pen.strokeStyle = colours.border; pen.lineWidth = Math.min(2.5, this.scale / 30); pen.stroke(whole);
    return land;
  }

  drawStreets(pen) {
    const far = this.width + this.height, step = .32 * this.scale;
    pen.save(); pen.translate(this.left, this.top); pen.rotate(-24 * Math.PI / 180);
    pen.strokeStyle = this.colours.street; pen.lineWidth = 1;
    pen.beginPath();
    for (let at = -Math.ceil(far / step) * step; at < far; at += step) {
      pen.moveTo(at, -far); pen.lineTo(at, far); pen.moveTo(-far, at); pen.lineTo(far, at);
    }
    pen.stroke(); pen.restore();
  }

  shape(outline) {
    const path = new Path2D();
    outline.forEach(([x, y], index) => path[index ? "lineTo" : "moveTo"](...this.px(x, y)));
    path.closePath();
    return path;
  }

  drawRiders(pen) {
    // below the zone's name, so that neither hides the other
    pen.textAlign = "center"; pen.textBaseline = "middle"; pen.lineWidth = 1.5;
    for (const zone of this.zones.values()) {
      if (!zone.riders) continue;
      const [x, middle] = this.px(zone.x, zone.y), room = zone.room * this.scale;
      const radius = Math.min(room * .62, 4 + 3.1 * Math.sqrt(zone.riders)), y = middle + room * .36;
      pen.fillStyle = pen.strokeStyle = this.colours.riders;
      pen.beginPath(); pen.arc(x, y, radius, 0, 7);
      pen.globalAlpha = .5; pen.fill(); pen.globalAlpha = 1; pen.stroke();
      if (radius < 8) continue;
      pen.fillStyle = this.colours.label;
      pen.font = font(`700 ${Math.min(16, radius * 1.05)}px`);
      pen.fillText(zone.riders, x, y + 1);
    }
    pen.textBaseline = "alphabetic";
  }

  drawRings(pen, now) {
    pen.strokeStyle = this.colours.riders; pen.lineWidth = 2.5;
    this.rings = this.rings.filter((ring) => now - ring.since < CityMap.RING_MS);
    for (const ring of this.rings) {
      const share = Math.max(0, (now - ring.since) / CityMap.RING_MS), [x, y] = this.px(ring.x, ring.y);
      pen.globalAlpha = 1 - share; pen.beginPath(); pen.arc(x, y, 2 + 20 * share, 0, 7); pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  drawCars(pen, now) {
    const size = Math.max(3.4, Math.min(6, this.scale / 26));
    pen.lineWidth = 1.2; pen.strokeStyle = this.colours.card;
    for (const car of this.cars.values()) {
      const place = this.still ? car : placeOf(car, now), [x, y] = this.px(place.x, place.y);
      pen.save(); pen.translate(x, y); pen.rotate(car.angle);
      pen.fillStyle = car.free ? this.colours.free : this.colours.taken;
      pen.beginPath(); pen.roundRect(-size * 1.35, -size * .8, size * 2.7, size * 1.6, size * .7);
      pen.fill(); pen.stroke(); pen.restore();
    }
  }

  drawLabels(pen) {
    const named = [...this.zones.values()].sort((one, other) => other.surge - one.surge || other.riders - one.riders);
    const crowded = named.length > 60 || this.scale < 60;
    pen.textAlign = "center"; pen.lineJoin = "round"; pen.lineWidth = 4;
    pen.strokeStyle = this.colours.halo; pen.fillStyle = this.colours.label;
    const size = Math.max(12, Math.min(17, this.scale / 7.5)), taken = [];
    for (const zone of named) {
      if (crowded && (zone.cents === null || taken.length >= 18)) continue;
      const [x, middle] = this.px(zone.x, zone.y), y = crowded ? middle : middle - zone.room * this.scale * .3;
      pen.font = font(`${size}px`);
      const half = pen.measureText(zone.name).width / 2;
      const free = !taken.some(([a, b, other]) => Math.abs(a - x) < other + half + 3 && Math.abs(b - y) < size * 2.2);
      if (crowded && !free) continue;
      taken.push([x, y, free ? half : size * 1.5]);
      if (free) this.write(pen, zone.name, x, y - 2, `${size}px`);
      if (zone.cents !== null) this.write(pen, money(zone.cents), x, y + size, `700 ${size + 1}px`);
    }
  }

  write(pen, text, x, y, size) {
    pen.font = font(size);
    pen.strokeText(text, x, y); pen.fillText(text, x, y);
  }

  drawPhone(pen, now) {
    if (!this.phone) return;
    const [x, y] = this.px(this.phone.x, this.phone.y);
    pen.strokeStyle = this.colours.free; pen.lineWidth = 2; pen.setLineDash([5, 5]);
    for (const { car } of this.phone.cars) {
      const known = this.cars.get(car);
      if (!known) continue;
      const place = placeOf(known, now);
      pen.beginPath(); pen.moveTo(x, y); pen.lineTo(...this.px(place.x, place.y)); pen.stroke();
    }
    pen.setLineDash([]);
    pen.fillStyle = this.colours.ink; pen.strokeStyle = this.colours.card; pen.lineWidth = 3;
    pen.beginPath(); pen.arc(x, y, 9, 0, 7); pen.fill(); pen.stroke();
  }
}

function placeOf(car, now) {
  const share = Math.min(1, Math.max(0, (now - car.since) / CityMap.GLIDE_MS));
  return { x: car.fromX + share * (car.x - car.fromX), y: car.fromY + share * (car.y - car.fromY) };
}

function roomOf(x, y, outline) {
  // how far from its centre one is surely in the zone
  let room = Infinity;
  outline.forEach(([ax, ay], index) => {
    const [bx, by] = outline[(index + 1) % outline.length];
    const area = Math.abs((bx - ax) * (ay - y) - (ax - x) * (by - ay));
    room = Math.min(room, area / (Math.hypot(bx - ax, by - ay) || 1));
  });
  return room;
}

function mix(from, to, share) {
  return `color-mix(in srgb, ${to} ${Math.round(Math.min(1, Math.max(0, share)) * 100)}%, ${from})`;
}

function font(size) { return `${size} system-ui, "DejaVu Sans", sans-serif`; }

function money(cents) { return `$${(cents / 100).toFixed(2)}`; }
