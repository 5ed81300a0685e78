// One end of a hypercore's replication over TCP: see replication.py.
//
//   serve COUNT    appends COUNT blocks, prints where to get them, until stdin ends
//   pull OFFER     gets them all, and prints how long that took

import { readFileSync, mkdtempSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import Hypercore from 'hypercore'

const BATCH = 1000
const [role, argument] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'moltp2p-bench-'))

async function serve (count) {
  const bodies = readFileSync(process.env.MOLTP2P_BENCH_CORPUS, 'utf8')
    .trim().split('\n').map(line => Buffer.from(JSON.parse(line).body))
  const core = new Hypercore(folder)
  await core.ready()
  for (let first = 0; first < count; first += BATCH) {
    const length = Math.min(BATCH, count - first)
    await core.append(Array.from({ length }, (_, i) => bodies[(first + i) % bodies.length]))
  }
  const server = createServer(socket => replicate(socket, core.replicate(false)))
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address()
    console.log(JSON.stringify({ port, key: core.key.toString('hex'), count }))
  })
}

async function pull ({ port, key, count }) {
  const core = new Hypercore(folder, Buffer.from(key, 'hex'))
  await core.ready()
  const began = performance.now()
  replicate(connect(port, '127.0.0.1'), core.replicate(true))
  await core.download({ start: 0, end: count }).done()
  const seconds = (performance.now() - began) / 1e3
  if (core.contiguousLength !== count) throw new Error(`only ${core.contiguousLength}`)
  console.log(JSON.stringify({ seconds }))
  process.exit(0)
}

function replicate (socket, stream) {
  for (const each of [socket, stream]) each.on('error', () => {})
  socket.pipe(stream).pipe(socket)
}

if (role === 'serve') {
  process.stdin.resume().on('end', () => process.exit(0))
  await serve(Number(argument))
} else {
  await pull(JSON.parse(argument))
}
