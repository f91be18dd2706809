import assert from 'node:assert/strict'
import { readFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { DiskStorage } from '../../src/checkpoint/disk-storage.ts'
import { type StoredBatch, storedBatches } from '../../src/checkpoint/stored-batches.ts'
import { storedQuery } from '../../src/checkpoint/stored-query.ts'
import { batchText } from '../../src/cli/checkpoint/text.ts'
import { CHECKPOINT_USAGE } from '../../src/cli/checkpoint.ts'
import { S3Double } from '../../src/testing/s3/double.ts'
import { MemoryStorage } from '../checkpoint/memory-storage.ts'
import { ledgerSink, options, runQuery } from '../checkpoint/query.ts'
import { inDirectory, sluice } from './sluice.ts'

test('a checkpoint is listed, verified and rewound from the command line', () =>
  inDirectory(async (directory) => {
    const place = join(directory, 'a')
    await runQuery(new DiskStorage(place), ledgerSink(new Map()), 12, () => 3, options(), 10)
    const ls = await sluice(['checkpoint', 'ls', place])
    assert.deepEqual([ls.code, ls.stderr], [0, ''])
    assert.match(ls.stdout, /^checkpoint +\S+\/a\nquery +[0-9a-f-]{36}\n[\s\S]*which was stopped cleanly\n/)
    assert.match(
      ls.stdout,
      /\| +3 \| committed \| 1970-01-01T00:00:03\.000Z \| +3 \| .* \| +2 \| +4 \| +1 \|\n/,
    )

    await truncate(join(place, 'state/sum/3.1.delta.parquet'), 1)
    const verdict = await sluice(['checkpoint', 'verify', place, '--json'])
    assert.equal(verdict.code, 1)
    const { problems } = JSON.parse(verdict.stdout) as {
      problems: { stops: string; error: { code: string } }[]
    }
    assert.deepEqual(
      problems.map(({ stops, error }) => [stops, error.code]),
      [['start', 'CHECKPOINT_CORRUPT']],
    )

    const rewound = await sluice(['checkpoint', 'rewind', place, '--to', '2'])
    assert.deepEqual(
      [rewound.code, rewound.stdout],
      [0, 'batch 2 is the last one now; the next start begins with batch 3, as logged\n'],
    )
  }))

test('a checkpoint is forked from a disk to S3, with the options of a query', () =>
  inDirectory(async (directory) => {
    const double = new S3Double()
    double.createBucket('bucket')
    const { endpointUrl } = await double.listen()
    try {
      await runQuery(new DiskStorage(directory), ledgerSink(new Map()), 12, () => 3)
      const given = {
        endpointUrl,
        region: 'eu-west-1',
        awsAccessKeyId: 'anybody',
        awsSecretKey: 'not-to-be-shown',
      }
      const optionArgs = Object.entries(given).flatMap(([name, value]) => [
        '--option',
        `checkpoint.s3.${name}=${value}`,
      ])
      const fork = await sluice(['checkpoint', 'fork', directory, 's3://bucket/copy', ...optionArgs])
      assert.deepEqual([fork.code, fork.stderr], [0, ''])
      assert.match(
        fork.stdout,
        /^s3:\/\/bucket\/copy is the checkpoint of a new query, .* goes on after batch 3\n/,
      )
      assert.ok(double.keys('bucket', 'copy/').includes('copy/metadata'))
    } finally {
      await double.close()
    }
  }))

test('a batch is shown with its ranges and its state', async () => {
  const storage = new MemoryStorage()
  await runQuery(storage, ledgerSink(new Map()), 12, () => 3, options(), 10)
  const { queryId, sources } = await storedQuery(storage)
  const batch = (await storedBatches(storage, queryId)).find(({ batchId }) => batchId === 2) as StoredBatch
  const text = batchText(batch, sources)
  assert.match(text, /^batch 2, committed\n[\s\S]*numbers: 3 rows, digest 9\nfrom {2}6\nto {4}9\n/)
  assert.match(text, /state\/sum\/2\.1\.snapshot\.parquet \| +2 \| [0-9a-f]{8} \|/)
})

test('docs/checkpoint.md names every action', async () => {
  const page = await readFile(join(import.meta.dirname, '../../docs/checkpoint.md'), 'utf8')
  for (const action of Object.keys(CHECKPOINT_USAGE))
    assert.ok(page.includes(`\nsluice ${action} LOCATION`), action)
})
