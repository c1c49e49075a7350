"use strict";
// What is told by /events, put where it belongs. After a break the browser comes back by itself and is told everything.

const map = new CityMap(byId("map"));
const rates = new Map(), groups = new Map();
let cityMs = 0, cityAt = 0, phoneEvents = null, stale = null;

function byId(id) { return document.getElementById(id); }

// -- what comes in

const events = new EventSource("events");
events.addEventListener("news", (event) => {
  const news = JSON.parse(event.data);
  for (const zone of news.zones || []) map.zone(...zone);
  for (const car of news.cars || []) map.car(...car);
  for (const quote of news.quotes || []) map.quote(...quote);
  for (const riders of news.riders || []) map.riders(...riders);
  for (const [kind, counts] of news.rates || []) rates.set(kind, counts);
  for (const group of (news.groups || [])[0] || []) noteGroup(group);
  if (news.now) { cityMs = news.now; cityAt = performance.now(); }
  byId("link").textContent = "live";
  byId("link").classList.add("live");
  clearTimeout(stale);
  stale = setTimeout(() => lost("waiting for news"), 5000);
});
events.addEventListener("error", () => lost("reconnecting"));

function lost(words) {
  byId("link").textContent = words;
  byId("link").classList.remove("live");
}

function noteGroup({ group, state, lag }) {
  const known = groups.get(group) || { lags: [] };
  if (lag !== null) known.lags = [...known.lags, lag].slice(-60);
  groups.set(group, { ...known, state, lag });
}

// -- what is shown beside the map

const TILES = [["requests", "ride requests a minute"], ["trips", "rides paid a minute"], ["positions", "positions a minute"]];
byId("tiles").innerHTML = TILES.map(([kind, words]) => `<div class="tile"><b id="rate-${kind}">–</b><span>${words}</span>
  <svg viewBox="0 0 100 30" preserveAspectRatio="none"><path class="area" id="area-${kind}"/><path class="line" id="line-${kind}"/></svg></div>`).join("")
  + `<div class="tile"><b id="free">–</b><span id="of">cars free</span><div class="split"><i id="split"></i></div></div>`;

function curve(values, most) {
  const step = values.length > 1 ? 100 / (values.length - 1) : 100;
  return values.map((value, index) => `${index ? "L" : "M"}${(index * step).toFixed(1)},${(29 - 28 * value / most).toFixed(1)}`).join("");
}

function showTiles() {
  for (const [kind] of TILES) {
    const counts = rates.get(kind) || [];
    if (!counts.length) continue;
    const line = curve(counts, Math.max(1, ...counts));
    byId(`rate-${kind}`).textContent = counts[counts.length - 1].toLocaleString("en");
    byId(`line-${kind}`).setAttribute("d", line);
    byId(`area-${kind}`).setAttribute("d", `${line}L100,30L0,30Z`);
  }
  const cars = [...map.cars.values()], free = cars.filter((car) => car.free).length;
  byId("free").textContent = free;
  byId("of").textContent = `of ${cars.length} cars free`;
  byId("split").style.width = `${100 * free / Math.max(1, cars.length)}%`;
}

function showZones() {
  const priced = [...map.zones.values()].filter((zone) => zone.cents !== null)
    .sort((one, other) => other.cents - one.cents || one.name.localeCompare(other.name));
  const most = Math.max(1, ...priced.map((zone) => zone.riders));
  const room = Math.max(3, Math.floor((byId("zones").parentElement.clientHeight - 78) / 31));
  fill(byId("zones"), priced.slice(0, room), "row", "<span class=name></span><span class=bar><i></i><b></b></span><span class=num></span><span class='num price'></span>",
    ([name, bar, surge, price], zone) => {
      name.textContent = zone.name;
      bar.firstChild.style.width = `${100 * zone.riders / most}%`;
      bar.lastChild.textContent = zone.riders;
      surge.textContent = `×${zone.surge.toFixed(2)}`;
      price.textContent = money(zone.cents);
    });
}

function showGroups() {
  fill(byId("groups"), [...groups.entries()], "group", "<span></span><svg viewBox='0 0 100 30' preserveAspectRatio=none><path/></svg><span class=num></span>",
    ([name, chart, lag], [group, { state, lag: behind, lags }], row) => {
      row.classList.toggle("away", state !== "stable");
      name.textContent = group;
      chart.firstChild.setAttribute("d", curve(lags, Math.max(50, ...lags)));
      lag.innerHTML = `${behind === null ? "–" : behind.toLocaleString("en")}<small>${state === "stable" ? "" : state}</small>`;
    });
}

function fill(box, items, name, inner, show) {
  while (box.children.length > items.length) box.lastChild.remove();
  items.forEach((item, index) => {
    if (!box.children[index]) box.insertAdjacentHTML("beforeend", `<div class="${name}">${inner}</div>`);
    show(box.children[index].children, item, box.children[index]);
  });
}

function showClock() {
  if (!cityMs) return;
  const now = new Date(cityMs);
  byId("time").textContent = now.toISOString().slice(11, 16);
  byId("day").textContent = now.toLocaleDateString("en", { weekday: "long", day: "numeric", month: "short", timeZone: "UTC" });
}

setInterval(() => { showClock(); showTiles(); showZones(); showGroups(); }, 300);

// -- a phone

byId("map").addEventListener("click", (event) => {
  const box = byId("map").getBoundingClientRect();
  stand(...map.miles(event.clientX - box.left, event.clientY - box.top));
});

function stand(x, y) {
  if (phoneEvents) phoneEvents.close();
  map.phone = { x, y, cars: [] };
  byId("hint").hidden = true;
  byId("phone").classList.toggle("left", map.px(x, y)[0] > map.width / 2);
  phoneEvents = new EventSource(`nearby?x=${x.toFixed(3)}&y=${y.toFixed(3)}`);
  phoneEvents.addEventListener("offer", (event) => {
    const offer = JSON.parse(event.data);
    map.phone.cars = offer.cars;
    const box = byId("phone");
    box.innerHTML = "<h3></h3><div class=price></div><small>for a short ride, now</small><ol></ol>";
    box.querySelector("h3").textContent = offer.zone || "";
    box.querySelector(".price").textContent = offer.cents === null ? "–" : money(offer.cents);
    box.querySelector("ol").innerHTML = offer.cars.slice(0, 4).map(({ car, miles }) => `<li><span>car ${car}</span><span>${miles.toFixed(2)} mi</span></li>`).join("")
      || "<li>no free car</li>";
    box.hidden = false;
  });
}

addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !phoneEvents) return;
  phoneEvents.close(); phoneEvents = map.phone = null;
  byId("phone").hidden = true; byId("hint").hidden = false;
});

// -- light and dark

function theme(name) {
  document.documentElement.dataset.theme = name;
  map.recolour();
}

const asked = new URLSearchParams(location.search);
const dark = matchMedia("(prefers-color-scheme: dark)");
theme(asked.get("theme") || (dark.matches ? "dark" : "light"));
dark.addEventListener("change", () => theme(dark.matches ? "dark" : "light"));
byId("theme").addEventListener("click", () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
if (asked.has("x")) stand(Number(asked.get("x")), Number(asked.get("y")));
