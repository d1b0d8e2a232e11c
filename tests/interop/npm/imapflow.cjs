// imapflow on a leash: each line of standard input is [METHOD, ...ARGUMENTS] of its client, as JSON; the answer is a line
// {"value": ...} or {"problem": ...}. What the server says by itself comes between as {"event": ...}. The first argument of
// the program is the client's options; tests/interop/test_imap_imapflow.py holds the other end.
const { ImapFlow } = require("imapflow");
const readline = require("node:readline");

const plain = (_key, value) => {
  if (typeof value == "bigint") {
    return Number(value);
  }
  if (value instanceof Set) {
    return [...value];
  }
  if (value instanceof Map) {
    return Object.fromEntries(value);
  }
  if (value?.type == "Buffer") {
    return Buffer.from(value.data).toString("latin1");
  }
  return value;
};
const say = what => process.stdout.write(`${JSON.stringify(what, plain)}\n`);

const client = new ImapFlow({ ...JSON.parse(process.argv[2]), logger: false });
client.on("error", problem => say({ event: "error", text: String(problem) }));
for (const event of ["exists", "expunge", "flags"]) {
  client.on(event, data => say({ event, ...data }));
}

const own = {
  /** Text of a message, or of a part of it. */
  async text(uid, part) {
    const { content } = await client.download(uid, part, { uid: true });
    const chunks = [];
    for await (const chunk of content) {
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("latin1");
  },
  async mailbox() {
    return client.mailbox;
  },
  async enabled() {
    return client.enabled;
  },
  /** Waits for what others do; the next command ends it. */
  async wait() {
    client.idle().catch(problem => say({ event: "error", text: String(problem) }));
    return null;
  },
};

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [method, ...parameters] = JSON.parse(line);
    try {
      const value = await (own[method] ? own[method](...parameters) : client[method](...parameters));
      say({ value: value ?? null });
    } catch (problem) {
      say({ problem: `${problem.message} ${problem.responseText ?? ""} ${problem.serverResponseCode ?? ""}` });
    }
  }
  client.close();
})();
