// The driver of kafkajs: node driver.js BOOTSTRAP NAME SCENARIO…
"use strict";

const { EventEmitter } = require("node:events");
const { AssignerProtocol, ConfigResourceTypes, Kafka, logLevel } = require("kafkajs");
const codecs = require("./codecs");
const {
  PARTITIONS, RECORDS, HALF, CUT, FIRST_TIMESTAMP, STEP_MS, Lacks, run, value, same, plain, until, eventually, drive,
} = require("./contract");

const [bootstrap, name, ...wanted] = process.argv.slice(2);
const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50 } });
const admin = kafka.admin();
const ALL = [0, 1, 2];

// -- what scenarios are made of

async function create(scenario) {
  const topic = `${name}-${scenario}`;
  const configEntries = [{ name: "retention.ms", value: "-1" }];
  const topics = [{ topic, numPartitions: PARTITIONS, replicationFactor: 1, configEntries }];
  const created = await admin.createTopics({ topics, waitForLeaders: true });
  if (!created) throw Object.assign(new Error("the topic exists already"), { code: 36 });
  return topic;
}

async function fill(topic, partition, { start = 0, end = RECORDS, large = false, acks = -1, codec, idempotent } = {}) {
  const producer = kafka.producer({ idempotent, maxInFlightRequests: 1 });
  await producer.connect();
  try {
    const messages = run(topic, partition, start, end, large).map((record) => ({ partition, ...record }));
    await producer.send({ topic, acks, compression: codecs[codec], messages });
  } finally {
    await producer.disconnect();
  }
}

async function fillAll(topic, how) {
  for (const partition of ALL) await fill(topic, partition, how);
}

// One consumer of one topic, in a group of its own unless it is told otherwise.
class Member {
  constructor(changes, topic, groupId) {
    Object.assign(this, { changes, topic, partitions: [], read: [], closed: false });
    this.consumer = kafka.consumer({ groupId, heartbeatInterval: 200, sessionTimeout: 6_000, maxWaitTimeInMs: 100 });
    this.consumer.on(this.consumer.events.GROUP_JOIN, ({ payload }) => {
      this.partitions = [...(payload.memberAssignment[topic] ?? [])].sort();
      changes.emit("change");
    });
    this.consumer.on(this.consumer.events.REBALANCING, () => {
      this.partitions = [];
      changes.emit("change");
    });
  }

  async join(starts = {}) {
    await this.consumer.connect();
    await this.consumer.subscribe({ topic: this.topic, fromBeginning: true });
    await this.consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        this.read.push({ partition, ...message, offset: Number(message.offset) });
        this.changes.emit("change");
      },
    });
    for (const [partition, offset] of Object.entries(starts)) {
      this.consumer.seek({ topic: this.topic, partition: Number(partition), offset: String(offset) });
    }
    return this;
  }

  async commit() {
    const next = new Map(this.seen.map(({ partition, offset }) => [partition, offset + 1]));
    await this.consumer.commitOffsets(
      [...next].map(([partition, offset]) => ({ topic: this.topic, partition, offset: String(offset) })),
    );
  }

  take() {
    this.seen = this.read;
    this.read = [];
    return this.seen;
  }

  async leave() {
    if (!this.closed) await this.consumer.disconnect();
    this.closed = true;
  }
}

// The members of one scenario leave at its end, whatever happens.
async function inRoom(work) {
  const changes = new EventEmitter();
  const members = [];
  const join = (topic, groupId = topic, starts) => {
    members.push(new Member(changes, topic, groupId));
    return members.at(-1).join(starts);
  };
  try {
    return await work(join, (holds, what) => until(changes, holds, what));
  } finally {
    for (const member of members) await member.leave();
  }
}

function compare(topic, partition, got, start, end, large = false) {
  same(got.length, end - start, `the number of records in ${topic}-${partition}`);
  run(topic, partition, start, end, large).forEach((record, index) => {
    const what = `record ${start + index} of ${topic}-${partition}`;
    same(got[index].offset, start + index, `the offset of ${what}`);
    same(plain(got[index]), plain(record), what);
  });
}

const of = (partition, records) => records.filter((each) => each.partition === partition);

// That every partition has exactly the records from these offsets on, and ends there.
function check(topic, starts, large = false) {
  return inRoom(async (join, when) => {
    const reader = await join(topic, `${topic}-reader-${process.hrtime.bigint()}`, starts);
    const partitions = Object.keys(starts).map(Number);
    const its = () => reader.read.filter((each) => each.offset >= (starts[each.partition] ?? Infinity));
    const count = partitions.reduce((sum, partition) => sum + RECORDS - starts[partition], 0);
    await when(() => its().length >= count, `${count} records are read`);
    for (const partition of partitions) {
      compare(topic, partition, of(partition, its()), starts[partition], RECORDS, large);
      same((await ends(topic))[partition].high, RECORDS, `the end of ${topic}-${partition}`);
    }
  });
}

async function ends(topic) {
  const listed = await admin.fetchTopicOffsets(topic);
  return Object.fromEntries(
    listed.map(({ partition, low, high }) => [partition, { low: Number(low), high: Number(high) }]),
  );
}

// What the members read: exactly these records, each by its owner.
async function reads(when, topic, start, end, ...members) {
  const wanted = (end - start) * PARTITIONS;
  const count = () => members.reduce((sum, member) => sum + member.read.length, 0);
  await when(() => count() >= wanted, `${wanted} records are read`);
  const together = members.flatMap((member) => {
    const read = member.take();
    const strangers = read.filter((each) => !member.partitions.includes(each.partition));
    same(strangers.length, 0, "records of partitions that are not the member's");
    return read;
  });
  for (const partition of ALL) compare(topic, partition, of(partition, together), start, end);
}

async function refused(code, work) {
  let refusal;
  try {
    await work();
  } catch (error) {
    refusal = error;
  }
  if (refusal === undefined) throw new Error(`it was not refused with ${code}`);
  const inner = refusal.errors?.[0] ?? refusal.groups?.[0]?.error ?? refusal;
  same(inner.code ?? refusal.groups?.[0]?.errorCode, code, `the refusal (${refusal.message})`);
}

const isShared = (first, second) =>
  first.partitions.length > 0 &&
  second.partitions.length > 0 &&
  String([...first.partitions, ...second.partitions].sort()) === String(ALL);

// -- the scenarios

function writeAndRead(scenario, how = {}) {
  return async () => {
    const topic = await create(scenario);
    await fillAll(topic, how);
    await check(topic, { 0: 0, 1: 0, 2: 0 }, how.large);
  };
}

async function topics() {
  const topic = await create("topics");
  await eventually(async () => (await admin.listTopics()).includes(topic), "the new topic is listed");
  const metadata = await admin.fetchTopicMetadata({ topics: [topic] });
  const led = metadata.topics[0].partitions.filter(({ leader }) => leader >= 0);
  same(led.map(({ partitionId }) => partitionId).sort(), ALL, "the partitions that have a leader");
  await refused(36, () => create("topics"));
  await admin.deleteTopics({ topics: [topic] });
  await eventually(async () => !(await admin.listTopics()).includes(topic), "the topic is gone");
}

async function acks() {
  const topic = await create("acks");
  for (const partition of [2, 1, 0]) {
    await fill(topic, partition, { acks: [0, 1, -1][partition] });
    await eventually(async () => (await ends(topic))[partition].high === RECORDS, "all records have arrived");
  }
  await check(topic, { 0: 0, 1: 0, 2: 0 });
}

async function time() {
  const topic = await create("time");
  await fillAll(topic);
  const found = async (timestamp) => {
    const listed = await admin.fetchTopicOffsetsByTimestamp(topic, timestamp);
    return listed.sort((a, b) => a.partition - b.partition).map(({ offset }) => Number(offset));
  };
  same(await found(FIRST_TIMESTAMP + HALF * STEP_MS), [HALF, HALF, HALF], "the offset of a record's own time");
  same(await found(FIRST_TIMESTAMP + HALF * STEP_MS + 1), [HALF + 1, HALF + 1, HALF + 1], "of a time between two");
  const past = await found(FIRST_TIMESTAMP + RECORDS * STEP_MS);
  same(past, [RECORDS, RECORDS, RECORDS], "of a time past the end, for which it gives the end");
  await check(topic, { 0: HALF, 1: HALF, 2: HALF });
}

async function group() {
  const topic = await create("group");
  await fillAll(topic, { end: HALF });
  await inRoom(async (join, when) => {
    const first = await join(topic);
    await reads(when, topic, 0, HALF, first);
    await first.commit();
    await first.leave();
    await fillAll(topic, { start: HALF });
    await reads(when, topic, HALF, RECORDS, await join(topic));
  });
}

async function rebalance() {
  const topic = await create("rebalance");
  await inRoom(async (join, when) => {
    const first = await join(topic);
    await when(() => first.partitions.length === PARTITIONS, "the first has all");
    const second = await join(topic);
    await when(() => isShared(first, second), "two share");
    await fillAll(topic, { end: HALF });
    await reads(when, topic, 0, HALF, first, second);
    await first.commit();
    await second.commit();
    await first.leave();
    await when(() => second.partitions.length === PARTITIONS, "the other has all");
    await fillAll(topic, { start: HALF });
    await reads(when, topic, HALF, RECORDS, second);
  });
}

async function groups() {
  const topic = await create("groups");
  const listed = async () => (await admin.listGroups()).groups.some(({ groupId }) => groupId === topic);
  const described = async () => {
    const { groups } = await admin.describeGroups([topic]);
    const owned = groups[0].members.map(({ memberAssignment }) => {
      return AssignerProtocol.MemberAssignment.decode(memberAssignment).assignment[topic].sort();
    });
    return [groups[0].state, owned];
  };
  await inRoom(async (join, when) => {
    const member = await join(topic);
    await when(() => member.partitions.length === PARTITIONS, "it has all");
    same(await listed(), true, "the group is listed");
    same(await described(), ["Stable", [ALL]], "the group with its member");
    await refused(68, () => admin.deleteGroups([topic]));
    await fillAll(topic);
    await reads(when, topic, 0, RECORDS, member);
    await member.commit();
  });
  same(await described(), ["Empty", []], "the group without its member");
  await admin.deleteGroups([topic]);
  same(await listed(), false, "the group is listed");
}

async function offsets() {
  const topic = await create("offsets");
  await fillAll(topic);
  const to = [10, 20, 30];
  const partitions = to.map((offset, partition) => ({ partition, offset: String(offset) }));
  await admin.setOffsets({ groupId: topic, topic, partitions });
  const [fetched] = await admin.fetchOffsets({ groupId: topic, topics: [topic] });
  const found = fetched.partitions.sort((a, b) => a.partition - b.partition);
  same(found.map(({ offset }) => Number(offset)), to, "the offsets of the group");
  await inRoom(async (join, when) => {
    const member = await join(topic);
    const count = to.reduce((sum, offset) => sum + RECORDS - offset, 0);
    await when(() => member.read.length >= count, `${count} records are read`);
    const read = member.take();
    for (const partition of ALL) compare(topic, partition, of(partition, read), to[partition], RECORDS);
  });
  return "not deleted: kafkajs does not delete single offsets";
}

async function partitions() {
  const topic = await create("partitions");
  const grow = (count) => admin.createPartitions({ topicPartitions: [{ topic, count }] });
  await grow(PARTITIONS + 2);
  const grown = async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length;
  await eventually(async () => (await grown()) === PARTITIONS + 2, "the topic has grown");
  await refused(37, () => grow(PARTITIONS));
  for (let partition = 0; partition < PARTITIONS + 2; partition++) await fill(topic, partition);
  await check(topic, { 0: 0, 1: 0, 2: 0, 3: 0, 4: 0 });
}

async function configs() {
  const topic = await create("configs");
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic };
  const described = async (config) => {
    const answer = await admin.describeConfigs({ resources: [resource] });
    return answer.resources[0].configEntries.find(({ configName }) => configName === config).configValue;
  };
  const alter = (configEntries) => admin.alterConfigs({ resources: [{ ...resource, configEntries }] });
  same(await described("retention.ms"), "-1", "retention.ms as the topic was created");
  same(await described("max.message.bytes"), "1048588", "the default of max.message.bytes");
  await alter([{ name: "retention.ms", value: "7200000" }]);
  await eventually(async () => (await described("retention.ms")) === "7200000", "retention.ms is changed");
  await refused(40, () => alter([{ name: "retention.ms", value: "soon" }]));
  same(await described("retention.ms"), "7200000", "retention.ms after a refusal");
  await alter([]);
  await eventually(async () => (await described("retention.ms")) === "604800000", "retention.ms is the default");
}

async function deleteRecords() {
  const topic = await create("delete-records");
  await fillAll(topic);
  const partitions = ALL.map((partition) => ({ partition, offset: String(CUT) }));
  await ends(topic); // it finds the leaders only of topics that it has been asked about
  await admin.deleteTopicRecords({ topic, partitions });
  for (const partition of ALL) same((await ends(topic))[partition].low, CUT, `the start of ${topic}-${partition}`);
  await check(topic, { 0: CUT, 1: CUT, 2: CUT });
}

const lacks = (what) => async () => {
  throw new Lacks(`kafkajs ${what}`);
};

const scenarios = {
  topics,
  records: writeAndRead("records", { large: true }),
  gzip: writeAndRead("gzip", { codec: "gzip" }),
  snappy: writeAndRead("snappy", { codec: "snappy" }),
  lz4: writeAndRead("lz4", { codec: "lz4" }),
  zstd: writeAndRead("zstd", { codec: "zstd" }),
  acks,
  idempotent: writeAndRead("idempotent", { idempotent: true }),
  time,
  group,
  rebalance,
  cooperative: lacks("has no cooperative rebalance"),
  static: lacks("has no static members"),
  "new-groups": lacks("has no groups of the new protocol"),
  "share-groups": lacks("has no share groups"),
  groups,
  offsets,
  partitions,
  configs,
  "delete-records": deleteRecords,
  "log-dirs": lacks("does not ask for log dirs"),
};

async function main() {
  await admin.connect();
  await drive(require("kafkajs/package.json").version, scenarios, wanted);
  await admin.disconnect();
}

main();
