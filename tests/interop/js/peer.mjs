// js-libp2p peers, driven by JSON lines on a Unix socket: `node peer.mjs SOCKET`.
// Each connection is one peer, for as long as it lasts. Loading js-libp2p takes half
// a second and a peer some milliseconds, so that many may share this process.
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
// `ready` on stdout says that the socket is there; the end of stdin ends it all.

import './polyfill.mjs' // first: the modules below use it while they load

import { createHash } from 'node:crypto'
import { createServer } from 'node:net'
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
const MOMENTS = ['gossipsub:graft', 'gossipsub:prune', 'gossipsub:heartbeat']

class Peer {
  told = new Map() // by topic, the last mesh and subscribers that we told of

  constructor (say) {
    this.say = say
  }

  // `protocols` are the only meshsub protocols offered, best first; `gossipsub` and
  // `monitor` are options of js-libp2p's own, passed on as they are.
  async open ({ listen, seed, protocols, policy, gossipsub: options, monitor }) {
    this.node = await createLibp2p({
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
    this.pubsub = this.node.services.pubsub
    // The option of this name is not read (gossipsub 17.1.1).
    this.pubsub.protocols = protocols
    this.listenForEvents()
    await this.node.start()
    return { peer: this.node.peerId.toString(), addresses: this.node.getMultiaddrs().map(String) }
  }

  async close () {
    await this.node?.stop()
  }

  async dial ({ address }) {
    const connection = await this.node.dial(multiaddr(address))
    return { peer: connection.remotePeer.toString() }
  }

  subscribe ({ topic }) {
    this.pubsub.subscribe(topic)
    this.tellChanges([topic])
  }

  unsubscribe ({ topic }) {
    this.pubsub.unsubscribe(topic)
    this.tellChanges([topic])
  }

  async publish ({ topic, data }) {
    const recipients = []
    for (const each of data) {
      const result = await this.pubsub.publish(topic, Buffer.from(each, 'base64'))
      recipients.push(result.recipients.length)
    }
    return { recipients }
  }

  state ({ topic }) {
    return {
      mesh: this.pubsub.getMeshPeers(topic),
      subscribers: this.pubsub.getSubscribers(topic).map(String),
      peers: this.pubsub.getPeers().map(String).map(peer => ({
        peer,
        protocol: this.pubsub.streamsOutbound.get(peer)?.protocol ?? null,
        score: this.pubsub.getScore(peer)
      }))
    }
  }

  // Send bytes of any kind on a stream of their own; say what came back, and how the
  // other side ended the stream, once it has, or `wanted` bytes are there.
  async raw ({ peer, protocol, data, wanted }) {
    const connections = this.node.getConnections()
    const connection = connections.find(each => each.remotePeer.toString() === peer)
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

  listenForEvents () {
    this.node.addEventListener('peer:connect', ({ detail }) => {
      this.say({ event: 'connected', peer: detail.toString() })
    })
    this.node.addEventListener('peer:disconnect', ({ detail }) => {
      this.say({ event: 'disconnected', peer: detail.toString() })
      this.tellChanges()
    })
    this.node.addEventListener('peer:identify', ({ detail }) => {
      this.say({
        event: 'identified',
        peer: detail.peerId.toString(),
        agent: detail.agentVersion ?? null,
        protocols: detail.protocols,
        addresses: detail.listenAddrs.map(String)
      })
    })
    this.pubsub.addEventListener('gossipsub:message', ({ detail: { msg, propagationSource } }) => {
      this.say({
        event: 'message',
        topic: msg.topic,
        data: Buffer.from(msg.data).toString('base64'),
        id: sha256(msg.data).toString('hex'),
        from: propagationSource.toString()
      })
    })
    this.pubsub.addEventListener('subscription-change', ({ detail: { subscriptions } }) => {
      this.tellChanges(subscriptions.map(({ topic }) => topic))
    })
    for (const moment of MOMENTS) {
      this.pubsub.addEventListener(moment, () => this.tellChanges())
    }
  }

  // gossipsub has no event for a mesh link lost with a connection, so compare.
  tellChanges (topics = []) {
    for (const topic of new Set([...this.told.keys(), ...topics])) {
      const subscribers = this.pubsub.getSubscribers(topic).map(String).sort()
      const mesh = this.pubsub.getMeshPeers(topic).sort()
      const before = this.told.get(topic) ?? { subscribers: [], mesh: [] }
      this.told.set(topic, { subscribers, mesh })
      if (String(subscribers) !== String(before.subscribers)) {
        this.say({ event: 'subscribers', topic, peers: subscribers })
      }
      if (String(mesh) !== String(before.mesh)) {
        this.say({ event: 'mesh', topic, peers: mesh })
      }
    }
  }
}

function sha256 (data) {
  return createHash('sha256').update(data).digest()
}

async function serve (socket) {
  const say = line => socket.write(JSON.stringify(line) + '\n')
  const peer = new Peer(say)
  socket.on('error', () => {}) // the test has hung up, and so the loop ends too
  try {
    for await (const line of createInterface({ input: socket })) {
      say(await obey(peer, JSON.parse(line)))
    }
  } catch (error) {
    if (!socket.destroyed) {
      throw error
    }
  } finally {
    await peer.close()
  }
}

async function obey (peer, { id, op, ...command }) {
  try {
    return { answer: id, ...await peer[op](command) }
  } catch (error) {
    return { answer: id, error: String(error) }
  }
}

createServer(serve).listen(process.argv[2], () => process.stdout.write('ready\n'))
process.stdin.resume().on('end', () => process.exit())
