// Two implementations of Negentropy that are not ours, driven by lines of JSON.
//
// stdin, one line a command; stdout, one line an answer to each:
//   {"open": "reference" | "nostr-tools", "items": [[time, hex]…], "limit": bytes,
//    "initiates": bool}                          -> {"message": hex | null}
//   {"message": hex}                             -> {"message": hex | null,
//                                                    "have": [hex…], "need": [hex…]}
// or {"error": text}. "reference" is the one by the protocol's author, as
// @welshman/net carries it; nostr-tools' is made for clients, and leaves a list of ids
// unanswered whichever part it plays.
//
// Both count with 32 bits: times must stay below 2^31 - 1.

import { createInterface } from "node:readline";

globalThis.window ??= globalThis; // the reference looks there for its SHA-256
const modules = {
  reference: await import("./node_modules/@welshman/net/dist/net/src/negentropy.js"),
  "nostr-tools": await import("./node_modules/nostr-tools/lib/esm/nip77.js"),
};

let peer; // { initiates, receive(message) }

async function open({ open: name, items, limit, initiates }) {
  const { Negentropy, NegentropyStorageVector } = modules[name];
  const storage = new NegentropyStorageVector();
  for (const [time, id] of items) storage.insert(time, id);
  storage.seal();
  const machine = new Negentropy(storage, limit);
  peer = { name, machine, initiates };
  return { message: initiates ? hex(await machine.initiate()) : null };
}

async function receive(message) {
  if (peer.name === "reference") {
    const [answer, have, need] = await peer.machine.reconcile(message);
    return { message: hex(answer), have: have.map(hex), need: need.map(hex) };
  }
  const [have, need] = [[], []];
  const answer = peer.machine.reconcile(
    message,
    (id) => have.push(id),
    (id) => need.push(id),
  );
  return { message: answer, have, need };
}

function hex(bytes) {
  if (bytes === null || typeof bytes === "string") return bytes;
  return Buffer.from(bytes).toString("hex");
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  let answer;
  try {
    answer = command.open ? await open(command) : await receive(command.message);
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
