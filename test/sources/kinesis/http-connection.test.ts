import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { after, afterEach, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { HttpConnection, NOT_UNDERSTOOD } from '../../../src/sources/kinesis/http-connection.ts'
import { forSeeds } from '../../support/seeds.ts'

const REQUEST = Buffer.from('a body')
const HEAD = 'POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 6\r\n\r\n'

describe('a connection that puts bodies where they are to lie', () => {
  let server: Server
  let answer: (socket: Socket) => void
  const open: HttpConnection[] = []

  before(async () => {
    server = createServer((socket) => {
      socket.on('data', () => answer(socket))
      socket.on('error', () => undefined)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  after(() => server.close())
  afterEach(() => {
    for (const each of open.splice(0)) each.close()
  })

  const connection = (silenceMs = 5000) => {
    const { port } = server.address() as AddressInfo
    const each = new HttpConnection(
      { isTls: false, hostname: '127.0.0.1', port },
      { connectMs: 5000, silenceMs },
    )
    open.push(each)
    return each
  }

  test('gives any answer as it was sent, however the network cuts it, one after the other', async () => {
    await forSeeds(3, async (random) => {
      const each = connection()
      for (let turn = 0; turn < 8; turn++) {
        const body = Buffer.from(
          Array.from({ length: random.below(3) * random.below(60_000) }, () => random.below(256)),
        )
        const pad = 'x'.repeat(random.below(2000))
        const head = `HTTP/1.1 ${200 + random.below(300)} Whatever\r\nX-Pad:  ${pad} \r\nContent-Length: ${body.length}\r\nx-two: a\r\nX-Two: b\r\n\r\n`
        answer = async (socket) => {
          const bytes = Buffer.concat([Buffer.from(head), body])
          for (let at = 0; at < bytes.length; ) {
            const length = 1 + random.below(random.next() < 0.5 ? 300 : 40_000)
            socket.write(bytes.subarray(at, at + length))
            at += length
            if (random.next() < 0.5) await delay(0)
          }
        }
        const reply = await each.exchange(HEAD, REQUEST, undefined)
        assert.equal(reply.statusCode, Number(head.slice(9, 12)))
        assert.deepEqual(reply.headers, {
          'x-pad': pad,
          'content-length': String(body.length),
          'x-two': 'a, b',
        })
        assert.ok(body.equals(reply.body), `${reply.body.length} bytes came of ${body.length}`)
        assert.equal(reply.body.byteOffset, 0)
        assert.ok(each.isOpen)
      }
    })
  })

  const refused = {
    chunks: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n',
    'a body up to the end': 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc',
    'another version': 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na',
    'an interim answer': 'HTTP/1.1 100 Continue\r\n\r\n',
    compression: 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Encoding: gzip\r\n\r\na',
    'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    'more than was said': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab',
    'a folded line': 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 1\r\n\r\na',
    'something else': 'SSH-2.0-OpenSSH_9.6\r\n\r\n',
    'a head without an end': `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(20_000)}`,
  }
  for (const [name, text] of Object.entries(refused)) {
    test(`does not guess at ${name}`, async () => {
      answer = (socket) => void socket.write(text)
      const each = connection()
      await assert.rejects(each.exchange(HEAD, REQUEST, undefined), (error) => error === NOT_UNDERSTOOD)
      assert.equal(each.isOpen, false)
    })
  }

  test('fails when an answer breaks off, stalls, or is not waited for', async () => {
    const begun = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'
    answer = (socket) => socket.end(begun)
    await assert.rejects(connection().exchange(HEAD, REQUEST, undefined), { code: 'ECONNRESET' })
    answer = (socket) => void socket.write(begun)
    await assert.rejects(connection(30).exchange(HEAD, REQUEST, undefined), { name: 'TimeoutError' })
    const stop = new AbortController()
    const stopped = connection().exchange(HEAD, REQUEST, stop.signal)
    stop.abort()
    await assert.rejects(stopped, { name: 'AbortError' })
    await assert.rejects(connection().exchange(HEAD, REQUEST, stop.signal), { name: 'AbortError' })
  })

  test('is not used again when the other side said so, or says something unasked', async () => {
    answer = (socket) =>
      void socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    const closed = connection()
    await closed.exchange(HEAD, REQUEST, undefined)
    assert.equal(closed.isOpen, false)
    let socket: Socket | undefined
    answer = (each) => {
      socket = each
      each.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    }
    const talked = connection()
    await talked.exchange(HEAD, REQUEST, undefined)
    assert.equal(talked.isOpen, true)
    socket?.write('HTTP/1.1 408 Request Timeout\r\n\r\n')
    for (let i = 0; i < 200 && talked.isOpen; i++) await delay(5)
    assert.equal(talked.isOpen, false)
  })
})
