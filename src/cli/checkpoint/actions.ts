import { StoredCheckpoint } from '../../api/stored-checkpoint.ts'
import { SluiceError } from '../../errors.ts'
import type { CheckpointArguments } from '../checkpoint.ts'
import { consoleLog } from '../console-log.ts'
import { wholeNumber } from '../whole-number.ts'
import { asJson } from './as-json.ts'
import { batchesText, batchText, plural, queryText, verdictText } from './text.ts'

/** Prints whose checkpoint it is, and its batches. */
export function ls(args: CheckpointArguments): Promise<void> {
  return withCheckpoint('ls', args, async (checkpoint) => {
    const [query, batches] = [await checkpoint.query(), await checkpoint.batches()]
    print(args, { query, batches }, () => `${queryText(query)}\n${batchesText(batches)}`)
  })
}

/** Prints what one batch read, and the state after it. */
export function show(args: CheckpointArguments & { readonly batch: string }): Promise<void> {
  const batchId = wholeNumber('sluice checkpoint show', 'BATCH', 0)(args.batch)
  return withCheckpoint('show', args, async (checkpoint) => {
    const [query, batches] = [await checkpoint.query(), await checkpoint.batches()]
    const batch = batches.find((each) => each.batchId === batchId)
    if (!batch) {
      const known = plural(batches.map((each) => each.batchId))
      throw new SluiceError('CHECKPOINT_BATCH_UNKNOWN', { location: args.location, batch: batchId, known })
    }
    print(args, batch, () => batchText(batch, query.sources))
  })
}

/** Prints what is damaged; then the exit code is 1. */
export function verify(args: CheckpointArguments): Promise<void> {
  return withCheckpoint('verify', args, async (checkpoint) => {
    const verdict = await checkpoint.verify()
    if (verdict.problems.length > 0) process.exitCode = 1
    print(args, verdict, () => verdictText(verdict))
  })
}

export function rewind(args: CheckpointArguments & { readonly to: string }): Promise<void> {
  const to = wholeNumber('sluice checkpoint rewind', 'the option --to', 0)(args.to)
  return withCheckpoint('rewind', args, async (checkpoint) => {
    const done = await checkpoint.rewind(to)
    print(args, done ?? { last: to, takenBack: [] }, () =>
      done
        ? `batch ${done.last} is the last one now; the next start begins with ${plural(done.takenBack)}, as logged\n`
        : `batch ${to} is the last one already; nothing was changed\n`,
    )
  })
}

export function fork(
  args: CheckpointArguments & { readonly 'new-location': string; readonly at: string | undefined },
): Promise<void> {
  const at =
    args.at === undefined ? undefined : wholeNumber('sluice checkpoint fork', 'the option --at', 0)(args.at)
  return withCheckpoint('fork', args, async (checkpoint) => {
    const to = args['new-location']
    const copy = await checkpoint.fork(to, at)
    const from = copy.last < 0 ? 'has no batch yet' : `goes on after batch ${copy.last}`
    print(args, copy, () => `${to} is the checkpoint of a new query, ${copy.queryId}, which ${from}\n`)
  })
}

export function repair(
  args: CheckpointArguments & { readonly 'drop-last-uncommitted': boolean },
): Promise<void> {
  if (!args['drop-last-uncommitted']) {
    const reason = 'the option --drop-last-uncommitted is missing: it is the one repair there is'
    throw new SluiceError('CLI_USAGE', { reason, command: 'sluice checkpoint repair' })
  }
  return withCheckpoint('repair', args, async (checkpoint) => {
    const done = await checkpoint.dropUncommitted()
    print(args, done ?? { dropped: [] }, () =>
      done
        ? `${plural(done.dropped)} dropped; reading goes on ${done.last < 0 ? 'from the beginning' : `after batch ${done.last}`}\n`
        : 'nothing was logged after the last commit; nothing was changed\n',
    )
  })
}

async function withCheckpoint(
  action: string,
  { location, option }: CheckpointArguments,
  use: (checkpoint: StoredCheckpoint) => Promise<void>,
): Promise<void> {
  const options = Object.fromEntries(option.map((text) => optionOf(action, text)))
  const checkpoint = await StoredCheckpoint.open(location, { options, log: consoleLog('warn') })
  try {
    await use(checkpoint)
  } finally {
    await checkpoint.close()
  }
}

function optionOf(action: string, text: string): [string, string] {
  const match = /^([A-Za-z][\w.]*)=([\s\S]*)$/.exec(text)
  if (match) return [match[1] as string, match[2] as string]
  // The text itself may be a secret without its name.
  const reason = '--option takes name=value, such as checkpoint.s3.region=eu-west-1'
  throw new SluiceError('CLI_USAGE', { reason, command: `sluice checkpoint ${action}` })
}

function print({ json }: CheckpointArguments, value: object, text: () => string): void {
  process.stdout.write(json ? asJson(value) : text())
}
