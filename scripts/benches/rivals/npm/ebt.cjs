// One end of ssb-ebt's replication of one feed: see replication.py.
//
//   serve COUNT    writes COUNT messages, prints where to get them, until stdin ends
//   pull OFFER     gets them all, and prints how long that took

const { mkdtempSync, readFileSync } = require('node:fs')
const { createServer } = require('node:net')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { promisify } = require('node:util')

const SecretStack = require('secret-stack')
const caps = require('ssb-caps')
const keys = require('ssb-keys').generate()

const [role, argument] = process.argv.slice(2)

function freePort () {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

async function open () {
  const host = '127.0.0.1'
  const place = { scope: 'device', transform: 'shs', host, port: await freePort() }
  return SecretStack({ appKey: caps.shs })
    .use(require('ssb-db2/core'))
    .use(require('ssb-classic'))
    .use(require('ssb-db2/compat/ebt'))
    .use(require('ssb-db2/compat/feedstate'))
    .use(require('ssb-ebt'))
    .call(null, {
      path: mkdtempSync(join(tmpdir(), 'moltp2p-bench-')),
      keys,
      connections: { incoming: { net: [place] }, outgoing: { net: [{ transform: 'shs' }] } }
    })
}

async function serve (count) {
  const bodies = readFileSync(process.env.MOLTP2P_BENCH_CORPUS, 'utf8')
    .trim().split('\n').map(line => JSON.parse(line).body)
  const node = await open()
  const create = promisify(node.db.create)
  for (let i = 0; i < count; i += 1) {
    const content = { type: 'post', text: bodies[i % bodies.length].slice(0, 4000) }
    await create({ feedFormat: 'classic', keys, content })
  }
  await promisify(node.db.onDrain)()
  node.ebt.request(node.id, true)
  console.log(JSON.stringify({ id: node.id, address: node.getAddress('device'), count }))
}

async function pull ({ id, address, count }) {
  const node = await open()
  node.ebt.request(node.id, true)
  node.ebt.request(id, true)
  const began = performance.now()
  node.db.onMsgAdded(({ kvt: { value } }) => {
    if (value.author !== id || value.sequence !== count) return
    node.db.onDrain(() => {
      console.log(JSON.stringify({ seconds: (performance.now() - began) / 1e3 }))
      process.exit(0)
    })
  })
  node.connect(address, problem => { if (problem) throw problem })
}

if (role === 'serve') {
  process.stdin.resume().on('end', () => process.exit(0))
  serve(Number(argument))
} else {
  pull(JSON.parse(argument))
}
