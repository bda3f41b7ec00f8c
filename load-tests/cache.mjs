// What reading a document that is not in memory takes, without a Redis, when it misses and when it hits: a bounded number of
// reads, one after the other, each timed by the caller. Both servers are read in turn, so that whatever else the machine does
// is felt by both.
//
//   scripts/services/redis with node load-tests/cache.mjs
//
// QUIRE_BIN names the binary (target/debug/quire), DOCS how many documents there are (50), TAIL the operations of each since
// its last snapshot (100), ROUNDS how often each is read in a state (3).

import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const redis = process.env.QUIRE_TEST_REDIS
if (!redis) throw new Error('QUIRE_TEST_REDIS names no Redis: scripts/services/redis with node load-tests/cache.mjs')
const binary = process.env.QUIRE_BIN ?? 'target/debug/quire'
const docs = Array.from({ length: Number(process.env.DOCS ?? 50) }, (_, n) => `doc-${n}`)
const tail = Number(process.env.TAIL ?? 100)
const rounds = Number(process.env.ROUNDS ?? 3)
const folder = mkdtempSync(join(tmpdir(), 'quire-cache-'))

/** Starts a server on one of the folders. Its documents stay in memory, once they are there. */
async function serve(name, variables = {}) {
  const env = { ...process.env, QUIRE_RATE_LIMITS: 'off', QUIRE_LOG: 'warn', QUIRE_PASSIVATE_AFTER: 600, ...variables }
  const server = spawn(binary, ['serve', '--listen', '127.0.0.1:0', '--data', join(folder, name)], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const url = await new Promise((resolve, reject) => {
    let said = ''
    server.stdout.on('data', (part) => {
      said += part
      const ready = /^listening on (\S+)$/m.exec(said)
      if (ready) resolve(ready[1])
    })
    server.on('exit', () => reject(new Error('the server has ended')))
  })
  // Killed, so that it leaves no snapshots: the next one finds the same tail.
  const end = () =>
    new Promise((resolve) => {
      server.on('exit', resolve)
      server.kill('SIGKILL')
    })
  return { url, end }
}

async function get(url) {
  const answer = await fetch(url)
  if (answer.status !== 200) throw new Error(`${url}: ${answer.status} ${await answer.text()}`)
  return answer.text()
}

async function post(url, body) {
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`)
}

async function metric(url, name) {
  const line = (await get(`${url}/metrics`)).split('\n').find((line) => line.startsWith(`${name} `))
  return Number(line?.split(' ')[1])
}

async function until(what, holds) {
  for (const end = Date.now() + 60_000; !(await holds()); ) {
    if (Date.now() > end) throw new Error(`waited for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** Reads a document and adds how long it took, in ms. */
async function read(url, times) {
  const began = performance.now()
  await get(url)
  times.push(performance.now() - began)
}

function tell(name, times) {
  times.sort((a, b) => a - b)
  const at = (part) => times[Math.min(times.length - 1, Math.floor(times.length * part))].toFixed(2)
  console.log(`${name.padEnd(40)} ${String(times.length).padStart(5)} reads   p50 ${at(0.5)} ms   p99 ${at(0.99)} ms`)
}

/** Makes the documents: 8 KB of text, and a tail that no snapshot has. */
async function make() {
  const { url, end } = await serve('plain')
  const line = 'The quick brown fox jumps over the lazy dog. '
  for (const id of docs) {
    await post(`${url}/v1/docs`, { id, content: [{ insert: `${line.repeat(180)}\n` }] })
    for (let base = 1; base <= tail; base += 1) {
      await post(`${url}/v1/docs/${id}/ops`, { base, delta: [{ insert: 'x' }] })
    }
  }
  await end()
  cpSync(join(folder, 'plain'), join(folder, 'cached'), { recursive: true })
}

/** Starts both servers anew, with nothing in memory, and reads every document from each of them, in turn. */
async function compare(path, plain, cached) {
  const [one, other] = [await serve('plain'), await serve('cached', { QUIRE_REDIS_URL: redis })]
  await until('Redis is spoken to', async () => (await metric(other.url, 'quire_redis_breaker_state')) === 0)
  for (const server of [one, other]) await get(`${server.url}/v1/docs`)
  for (const doc of docs) {
    await read(`${one.url}/v1/docs/${doc}/${path}`, plain)
    await read(`${other.url}/v1/docs/${doc}/${path}`, cached)
  }
  const hits = await metric(other.url, 'quire_cache_reads_total{outcome="hit"}')
  // What a miss has left for Redis is on its way.
  await new Promise((resolve) => setTimeout(resolve, 300))
  await Promise.all([one.end(), other.end()])
  return hits
}

async function main() {
  await make()
  const old = tail - 10
  for (const [name, path] of [['content', 'content'], [`content at version ${old}`, `content?version=${old}`], ['operations', 'ops?from=1']]) {
    const [plain, missed, hit] = [[], [], []]
    const misses = await compare(path, plain, missed)
    let hits = 0
    for (let round = 0; round < rounds; round += 1) hits += await compare(path, plain, hit)
    tell(`${name}, no Redis`, plain)
    tell(`${name}, a miss`, missed)
    tell(`${name}, a hit`, hit)
    if (misses > 0 || hits !== hit.length) throw new Error(`${misses} hits where there was nothing, ${hits} where there was`)
  }
}

try {
  await main()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
