// The records of conformance/contract.py, and the loop of a driver.
"use strict";

const PARTITIONS = 3;
const RECORDS = 100;
const HALF = 50;
const CUT = 40;
const FIRST_TIMESTAMP = 1_700_000_000_000;
const STEP_MS = 1_000;
const LARGE_BYTES = 900_000;
const DEADLINE_MS = 40_000;

// The client has no way to do it.
class Lacks extends Error {}

function value(topic, partition, number, large) {
  if (number % 10 === 7) return null;
  if (number % 10 === 4) return Buffer.alloc(0);
  const dots = large && number === RECORDS - 1 ? LARGE_BYTES : (number * 37) % 400;
  return Buffer.from(`${topic}/${partition}/${number}` + ".".repeat(dots));
}

function record(topic, partition, number, large = false) {
  return {
    key: number % 5 === 0 ? null : Buffer.from(`k${number % 7}`),
    value: value(topic, partition, number, large),
    headers: number % 3 === 0 ? { number: Buffer.from(`${number}`), empty: Buffer.alloc(0) } : {},
    timestamp: String(FIRST_TIMESTAMP + number * STEP_MS),
  };
}

function run(topic, partition, start, end, large) {
  const numbers = Array.from({ length: end - start }, (_, index) => start + index);
  return numbers.map((number) => record(topic, partition, number, large));
}

function same(got, wanted, what) {
  const [its, should] = [got, wanted].map((each) => JSON.stringify(each));
  if (its !== should) throw new Error(`${what}: ${String(its).slice(0, 200)} instead of ${String(should).slice(0, 200)}`);
}

// Buffers as text: what null, empty and present bytes look like beside each other.
function plain({ key, value, headers, timestamp }) {
  const text = (bytes) => (bytes === null ? null : bytes.toString("latin1"));
  const pairs = Object.entries(headers ?? {}).map(([name, bytes]) => [name, text(bytes)]);
  return { key: text(key), value: text(value), headers: pairs, timestamp: String(timestamp) };
}

// Wait for something that others bring about. `changes` is an EventEmitter; whatever it emits is reason to look again.
function until(changes, holds, what) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => end(reject, new Error(`${what}: not within ${DEADLINE_MS} ms`)), DEADLINE_MS);
    const look = () => {
      if (holds()) end(resolve);
    };
    const end = (how, error) => {
      clearTimeout(timer);
      changes.off("change", look);
      how(error);
    };
    changes.on("change", look);
    look();
  });
}

// Ask until it holds; each question takes its own time.
async function eventually(holds, what) {
  for (const deadline = Date.now() + DEADLINE_MS; !(await holds()); ) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${DEADLINE_MS} ms`);
  }
}

async function drive(version, scenarios, wanted) {
  console.log(JSON.stringify({ version }));
  for (const scenario of wanted) {
    try {
      const detail = (await scenarios[scenario]()) ?? "";
      console.log(JSON.stringify({ scenario, ok: true, detail }));
    } catch (error) {
      const ok = error instanceof Lacks ? null : false;
      if (ok === false) console.error(error);
      console.log(JSON.stringify({ scenario, ok, detail: error.message }));
    }
  }
}

module.exports = {
  PARTITIONS, RECORDS, HALF, CUT, FIRST_TIMESTAMP, STEP_MS, Lacks, record, run, value, same, plain, until, eventually, drive,
};
