// One js-libp2p peer, driven by JSON lines: commands on stdin; answers and events
// on stdout. It ends with `close`, or when stdin does.
//
//   > {"id": 1, "op": "open", "listen": ["/ip4/127.0.0.1/tcp/0"], "seed": "00…", …}
//   < {"answer": 1, "peer": "12D3…", "addresses": ["/ip4/…/p2p/12D3…"]}
//   > {"id": 2, "op": "subscribe", "topic": "t"}
//   < {"answer": 2}
//   < {"event": "message", "topic": "t", "data": "<base64>", "id": "<hex>", "from": "12D3…"}
//   > {"id": 3, "op": "dial", "address": "nonsense"}
//   < {"answer": 3, "error": "InvalidMultiaddrError: …"}
//
// Events: connected, disconnected, identified, message, subscribers and mesh; the
// last two give a topic's whole set of peers whenever it has changed.

import './polyfill.mjs' // first: the modules below use it while they load

import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'

import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const RAW_ANSWER_MS = 3000 // how long a raw stream may stay open before we report

let node
let pubsub

const ops = {
  open,
  dial: async ({ address }) => {
    const connection = await node.dial(multiaddr(address))
    return { peer: connection.remotePeer.toString() }
  },
  subscribe: ({ topic }) => {
    pubsub.subscribe(topic)
    tellChanges([topic])
  },
  unsubscribe: ({ topic }) => {
    pubsub.unsubscribe(topic)
    tellChanges([topic])
  },
  publish,
  state: ({ topic }) => ({
    mesh: pubsub.getMeshPeers(topic),
    subscribers: pubsub.getSubscribers(topic).map(String),
    peers: pubsub.getPeers().map(peer => ({
      peer: peer.toString(),
      protocol: pubsub.streamsOutbound.get(peer.toString())?.protocol ?? null,
      score: pubsub.getScore(peer.toString())
    }))
  }),
  raw,
  close: async () => {
    await node?.stop()
  }
}

// `protocols` are the only meshsub protocols offered, best first; `gossipsub` and
// `monitor` are options of js-libp2p's own, passed on as they are.
async function open ({ listen, seed, protocols, policy, gossipsub: options, monitor }) {
  node = await createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', Buffer.from(seed, 'hex')),
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: monitor,
    services: {
      identify: identify(),
      pubsub: gossipsub({
        fallbackToFloodsub: false,
        globalSignaturePolicy: policy,
        msgIdFn: ({ data }) => sha256(data),
        allowPublishToZeroTopicPeers: true,
        ...options
      })
    }
  })
  pubsub = node.services.pubsub
  // The option of this name is not read (gossipsub 17.1.1).
  pubsub.protocols = protocols
  listenForEvents()
  await node.start()
  return { peer: node.peerId.toString(), addresses: node.getMultiaddrs().map(String) }
}

async function publish ({ topic, data }) {
  const recipients = []
  for (const each of data) {
    const result = await pubsub.publish(topic, Buffer.from(each, 'base64'))
    recipients.push(result.recipients.length)
  }
  return { recipients }
}

// Send bytes of any kind on a stream of their own; say what came back, and how the
// peer ended the stream, once it has, or `wanted` bytes are there.
async function raw ({ peer, protocol, data, wanted }) {
  const connection = node.getConnections().find(each => each.remotePeer.toString() === peer)
  const stream = await connection.newStream(protocol)
  const received = []
  const { promise, resolve } = Promise.withResolvers()
  stream.addEventListener('message', ({ data }) => {
    received.push(...data.subarray())
    if (received.length >= wanted) {
      resolve('open')
    }
  })
  stream.addEventListener('remoteCloseWrite', () => resolve('closed'))
  stream.addEventListener('close', ({ error }) => resolve(error == null ? 'closed' : 'reset'))
  setTimeout(resolve, RAW_ANSWER_MS, 'open').unref()
  stream.send(Buffer.from(data, 'base64'))
  const end = await promise
  stream.abort(new Error('read enough'))
  return { end, data: Buffer.from(received).toString('base64') }
}

function listenForEvents () {
  node.addEventListener('peer:connect', ({ detail }) => {
    say({ event: 'connected', peer: detail.toString() })
  })
  node.addEventListener('peer:disconnect', ({ detail }) => {
    say({ event: 'disconnected', peer: detail.toString() })
    tellChanges()
  })
  node.addEventListener('peer:identify', ({ detail }) => {
    say({
      event: 'identified',
      peer: detail.peerId.toString(),
      agent: detail.agentVersion ?? null,
      protocols: detail.protocols,
      addresses: detail.listenAddrs.map(String)
    })
  })
  pubsub.addEventListener('gossipsub:message', ({ detail: { msg, propagationSource } }) => {
    say({
      event: 'message',
      topic: msg.topic,
      data: Buffer.from(msg.data).toString('base64'),
      id: sha256(msg.data).toString('hex'),
      from: propagationSource.toString()
    })
  })
  pubsub.addEventListener('subscription-change', ({ detail: { subscriptions } }) => {
    tellChanges(subscriptions.map(({ topic }) => topic))
  })
  for (const moment of ['gossipsub:graft', 'gossipsub:prune', 'gossipsub:heartbeat']) {
    pubsub.addEventListener(moment, () => tellChanges())
  }
}

const told = new Map()

// gossipsub has no event for a mesh link lost with a connection, so compare.
function tellChanges (topics = []) {
  for (const topic of new Set([...told.keys(), ...topics])) {
    const subscribers = pubsub.getSubscribers(topic).map(String).sort()
    const mesh = pubsub.getMeshPeers(topic).sort()
    const before = told.get(topic) ?? { subscribers: [], mesh: [] }
    told.set(topic, { subscribers, mesh })
    if (String(subscribers) !== String(before.subscribers)) {
      say({ event: 'subscribers', topic, peers: subscribers })
    }
    if (String(mesh) !== String(before.mesh)) {
      say({ event: 'mesh', topic, peers: mesh })
    }
  }
}

function sha256 (data) {
  return createHash('sha256').update(data).digest()
}

function say (line) {
  process.stdout.write(JSON.stringify(line) + '\n')
}

async function obey ({ id, op, ...command }) {
  try {
    say({ answer: id, ...await ops[op](command) })
  } catch (error) {
    say({ answer: id, error: String(error) })
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  await obey(command)
  if (command.op === 'close') {
    break
  }
}
process.exit()
