// js-libp2p's gossipsub as a benchmark's node: see peers.py for the lines it answers.
// Messages are not stored; they are signed and verified where the argument says so.

import './polyfill.mjs' // first: the modules below use it while they load

import { readFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'

import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const TOPIC = 'bench'
const STAMP_BYTES = 12 // when it was published (a double), and its number

const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: {
    identify: identify(),
    pubsub: gossipsub({
      fallbackToFloodsub: false,
      globalSignaturePolicy: process.argv[2],
      msgIdFn: ({ data }) => createHash('sha256').update(data).digest(),
      allowPublishToZeroTopicPeers: true
    })
  }
})
const pubsub = node.services.pubsub
const bodies = readFileSync(process.env.MOLTP2P_BENCH_CORPUS, 'utf8')
  .trim().split('\n').map(line => Buffer.from(JSON.parse(line).body))

let received = 0
let last = 0
const delays = []
pubsub.addEventListener('gossipsub:message', ({ detail: { msg } }) => {
  last = now()
  received += 1
  delays.push((last - Buffer.from(msg.data).readDoubleBE(0)) * 1e3)
})
pubsub.subscribe(TOPIC)

const ops = {
  address: () => ({ address: node.getMultiaddrs()[0].toString() }),
  dial: async ({ address }) => {
    await node.dial(multiaddr(address))
    return {}
  },
  state: () => {
    const { user, system } = process.cpuUsage()
    return {
      peers: pubsub.getSubscribers(TOPIC).length,
      mesh: pubsub.getMeshPeers(TOPIC).length,
      received,
      last,
      cpu_s: (user + system) / 1e6,
      rss: process.memoryUsage().rss
    }
  },
  publish: async ({ count, first, rate }) => {
    const began = now()
    for (let number = 0; number < count; number++) {
      if (rate) {
        await sleepUntil(began + number / rate)
      }
      const stamp = Buffer.alloc(STAMP_BYTES)
      stamp.writeDoubleBE(now(), 0)
      stamp.writeUInt32BE(first + number, 8)
      const body = bodies[(first + number) % bodies.length]
      await pubsub.publish(TOPIC, Buffer.concat([stamp, body]))
    }
    return { began, ended: now() }
  },
  delays: () => ({ delays })
}

function now () {
  return (performance.timeOrigin + performance.now()) / 1e3
}

async function sleepUntil (moment) {
  const left = (moment - now()) * 1e3
  if (left > 0) {
    await new Promise(resolve => setTimeout(resolve, left))
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { op, ...command } = JSON.parse(line)
  let answer
  try {
    answer = await ops[op](command)
  } catch (error) {
    answer = { error: String(error) }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
process.exit()
