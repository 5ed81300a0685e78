// A js-libp2p peer of the relay tests: `node relay.mjs ROLE RELAY IP`.
//
//   relay             relays for others
//   reached RELAY     listens nowhere but behind RELAY; answers echoes
//   dialler           dials what it is told to, and sends words to be echoed
//
// With IP, it listens there as well, and looks for a direct way to relayed peers.
//
// Says JSON lines: its addresses first, then an answer to each line that it is told.

import './polyfill.mjs' // first: the modules below use it while they load

import { createInterface } from 'node:readline'

import { autoNAT } from '@libp2p/autonat'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { dcutr } from '@libp2p/dcutr'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const ECHO = '/test/echo/1.0.0'
const [role, relay, ip] = process.argv.slice(2)
const say = line => process.stdout.write(JSON.stringify(line) + '\n')

const listen = role === 'reached' ? [`${relay}/p2p-circuit`] : []
if (ip || role !== 'reached') {
  listen.push(`/ip4/${ip ?? '127.0.0.1'}/tcp/0`)
}

const node = await createLibp2p({
  addresses: { listen },
  transports: [tcp(), circuitRelayTransport()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionGater: { denyDialMultiaddr: () => false },
  services: {
    identify: identify(),
    autonat: autoNAT(),
    ...(ip ? { dcutr: dcutr() } : {}),
    ...(role === 'relay' ? { relay: circuitRelayServer() } : {})
  }
})

await node.handle(ECHO, stream => {
  stream.addEventListener('message', ({ data }) => stream.send(data))
}, { runOnLimitedConnection: true })

async function echo ({ address, word }) {
  const stream = await node.dialProtocol(multiaddr(address), ECHO, { runOnLimitedConnection: true })
  const { promise, resolve } = Promise.withResolvers()
  let heard = ''
  stream.addEventListener('message', ({ data }) => {
    heard += Buffer.from(data.subarray()).toString()
    if (heard.length >= word.length) {
      resolve(heard)
    }
  })
  stream.send(Buffer.from(word))
  return promise
}

say({ peer: node.peerId.toString(), addresses: node.getMultiaddrs().map(String) })
for await (const line of createInterface({ input: process.stdin })) {
  try {
    say({ heard: await echo(JSON.parse(line)) })
  } catch (error) {
    say({ error: String(error) })
  }
}
process.exit()
