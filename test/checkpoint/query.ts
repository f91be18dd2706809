import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { Checkpoint, type CheckpointOptions } from '../../src/checkpoint/checkpoint.ts'
import type { Holder, Liveness, ProcessTable } from '../../src/checkpoint/holder.ts'
import { processTable } from '../../src/checkpoint/process-table.ts'
import type { Storage } from '../../src/checkpoint/storage.ts'
import { silentLogger } from '../../src/log.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'

/** Processes about which everything is known beforehand. */
export function processesThatAre(liveness: Liveness): ProcessTable {
  const holder: Holder = {
    host: 'elsewhere',
    pid: 4711,
    thread: 0,
    bootId: 'boot',
    pidNamespace: 'pid:[1]',
    startTicks: '17',
  }
  return { ...processTable, self: async () => holder, liveness: async () => liveness }
}

let seed = 0

/** Options of a small query; every call has a writer nonce of its own. */
export function options(changed: Partial<CheckpointOptions> = {}): CheckpointOptions {
  return {
    clock: new ManualClock({ seed: `${process.pid}-${seed++}` }),
    log: silentLogger,
    fingerprint: { keys: ['page'], aggregates: ['count(*)'] },
    sources: ['numbers'],
    versions: { sluice: '0.1.0', duckdb: 'v1.5.6' },
    processes: processesThatAre('dead'),
    ...changed,
  }
}

/** Rows by batch: what an idempotent sink holds. */
export type Ledger = Map<number, readonly number[]>

export interface Sink {
  write(batchId: number, rows: readonly number[]): Promise<void>
}

export function ledgerSink(ledger: Ledger): Sink {
  return {
    async write(batchId, rows) {
      const before = ledger.get(batchId)
      if (before) assert.deepEqual(rows, before, `batch ${batchId} came again with other rows`)
      ledger.set(batchId, rows)
    },
  }
}

const SNAPSHOT_EVERY = 3
const OPERATOR = 'sum'

/**
 * The loop of the engine in little: numbers come in batches whose size depends on `cut`, and their sum is the
 * state. Runs until `end` is committed.
 *
 * @returns the sum as the state says it
 */
export async function runQuery(
  storage: Storage,
  sink: Sink,
  end: number,
  cut: (batchId: number) => number,
  given: CheckpointOptions = options(),
  keep = 2,
): Promise<number> {
  const checkpoint = await Checkpoint.open(storage, given)
  try {
    return await runBatches(checkpoint, sink, end, cut, keep)
  } finally {
    await checkpoint.close()
  }
}

export async function runBatches(
  checkpoint: Checkpoint,
  sink: Sink,
  end: number,
  cut: (batchId: number) => number,
  keep = 2,
): Promise<number> {
  const initial = await startOf(checkpoint)
  let sum = await loadSum(checkpoint)
  for (;;) {
    const from = Number(checkpoint.lastIntent?.sources[0]?.range.end ?? initial)
    if (from >= end && !(await checkpoint.due())) return sum
    sum = await runBatch(checkpoint, sink, sum, from, Math.min(end, from + cut(checkpoint.last + 1)))
    await checkpoint.purge(keep)
  }
}

async function runBatch(
  checkpoint: Checkpoint,
  sink: Sink,
  sum: number,
  from: number,
  to: number,
): Promise<number> {
  const batchId = checkpoint.last + 1
  const { epoch } = checkpoint
  if (!(await checkpoint.due())) {
    const range = { start: from, end: to }
    const sources = [{ range, rows: to - from, digest: String(to) }]
    const watermarkMs = checkpoint.nextWatermarkMs
    await checkpoint.logIntent({ batchId, epoch, startedAtMs: batchId * 1000, watermarkMs, sources })
  }
  const range = checkpoint.pending?.sources[0]?.range
  assert.ok(range)
  assert.equal(range.start, from, 'a pending batch starts where the last one ended')
  const rows = Array.from({ length: Number(range.end) - from }, (_, i) => from + i + 1)
  await checkpoint.assertHeld()
  await sink.write(batchId, rows)
  const change = rows.reduce((total, row) => total + row, 0)
  const isSnapshot = batchId % SNAPSHOT_EVERY === SNAPSHOT_EVERY - 1
  const file = await checkpoint.state.write((path) =>
    writeFile(path, String(isSnapshot ? sum + change : change)),
  )
  const saved = await checkpoint.state.save(OPERATOR, batchId, isSnapshot ? 'snapshot' : 'delta', file)
  await checkpoint.logCommit({ batchId, epoch, nextWatermarkMs: batchId, state: [saved] })
  return sum + change
}

async function startOf(checkpoint: Checkpoint): Promise<number> {
  const pinned = await checkpoint.initialPosition(0)
  if (pinned !== undefined) return Number(pinned)
  await checkpoint.pinInitialPosition(0, 0)
  return 0
}

/** The state as its files say. */
export async function loadSum(checkpoint: Checkpoint): Promise<number> {
  let sum = 0
  for (const { kind, file } of await checkpoint.state.load(OPERATOR)) {
    const value = Number(await readFile(file, 'utf8'))
    sum = kind === 'snapshot' ? value : sum + value
  }
  return sum
}

/** Each number exactly once, in order. */
export function assertExact(ledger: Ledger, sum: number, end: number): void {
  const rows = [...ledger].sort(([a], [b]) => a - b).flatMap(([, batch]) => batch)
  assert.deepEqual(
    rows,
    Array.from({ length: end }, (_, i) => i + 1),
  )
  assert.equal(sum, (end * (end + 1)) / 2)
}
